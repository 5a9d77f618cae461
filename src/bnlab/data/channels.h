// What the scalings share: images or a table, seen as channels of numbers.
#pragma once
#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <stdexcept>

#include "bnlab/data/data_error.h"

namespace bnlab {

/// Contiguous (N,C,H,W) of images, or (N,C,1,1) of a table (N,C). std::invalid_argument: other shapes or types, or
/// nothing in it.
inline at::Tensor as_planes(const at::Tensor& images) {
  const auto dtype = images.scalar_type();
  if ((images.dim() != 4 && images.dim() != 2) || images.numel() == 0 || (dtype != at::kByte && dtype != at::kFloat)) {
    throw std::invalid_argument(
        "scaling expects images (N,C,H,W) or a table (N,C), uint8 or float32, with at least one number");
  }
  const at::Tensor planes = images.dim() == 4 ? images : images.unsqueeze(2).unsqueeze(3);
  return planes.contiguous();
}

/// Throws DataError, with the channel, if a pixel is not finite.
inline void check_finite(double pixel, int64_t channel) {
  if (std::isfinite(pixel)) return;
  throw DataError(fmt::format("channel {} of the images holds {}; only finite pixels can be scaled", channel, pixel));
}

/// visit(const Pixel* plane, channel) for each plane of H*W pixels, Pixel uint8_t or float; `planes` from as_planes().
template <class Visit>
void for_each_plane(const at::Tensor& planes, const Visit& visit) {
  const int64_t channels = planes.size(1), size = planes.size(2) * planes.size(3);
  for (int64_t i = 0; i < planes.size(0) * channels; ++i) {
    if (planes.scalar_type() == at::kByte) {
      visit(planes.data_ptr<uint8_t>() + i * size, i % channels);
    } else {
      visit(planes.data_ptr<float>() + i * size, i % channels);
    }
  }
}

/// map(double, channel) of every number, as float32 of the same shape.
template <class Map>
at::Tensor mapped(const at::Tensor& images, const Map& map) {
  const at::Tensor planes = as_planes(images), out = at::empty(planes.sizes(), at::kFloat);
  const int64_t size = planes.size(2) * planes.size(3);
  float* to = out.data_ptr<float>();
  for_each_plane(planes, [&](const auto* plane, int64_t channel) {
    to = std::transform(plane, plane + size, to,
                        [&](auto pixel) { return static_cast<float>(map(static_cast<double>(pixel), channel)); });
  });
  return out.view(images.sizes());
}

/// std::invalid_argument if a scaling for `fitted` channels is given other images.
inline void check_channels(const at::Tensor& images, size_t fitted) {
  if (as_planes(images).size(1) == static_cast<int64_t>(fitted)) return;
  throw std::invalid_argument(
      fmt::format("the scale has {} channels, the images have {}; fit it on this data set", fitted, images.size(1)));
}

}  // namespace bnlab
