// The network that the experiments "convolution" and "backward" look at when its training has ended.
#pragma once

#include <string>

#include "bnlab/study/evidence.h"

namespace bnlab {

/// VGG-A with BN on small images.
Arm small_vgg();
inline constexpr int64_t kSmallVggLayers = 8;
/// How it was trained, in one paragraph.
std::string what_small_vgg_is(const Setting& setting);

/// One analysis of the finished networks, and what an experiment makes of its numbers.
struct SmallVggLook {
  Arm arm;
  std::string analysis, window;

  /// Trains the networks and analyses each.
  Plan plan(const Setting& setting) const;
  /// A scalar that the analysis recorded, NaN where there is none.
  PerSeed recorded(const ArmRuns& runs, int64_t layer, const std::string& name) const;
  Claim claim(const std::string& id, Rank rank, const std::string& sentence, const std::string& statistic,
              const std::string& unit, const Side& side, const std::string& quote) const;
};

}  // namespace bnlab
