// Smaller images: means over blocks of pixels.
#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>

#include "bnlab/data/dataset.h"

namespace bnlab {

/// images: (N,C,H,W), uint8 or float32. Pixel (r, c) of the result, (N,C,H/pool,W/pool) float32, is the mean over rows
/// r*pool … r*pool + pool - 1 and columns c*pool … c*pool + pool - 1. Sums are exact for uint8, so each mean has one
/// rounding; of float32 they are taken in double. With pool 1 the images themselves, as they are.
/// std::invalid_argument: other types, or a pool below 1 or that does not divide H and W.
at::Tensor mean_pooled(const at::Tensor& images, int64_t pool);

/// The set with both splits' images pooled; one that is pooled so already, as it is. std::invalid_argument: as above,
/// or a set that is pooled otherwise.
Dataset mean_pooled(Dataset dataset, int64_t pool);

}  // namespace bnlab
