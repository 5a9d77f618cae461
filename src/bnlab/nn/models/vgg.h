// VGG (Simonyan & Zisserman 2015, table 1, columns A and D) for small images: the convolutions and pools of the
// original, one linear layer as head, any width. For images below 32×32 the option `pools` leaves the last pools out:
// 14×14 with 3 of them ends at 1×1 (14, 7, 3, 1), 16×16 with 4.
#pragma once

#include "bnlab/nn/model_list.h"

namespace bnlab {

ModelKind vgg11_kind();  ///< column A: 8 convolutions
ModelKind vgg16_kind();  ///< column D: 13 convolutions, the network of Santurkar et al. 2018

}  // namespace bnlab
