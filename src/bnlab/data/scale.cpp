#include "bnlab/data/scale.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "bnlab/data/channels.h"

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
    check_finite(x, channel);
    sum += x;
  });
  const double mean = sum / static_cast<double>(count);
  double squares = static_cast<double>(padding) * mean * mean;
  over_pixels([&](double x) { squares += (x - mean) * (x - mean); });
  return {mean, squares / static_cast<double>(count)};
}

/// Of each channel. `padded`: zeros stand beside the planes.
struct Extremes {
  std::vector<double> least, most;

  Extremes(const at::Tensor& planes, bool padded)
      : least(planes.size(1), padded ? 0 : INFINITY), most(planes.size(1), padded ? 0 : -INFINITY) {
    const int64_t size = planes.size(2) * planes.size(3);
    for_each_plane(planes, [&](const auto* plane, int64_t channel) {
      std::for_each(plane, plane + size, [&](double pixel) {
        check_finite(pixel, channel);
        least[channel] = std::min(least[channel], pixel);
        most[channel] = std::max(most[channel], pixel);
      });
    });
  }
};

}  // namespace

ChannelScale ChannelScale::z_score(const at::Tensor& images, int64_t pad_to) {
  const at::Tensor planes = as_planes(images);
  const int64_t height = std::max(pad_to, planes.size(2)), width = std::max(pad_to, planes.size(3));
  const int64_t count = planes.size(0) * height * width;
  ChannelScale scale;
  for (int64_t c = 0; c < planes.size(1); ++c) {
    const bool bytes = planes.scalar_type() == at::kByte;
    const auto moments = bytes ? byte_moments(planes, c, count) : float_moments(planes, c, count);
    scale.offset.push_back(moments.mean);
    scale.unit.push_back(moments.var_biased > 0.0 ? std::sqrt(moments.var_biased) : 1.0);
  }
  return scale;
}

ChannelScale ChannelScale::min_max(const at::Tensor& images, int64_t pad_to) {
  const at::Tensor planes = as_planes(images);
  const Extremes found(planes, pad_to > std::min(planes.size(2), planes.size(3)));
  ChannelScale scale{found.least, {}};
  for (size_t c = 0; c < found.least.size(); ++c) {
    scale.unit.push_back(found.most[c] > found.least[c] ? found.most[c] - found.least[c] : 1.0);
  }
  return scale;
}

at::Tensor ChannelScale::transform(const at::Tensor& images) const {
  check_channels(images, offset.size());
  return mapped(images, [&](double pixel, int64_t c) { return (pixel - offset[c]) / unit[c]; });
}

at::Tensor ChannelScale::inverse(const at::Tensor& scaled) const {
  check_channels(scaled, offset.size());
  return mapped(scaled, [&](double x, int64_t c) { return x * unit[c] + offset[c]; });
}

}  // namespace bnlab
