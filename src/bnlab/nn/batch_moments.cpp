#include "bnlab/nn/batch_moments.h"

#include <ATen/ATen.h>

namespace bnlab {

void BatchMoments::add(const at::Tensor& mean, const at::Tensor& var_biased, std::int64_t count) {
  const auto more = static_cast<double>(count), before = static_cast<double>(count_);
  if (count_ == 0) {
    mean_ = mean.clone();
    squares_ = var_biased * more;
  } else {
    const at::Tensor difference = mean - mean_;
    mean_ = mean_ + difference * (more / (before + more));
    squares_ = squares_ + var_biased * more + difference.square() * (before * more / (before + more));
  }
  count_ += count;
}

at::Tensor BatchMoments::var_biased() const {
  return squares_ / static_cast<double>(count_);
}

at::Tensor BatchMoments::var_unbiased() const {
  return squares_ / static_cast<double>(count_ - 1);
}

}  // namespace bnlab
