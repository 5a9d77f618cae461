#include "bnlab/data/equalize.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <stdexcept>

#include "bnlab/data/channels.h"

namespace bnlab {
namespace {

using Curve = Equalization::Curve;

/// The distinct values of a channel, rising, and how many pixels have each.
struct Counts {
  std::vector<double> values;
  std::vector<int64_t> counts;

  void add(double value, int64_t count) {
    if (values.empty() || values.back() != value) {
      values.push_back(value);
      counts.push_back(0);
    }
    counts.back() += count;
  }
};

Counts counts_of(const std::array<int64_t, 256>& histogram) {
  Counts counts;
  for (int value = 0; value < 256; ++value) {
    if (histogram[value] > 0) counts.add(value, histogram[value]);
  }
  return counts;
}

Counts counts_of(std::vector<float>& pixels) {
  std::sort(pixels.begin(), pixels.end());
  Counts counts;
  for (const float pixel : pixels) counts.add(pixel, 1);
  return counts;
}

Curve curve_of(const Counts& counts) {
  int64_t all = 0;
  for (const int64_t count : counts.counts) all += count;
  const int64_t least = counts.counts.front();
  std::vector<double> levels;
  int64_t below = -least;
  for (const int64_t count : counts.counts) {
    below += count;
    levels.push_back(all == least ? 0.0 : static_cast<double>(below) / static_cast<double>(all - least));
  }
  const auto distinct = static_cast<int64_t>(levels.size());
  if (distinct <= Equalization::kMostValues) return {counts.values, levels};
  Curve kept;
  for (int64_t i = 0; i < Equalization::kMostValues; ++i) {
    const int64_t at = i * (distinct - 1) / (Equalization::kMostValues - 1);
    kept.values.push_back(counts.values[at]);
    kept.levels.push_back(levels[at]);
  }
  return kept;
}

/// Through the points (from[i], to[i]), from rising: straight lines between them, constant outside.
double on_line(const std::vector<double>& from, const std::vector<double>& to, double x) {
  const auto above = std::upper_bound(from.begin(), from.end(), x);
  if (above == from.begin()) return to.front();
  const auto i = static_cast<size_t>(above - from.begin()) - 1;
  if (above == from.end() || x == from[i]) return to[i];
  return to[i] + (to[i + 1] - to[i]) * ((x - from[i]) / (from[i + 1] - from[i]));
}

/// Bytes are counted, floats collected: one of `size` planes of each channel after the other.
class PixelCounter {
 public:
  void add(const uint8_t* plane, int64_t size, int64_t) {
    for (int64_t i = 0; i < size; ++i) ++histogram_[plane[i]];
    bytes_ = true;
  }
  void add(const float* plane, int64_t size, int64_t channel) {
    std::for_each(plane, plane + size, [&](float pixel) { check_finite(pixel, channel); });
    pixels_.insert(pixels_.end(), plane, plane + size);
  }
  Curve curve() { return curve_of(bytes_ ? counts_of(histogram_) : counts_of(pixels_)); }

 private:
  bool bytes_ = false;
  std::array<int64_t, 256> histogram_{};
  std::vector<float> pixels_;
};

/// Images as the Loader pads them, still unscaled.
at::Tensor padded(const at::Tensor& images, int64_t pad_to) {
  const int64_t rows = pad_to - images.size(2), columns = pad_to - images.size(3);
  if (rows <= 0 && columns <= 0) return images;
  return at::constant_pad_nd(images, {columns / 2, columns - columns / 2, rows / 2, rows - rows / 2}).contiguous();
}

}  // namespace

Equalization::Equalization(const at::Tensor& images) {
  const at::Tensor planes = as_planes(images);
  const int64_t size = planes.size(2) * planes.size(3);
  std::vector<PixelCounter> counters(planes.size(1));
  for_each_plane(planes, [&](const auto* plane, int64_t channel) { counters[channel].add(plane, size, channel); });
  for (PixelCounter& counter : counters) curves_.push_back(counter.curve());
}

at::Tensor Equalization::transform(const at::Tensor& images) const {
  check_channels(images, curves_.size());
  std::vector<std::array<double, 256>> of_byte(curves_.size());
  const bool bytes = images.scalar_type() == at::kByte;
  for (size_t c = 0; bytes && c < curves_.size(); ++c) {
    for (int v = 0; v < 256; ++v) of_byte[c][v] = on_line(curves_[c].values, curves_[c].levels, v);
  }
  return mapped(images, [&](double pixel, int64_t c) {
    if (bytes) return of_byte[c][static_cast<size_t>(pixel)];
    check_finite(pixel, c);
    return on_line(curves_[c].values, curves_[c].levels, pixel);
  });
}

at::Tensor Equalization::inverse(const at::Tensor& levels) const {
  check_channels(levels, curves_.size());
  std::vector<std::vector<double>> stored;  // levels as transform() rounds them
  for (const Curve& curve : curves_) {
    stored.emplace_back();
    for (const double level : curve.levels) stored.back().push_back(static_cast<float>(level));
  }
  return mapped(levels, [&](double level, int64_t c) { return on_line(stored[c], curves_[c].values, level); });
}

at::Tensor equalized_each(const at::Tensor& images) {
  const at::Tensor planes = as_planes(images), out = at::empty(planes.sizes(), at::kFloat);
  const int64_t size = planes.size(2) * planes.size(3);
  float* to = out.data_ptr<float>();
  for_each_plane(planes, [&](const auto* plane, int64_t channel) {
    PixelCounter counter;
    counter.add(plane, size, channel);
    const Curve curve = counter.curve();
    to = std::transform(plane, plane + size, to, [&](auto pixel) {
      return static_cast<float>(on_line(curve.values, curve.levels, static_cast<double>(pixel)));
    });
  });
  return out;
}

bool is_equalization(const std::string& scaling) {
  return scaling == "equalize" || scaling == "equalize-image";
}

Dataset equalized(Dataset dataset, const std::string& scaling, int64_t pad_to) {
  if (!is_equalization(scaling)) throw std::invalid_argument(fmt::format("\"{}\" is no equalization", scaling));
  if (dataset.equalized == scaling) return dataset;
  if (!dataset.equalized.empty()) {
    throw std::invalid_argument(fmt::format("the images are scaled by {} already", dataset.equalized));
  }
  for (Split* split : {&dataset.train, &dataset.test}) split->images = padded(split->images, pad_to);
  if (scaling == "equalize") {
    const Equalization fitted(dataset.train.images);
    for (Split* split : {&dataset.train, &dataset.test}) split->images = fitted.transform(split->images);
  } else {
    for (Split* split : {&dataset.train, &dataset.test}) split->images = equalized_each(split->images);
  }
  dataset.equalized = scaling;
  return dataset;
}

}  // namespace bnlab
