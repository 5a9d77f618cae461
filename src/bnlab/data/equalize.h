// Histogram equalization: a value becomes the share of the fitted values that are not above it, so that equally many
// lie on every stretch of 0 … 1 (Gonzalez & Woods, Digital Image Processing, "Histogram Equalization", with the darkest
// value at 0). Not affine: what a histogram has in one narrow peak is spread out.
#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "bnlab/data/dataset.h"

namespace bnlab {

/// h(v) = (cdf(v) - cdf_min) / (1 - cdf_min) for each channel, where cdf(v) is the share of fitted values <= v and
/// cdf_min that of the smallest. On the fitted values h is strictly monotone, so it has an inverse there; between two
/// of them it is a straight line, outside of all it stays at 0 and 1. A constant channel becomes 0.
class Equalization {
 public:
  /// As many distinct values of a channel are kept, among them the smallest and the largest; if there are more (only of
  /// float32), those at equally spaced places of the sorted list of them, between which h is a straight line.
  static constexpr int64_t kMostValues = 4096;

  /// images: (N,C,H,W), or a table (N,C), uint8 or float32, not empty. DataError: NaN or infinity among the pixels.
  explicit Equalization(const at::Tensor& images);

  /// Images or a table like the fitted ones; float32, contiguous, of the same shape. std::invalid_argument: another
  /// number of channels; DataError: NaN or infinity.
  at::Tensor transform(const at::Tensor& images) const;
  /// The way back: exact, to rounding, for fitted values that are kept and whose levels float32 tells apart; float32.
  at::Tensor inverse(const at::Tensor& levels) const;

  /// Values and their levels h, both rising, of one channel.
  struct Curve {
    std::vector<double> values, levels;
  };
  const std::vector<Curve>& curves() const { return curves_; }

 private:
  std::vector<Curve> curves_;
};

/// Each image of (N,C,H,W) equalized for itself, each channel by its own pixels; float32. There is no way back. A
/// constant image becomes 0. Errors as above.
at::Tensor equalized_each(const at::Tensor& images);

/// The set with the images of both splits equalized, fitted on the training split. `scaling`: "equalize", or
/// "equalize-image": each image for itself. With `pad_to`, images are first padded as by the Loader, with zeros, which
/// count among the pixels. A later crop beyond an image's edge finds 0 there, which is what stored zeros become unless
/// there are pixels below 0. A set that is equalized so already: as it is. std::invalid_argument: another scaling, or a
/// set that is equalized otherwise.
Dataset equalized(Dataset dataset, const std::string& scaling, int64_t pad_to);

/// Whether `scaling` is one of those two.
bool is_equalization(const std::string& scaling);

}  // namespace bnlab
