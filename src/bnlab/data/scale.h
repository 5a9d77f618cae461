// Per-channel z-score: fitted on the training images, applied by the Loader to training and test alike.
#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace bnlab {

/// x = (pixel - mean[c]) / stddev[c], in the units of the stored images (0 to 255 for uint8).
struct ChannelScale {
  std::vector<double> mean;
  std::vector<double> stddev;  ///< biased (over N*H*W); 1 where the channel is constant

  /// The moments of `images`, (N,C,H,W) uint8 or float32, N*H*W > 0. With `pad_to`, of the images after the Loader's
  /// padding to that size, so that what the network gets has mean 0 and deviation 1; without, of the stored pixels, as
  /// usually published. uint8 moments are sums of integers, so exact before the last rounding. DataError: NaN or
  /// infinity among the pixels.
  static ChannelScale fit(const at::Tensor& images, int64_t pad_to = 0);
};

}  // namespace bnlab
