// Affine scaling per channel: fitted on the training images, applied by the Loader to training and test alike. Where it
// is not affine: equalize.h.
#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace bnlab {

/// x = (pixel - offset[c]) / unit[c], in the units of the stored images (0 to 255 for uint8).
struct ChannelScale {
  std::vector<double> offset;
  std::vector<double> unit;  ///< 1 where the channel is constant, so that it becomes 0

  /// To mean 0 and deviation 1: the mean and the biased deviation (over N*H*W) of `images`, which are (N,C,H,W), or a
  /// table (N,C), uint8 or float32, not empty. With `pad_to`, of the images after the Loader's padding to that size, so
  /// that what the network gets has mean 0 and deviation 1; without, of the stored pixels, as usually published. uint8
  /// moments are sums of integers, so exact before the last rounding. DataError: NaN or infinity among the pixels.
  static ChannelScale z_score(const at::Tensor& images, int64_t pad_to = 0);
  /// To 0 … 1: the smallest pixel, and the largest minus the smallest. All else as above.
  static ChannelScale min_max(const at::Tensor& images, int64_t pad_to = 0);

  /// What becomes of images or a table like the fitted ones; float32, contiguous, of the same shape. Values outside of
  /// what was fitted go on along the line. std::invalid_argument: another number of channels.
  at::Tensor transform(const at::Tensor& images) const;
  /// The way back, to rounding; float32.
  at::Tensor inverse(const at::Tensor& scaled) const;
};

}  // namespace bnlab
