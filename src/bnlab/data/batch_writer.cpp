#include "bnlab/data/batch_writer.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

namespace bnlab {
namespace {

float scaled(double pixel, const ChannelScale& scale, int64_t channel) {
  return static_cast<float>((pixel - scale.offset[channel]) / scale.unit[channel]);
}

}  // namespace

BatchWriter::BatchWriter(at::Tensor images, int64_t pad_to, const std::optional<ChannelScale>& scale,
                         bool channels_last)
    : images_(std::move(images)), channels_last_(channels_last) {
  if (images_.dim() != 4 || (images_.scalar_type() != at::kByte && images_.scalar_type() != at::kFloat)) {
    throw std::invalid_argument("a batch needs images (N,C,H,W), uint8 or float32");
  }
  images_ = images_.contiguous();
  channels_ = images_.size(1);
  height_ = images_.size(2);
  width_ = images_.size(3);
  if (pad_to != 0 && pad_to < std::max(height_, width_)) {
    throw std::invalid_argument(fmt::format("pad_to is {}, but the images are {} x {}; choose 0 or at least {}", pad_to,
                                            height_, width_, std::max(height_, width_)));
  }
  out_height_ = pad_to != 0 ? pad_to : height_;
  out_width_ = pad_to != 0 ? pad_to : width_;
  const auto channels = static_cast<size_t>(channels_);
  const bool one_order = !channels_last_ || channels_ == 1 || height_ * width_ == 1;
  as_stored_ = !scale && one_order && out_height_ == height_ && out_width_ == width_;
  scale_ = scale.value_or(ChannelScale{std::vector<double>(channels, 0.0), std::vector<double>(channels, 1.0)});
  if (scale_.offset.size() != channels || scale_.unit.size() != channels) {
    throw std::invalid_argument(fmt::format("the scale has {} channels, the images have {}; fit it on this data set",
                                            scale_.offset.size(), channels_));
  }
  for (int64_t c = 0; images_.scalar_type() == at::kByte && c < channels_; ++c) {
    for (int value = 0; value < 256; ++value) {
      table_.push_back(scaled(value, scale_, c));
    }
  }
}

template <class Pixel, class ToFloat>
void BatchWriter::write_channel(const Pixel* in, const Placement& placement, float* out, ToFloat to_float) const {
  const int64_t step = channels_last_ ? channels_ : 1;
  const int64_t down = placement.down - (out_height_ - height_) / 2;
  const int64_t right = placement.right - (out_width_ - width_) / 2;
  // Columns [first, last) of the unflipped output lie inside the stored image.
  const int64_t first = std::clamp<int64_t>(-right, 0, out_width_);
  const int64_t last = std::clamp<int64_t>(width_ - right, first, out_width_);
  const int64_t start = placement.flip ? (out_width_ - 1) * step : 0;
  const int64_t stride = placement.flip ? -step : step;
  const float outside = to_float(Pixel{0});
  for (int64_t r = 0; r < out_height_; ++r) {
    float* row = out + r * out_width_ * step + start;
    const bool inside = r + down >= 0 && r + down < height_;
    const int64_t begin = inside ? first : out_width_, end = inside ? last : out_width_;
    const Pixel* source = in + (inside ? (r + down) * width_ + right : 0);
    for (int64_t c = 0; c < begin; ++c) {
      row[c * stride] = outside;
    }
    for (int64_t c = begin; c < end; ++c) {
      row[c * stride] = to_float(source[c]);
    }
    for (int64_t c = end; c < out_width_; ++c) {
      row[c * stride] = outside;
    }
  }
}

void BatchWriter::write_bytes(int64_t index, const Placement& placement, float* out) const {
  const auto* in = images_.data_ptr<uint8_t>() + index * channels_ * height_ * width_;
  for (int64_t c = 0; c < channels_; ++c) {
    const float* table = table_.data() + 256 * c;
    write_channel(in + c * height_ * width_, placement, out + (channels_last_ ? c : c * out_height_ * out_width_),
                  [table](uint8_t pixel) { return table[pixel]; });
  }
}

void BatchWriter::write_floats(int64_t index, const Placement& placement, float* out) const {
  const int64_t size = channels_ * height_ * width_;
  const auto* in = images_.data_ptr<float>() + index * size;
  if (as_stored_ && placement == Placement{}) {
    std::copy_n(in, size, out);
    return;
  }
  for (int64_t c = 0; c < channels_; ++c) {
    write_channel(in + c * height_ * width_, placement, out + (channels_last_ ? c : c * out_height_ * out_width_),
                  [this, c](float pixel) { return scaled(pixel, scale_, c); });
  }
}

at::Tensor BatchWriter::write(std::span<const int64_t> indices, std::span<const Placement> placements) const {
  const auto count = static_cast<int64_t>(indices.size());
  auto batch = at::empty({count, channels_, out_height_, out_width_}, at::kFloat,
                         channels_last_ ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous);
  const bool bytes = images_.scalar_type() == at::kByte;
  for (int64_t b = 0; b < count; ++b) {
    float* out = batch.data_ptr<float>() + b * channels_ * out_height_ * out_width_;
    bytes ? write_bytes(indices[b], placements[b], out) : write_floats(indices[b], placements[b], out);
  }
  return batch;
}

}  // namespace bnlab
