// Noise on a layer's values, with and without batch normalization before it.
//
// Source: Santurkar et al. 2018, section 2.2 and Algorithm 1 ("noisy" BatchNorm): the noise has a mean and a scale that
// are drawn anew in every step, so that it shifts the distributions that the next layer sees.
#pragma once

#include "bnlab/nn/norm_list.h"

namespace bnlab {

/// In training, for each channel j of this call: mu_j ~ U(-mean, mean), sigma_j ~ U(1, scale); then for each value of
/// that channel m ~ U(mu_j - mean_spread, mu_j + mean_spread), s ~ N(sigma_j, standard deviation scale_spread), and
/// y = s*x + m. Height and width count as batch. In evaluation y = x. A call takes mu, sigma and a key from libtorch's
/// default generator; m and s follow from the key and a value's place (kernels/noise.h), so that they are the same for
/// any number of threads and memory format, and the backward pass draws them again instead of keeping them.
struct NoiseOptions {
  double mean = 0.5;
  double scale = 1.25;
  double mean_spread = 0.1;
  double scale_spread = 0.1;
};

/// x: (N,C) or (N,C,*) of rank 2 to 5; float is fastest. Returns a tensor of the same shape and memory format,
/// differentiable any number of times.
at::Tensor add_noise(const at::Tensor& x, const NoiseOptions& options);

NormKind noise_kind();             ///< "noise": the noise alone
NormKind noisy_batch_norm_kind();  ///< "noisy-batch": batch normalization, then the noise

}  // namespace bnlab
