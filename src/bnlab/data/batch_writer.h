// Copies chosen examples, cropped, flipped, padded and scaled, into a float batch in one pass.
#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "bnlab/data/scale.h"

namespace bnlab {

/// How far an example is moved before it is cut to size, and whether it is then mirrored left to right.
/// Output pixel (r, c) is pixel (r + down, c + right) of the padded image; outside of it pixels are zero.
struct Placement {
  int64_t down = 0, right = 0;
  bool flip = false;

  bool operator==(const Placement&) const = default;
};

class BatchWriter {
 public:
  /// images: (N,C,H,W), uint8 or float32. pad_to: 0, or the height and width of the output; the image lies in its
  /// middle (one row and column nearer to the upper left if the margin is odd). Padding is zero in stored pixels, that
  /// is before scaling. Without a scale, pixels are passed on as they are stored. std::invalid_argument: other types,
  /// pad_to smaller than the images, a scale for another number of channels.
  BatchWriter(at::Tensor images, int64_t pad_to, const std::optional<ChannelScale>& scale, bool channels_last);

  /// The images of those indices, placed: (B,C,H,W) float32. indices and placements are of one length, indices in
  /// range.
  at::Tensor write(std::span<const int64_t> indices, std::span<const Placement> placements) const;

 private:
  void write_bytes(int64_t index, const Placement& placement, float* out) const;
  void write_floats(int64_t index, const Placement& placement, float* out) const;
  template <class Pixel, class ToFloat>
  void write_channel(const Pixel* in, const Placement& placement, float* out, ToFloat to_float) const;

  at::Tensor images_;
  int64_t channels_, height_, width_;  // of the stored images
  int64_t out_height_, out_width_;
  bool channels_last_;
  bool as_stored_;  // floats that are not moved need only be copied
  ChannelScale scale_;
  std::vector<float> table_;  // (C,256): what each byte becomes
};

}  // namespace bnlab
