// VGG (Simonyan & Zisserman 2015, table 1, columns A and D) for small images: the convolutions and pools of the
// original, one linear layer as head, any width.
#pragma once

#include "bnlab/nn/model_list.h"

namespace bnlab {

ModelKind vgg11_kind();  ///< column A: 8 convolutions
ModelKind vgg16_kind();  ///< column D: 13 convolutions, the network of Santurkar et al. 2018

}  // namespace bnlab
