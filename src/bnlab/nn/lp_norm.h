// Normalization by the p-norm of a channel instead of its standard deviation.
//
// Source: Santurkar et al. 2018, section 3.3 and appendix A: layers that fix the first moment and the average of the
// absolute values, of their squares, or their maximum, and so leave the distribution as unlike a Gaussian as before.
#pragma once

#include <limits>

#include "bnlab/nn/norm_list.h"

namespace bnlab {

struct LpNormOptions {
  std::int64_t channels = 0;
  double p = 2;           ///< 1, 2 or infinity
  double eps = 1e-5;      ///< added to the norm; in units of x
  double momentum = 0.1;  ///< weight of a new batch in the running statistics
};

/// y = gamma * (x - mean) / (norm + eps) + beta for each channel, norm = (mean of |x|^p)^(1/p) over batch and
/// positions, for p = infinity max |x|: of the x that is not shifted. Training goes by the batch, evaluation by
/// exponential running averages of mean and norm. Parameters "weight" and "bias" (C), buffers "running_mean" and
/// "running_norm" (C).
class LpNorm final : public Norm {
 public:
  /// Throws c10::Error for other p, channels < 1, eps < 0 or a momentum outside 0 to 1.
  explicit LpNorm(const LpNormOptions& options);

  /// x: (N,C) or (N,C,*).
  at::Tensor forward(const at::Tensor& x) override;

 private:
  LpNormOptions options_;
  at::Tensor gamma_, beta_, running_mean_, running_norm_;
};

NormKind l1_norm_kind();    ///< "l1"
NormKind l2_norm_kind();    ///< "l2"
NormKind linf_norm_kind();  ///< "linf"

}  // namespace bnlab
