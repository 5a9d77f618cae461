// Residual networks for small images: He et al. 2016, section 4.2, with 6n+2 layers of 16, 32 and 64 channels, and
// shortcuts without parameters (their option A: subsampling, new channels zero). Any width.
#pragma once

#include "bnlab/nn/model_list.h"

namespace bnlab {

ModelKind resnet20_kind();   ///< n = 3
ModelKind resnet32_kind();   ///< n = 5
ModelKind resnet44_kind();   ///< n = 7
ModelKind resnet56_kind();   ///< n = 9
ModelKind resnet110_kind();  ///< n = 18, the network of Bjorck et al. 2018

}  // namespace bnlab
