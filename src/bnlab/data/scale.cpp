#include "bnlab/data/scale.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "bnlab/data/dataset.h"

namespace bnlab {
namespace {

struct Moments {
  double mean, var_biased;
};

// `count` pixels, of which those not in the planes are zeros.
Moments byte_moments(const at::Tensor& images, int64_t channel, int64_t count) {
  const int64_t channels = images.size(1), plane = images.size(2) * images.size(3);
  const auto* pixels = images.data_ptr<uint8_t>();
  uint64_t sum = 0, squares = 0;
  for (int64_t n = 0; n < images.size(0); ++n) {
    const auto* p = pixels + (n * channels + channel) * plane;
    for (int64_t begin = 0; begin < plane;
         begin += 65536) {  // 65536 * 255^2 fits 32 bits, which the compiler can vectorize
      uint32_t part = 0, part_squares = 0;
      for (int64_t i = begin; i < std::min(begin + 65536, plane); ++i) {
        part += p[i];
        part_squares += uint32_t{p[i]} * p[i];
      }
      sum += part;
      squares += part_squares;
    }
  }
  const auto n = static_cast<double>(count);
  const auto spread = static_cast<unsigned __int128>(squares) * count - static_cast<unsigned __int128>(sum) * sum;
  return {static_cast<double>(sum) / n, static_cast<double>(spread) / n / n};
}

Moments float_moments(const at::Tensor& images, int64_t channel, int64_t count) {
  const int64_t channels = images.size(1), plane = images.size(2) * images.size(3);
  const auto* pixels = images.data_ptr<float>();
  const auto over_pixels = [&](auto&& add) {
    for (int64_t n = 0; n < images.size(0); ++n) {
      const auto* p = pixels + (n * channels + channel) * plane;
      std::for_each(p, p + plane, add);
    }
  };
  const int64_t padding = count - images.size(0) * plane;
  double sum = 0.0;  // exact, so the spread exactly 0, for a constant channel of up to 2^29 pixels
  over_pixels([&](double x) {
    if (!std::isfinite(x)) {
      throw DataError(fmt::format("channel {} of the images holds {}; only finite pixels can be scaled", channel, x));
    }
    sum += x;
  });
  const double mean = sum / static_cast<double>(count);
  double squares = static_cast<double>(padding) * mean * mean;
  over_pixels([&](double x) { squares += (x - mean) * (x - mean); });
  return {mean, squares / static_cast<double>(count)};
}

}  // namespace

ChannelScale ChannelScale::fit(const at::Tensor& images, int64_t pad_to) {
  const auto dtype = images.scalar_type();
  if (images.dim() != 4 || images.numel() == 0 || (dtype != at::kByte && dtype != at::kFloat)) {
    throw std::invalid_argument("ChannelScale::fit expects images (N,C,H,W), uint8 or float32, at least one");
  }
  const auto contiguous = images.contiguous();
  const int64_t height = std::max(pad_to, images.size(2)), width = std::max(pad_to, images.size(3));
  const int64_t count = images.size(0) * height * width;
  ChannelScale scale;
  for (int64_t c = 0; c < images.size(1); ++c) {
    const auto moments = dtype == at::kByte ? byte_moments(contiguous, c, count) : float_moments(contiguous, c, count);
    scale.mean.push_back(moments.mean);
    scale.stddev.push_back(moments.var_biased > 0.0 ? std::sqrt(moments.var_biased) : 1.0);
  }
  return scale;
}

}  // namespace bnlab
