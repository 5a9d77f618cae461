// The network that the experiments "convolution" and "backward" look at when its training has ended.
#pragma once

#include <string>

#include "bnlab/study/arms.h"

namespace bnlab {

/// VGG-A with BN on small images.
Arm small_vgg();
inline constexpr int64_t kSmallVggLayers = 8;
/// How it was trained, in one paragraph.
std::string what_small_vgg_is(const Setting& setting);

/// The plan of an experiment that trains it and looks at it with one analysis.
Plan small_vgg_looked_at(const Setting& setting, const Arm& looking, const std::string& analysis);

}  // namespace bnlab
