// Our kernels on one batch in one layout, as a contender of the benchmark.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>
#include <string_view>

#include "bnlab/bench/batch_data.h"
#include "bnlab/bench/results.h"
#include "bnlab/bench/threads.h"
#include "bnlab/kernels/batch_norm.h"
#include "bnlab/record/hash.h"

namespace bnlab::bench {

inline void require_ok(kernels::Status status) {
  if (status != kernels::Status::kOk) throw std::runtime_error(fmt::format("bnlab: {}", kernels::message(status)));
}

template <class T>
std::string_view bytes_of(const Buffer<T>& values, std::size_t most = SIZE_MAX) {
  return {reinterpret_cast<const char*>(values.data()), std::min(values.bytes(), most)};
}

/// What contenders write their batches to, one after the other.
template <class E>
struct Outputs {
  explicit Outputs(std::size_t elements) : y(elements), dx(elements), daddend(elements) {}
  Buffer<E> y, dx, daddend;
};

/// Our kernels on a batch in one layout.
template <class E>
class OurKernels {
 public:
  OurKernels(const NamedShape& shape, const std::string& layout, kernels::Fusion fusion, const BatchData<E>& batch,
             Outputs<E>& out)
      : layout_(layout),
        shape_{shape.n, shape.c, shape.h * shape.w, kernels::Layout::kChannelsFirst},
        fusion_(fusion),
        batch_(batch),
        out_(out) {
    const auto c = static_cast<std::size_t>(shape.c);
    if (layout == kNhwc) {
      shape_.layout = kernels::Layout::kChannelsLast;
      own_x_ = reordered(batch.x);
      own_dy_ = reordered(batch.dy);
      own_addend_ = reordered(batch.addend);
    }
    if (fusion != kernels::Fusion::kNone) mask_ = Buffer<std::uint8_t>(kernels::relu_mask_bytes(shape_));
    for (Buffer<double>* values : {&mean_, &rstd_, &var_biased_, &running_rstd_}) *values = Buffer<double>(c);
    for (std::size_t i = 0; i < c; ++i) running_rstd_[i] = 1 / std::sqrt(batch.running_var[i] + kEps);
    dgamma_ = Buffer<kernels::Compute<E>>(c);
    dbeta_ = Buffer<kernels::Compute<E>>(c);
  }

  void forward_training() {
    require_ok(kernels::forward_training<E>({.shape = shape_,
                                             .x = x(),
                                             .gamma = batch_.gamma.data(),
                                             .beta = batch_.beta.data(),
                                             .eps = kEps,
                                             .fusion = fusion_,
                                             .addend = addend(),
                                             .y = out_.y.data(),
                                             .relu_mask = mask_.data(),
                                             .mean = mean_.data(),
                                             .rstd = rstd_.data(),
                                             .var_biased = var_biased_.data()},
                                            runner_));
  }
  void forward_evaluation() {
    require_ok(kernels::forward_evaluation<E>({.shape = shape_,
                                               .x = x(),
                                               .gamma = batch_.gamma.data(),
                                               .beta = batch_.beta.data(),
                                               .mean = batch_.running_mean.data(),
                                               .rstd = running_rstd_.data(),
                                               .fusion = fusion_,
                                               .addend = addend(),
                                               .y = out_.y.data()},
                                              runner_));
  }
  /// After a forward_training().
  void backward() {
    require_ok(
        kernels::backward_training<E>({.shape = shape_,
                                       .x = x(),
                                       .dy = dy(),
                                       .gamma = batch_.gamma.data(),
                                       .mean = mean_.data(),
                                       .rstd = rstd_.data(),
                                       .relu_mask = mask_.data(),
                                       .dx = out_.dx.data(),
                                       .dgamma = dgamma_.data(),
                                       .dbeta = dbeta_.data(),
                                       .daddend = fusion_ == kernels::Fusion::kAddRelu ? out_.daddend.data() : nullptr},
                                      runner_));
  }

  /// Of what training computed, its outputs being in `out`: all of each channel's values, some of the elements.
  [[nodiscard]] std::string digest() const {
    constexpr std::size_t kSomeBytes = 1 << 16;
    std::string all;
    for (const Buffer<double>* values : {&mean_, &rstd_, &var_biased_}) all += bytes_of(*values);
    for (const Buffer<kernels::Compute<E>>* values : {&dgamma_, &dbeta_}) all += bytes_of(*values);
    for (const Buffer<E>* values : {&out_.y, &out_.dx}) all += bytes_of(*values, kSomeBytes);
    return sha256_hex(all).substr(0, 16);
  }

  [[nodiscard]] Buffer<E> reordered(const Buffer<E>& nchw) const {
    Buffer<E> to(nchw.size());
    to_channels_last(nchw.data(), to.data(), shape_.n, shape_.c, shape_.s);
    return to;
  }
  [[nodiscard]] const std::string& layout() const { return layout_; }
  [[nodiscard]] const kernels::Shape& shape() const { return shape_; }
  [[nodiscard]] const E* x() const { return layout_ == kNhwc ? own_x_.data() : batch_.x.data(); }
  [[nodiscard]] const E* dy() const { return layout_ == kNhwc ? own_dy_.data() : batch_.dy.data(); }
  [[nodiscard]] const Buffer<kernels::Compute<E>>& dgamma() const { return dgamma_; }
  [[nodiscard]] const Buffer<kernels::Compute<E>>& dbeta() const { return dbeta_; }
  [[nodiscard]] const E* addend() const { return layout_ == kNhwc ? own_addend_.data() : batch_.addend.data(); }

 private:
  std::string layout_;
  kernels::Shape shape_;
  kernels::Fusion fusion_;
  const BatchData<E>& batch_;
  Outputs<E>& out_;
  Buffer<E> own_x_, own_dy_, own_addend_;  // for NHWC
  Buffer<std::uint8_t> mask_;
  Buffer<double> mean_, rstd_, var_biased_, running_rstd_;
  Buffer<kernels::Compute<E>> dgamma_, dbeta_;
  OpenMpTaskRunner runner_;
};

}  // namespace bnlab::bench
