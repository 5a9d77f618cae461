// The worlds of experiments/bjorck/noise.cpp.
#pragma once

#include "tests/experiments/directions.h"

namespace bnlab::testing {

/// What the probe says of one form: E‖error‖²/(α²C/|B|) at batches of 2, 8 and 16 of 32 images, and the biases there.
struct NoiseForm {
  double with, exponent, without, bias;
};

/// The noise with replacement is `with` at |B| = 8 and falls as |B|^exponent, which leaves the ratio to α²C/|B|.
inline void add_noise(MadeUp& it, const std::string& form, const NoiseForm& noise, double own_bias) {
  for (const int size : {2, 8, 16}) {
    const std::string b = "_" + std::to_string(size), start = "sgd-noise/" + form;
    it.values[start + "_with_ratio" + b] = noise.with * std::pow(size / 8.0, noise.exponent + 1);
    it.values[start + "_without_ratio" + b] = noise.without * (32.0 - size) / 31;
    it.values[start + "_bias2" + b] = size == 8 ? own_bias : noise.bias;
    it.values[start + "_bias2_found" + b] = 1e-4;
  }
  it.values["sgd-noise/planted"] = 0.2;
  it.values["sgd-noise/fixed_apart"] = 1e-6;
}

/// The mean of the ratios over the three sizes.
inline double mean_ratio(const NoiseForm& noise) {
  double sum = 0;
  for (const double size : {2, 8, 16}) sum += noise.with * std::pow(size / 8, noise.exponent + 1) / 3;
  return sum;
}

inline Truth noise_truth(const NoiseForm& plain, const NoiseForm& fixed, const NoiseForm& trained, double own_bias,
                         double planted) {
  MadeUp none, bn;
  add_noise(none, "fixed", plain, plain.bias);
  add_noise(bn, "fixed", fixed, fixed.bias);
  add_noise(bn, "batch", trained, own_bias);
  none.values["sgd-noise/planted_bias2_16"] = 0.2 * planted;
  bn.values["sgd-noise/planted_bias2_16"] = 77;
  return {{{"no BN", none}, {"BN", bn}},
          {{"unbiased", plain.bias},
           {"noise-is-the-bound", mean_ratio(plain)},
           {"bn-unbiased", own_bias},
           {"bn-keeps-the-bound", trained.with},
           {"without-replacement", plain.without},
           {"as-the-batch", plain.exponent},
           {"bn-fixed-unbiased", fixed.bias},
           {"bn-fixed-is-the-bound", mean_ratio(fixed)},
           {"bn-fixed-without-replacement", fixed.without},
           {"bn-as-the-batch", trained.exponent},
           {"bn-small-batch-unbiased", trained.bias},
           {"bn-small-batch-keeps-the-bound", trained.with * std::pow(0.25, trained.exponent + 1)},
           {"planted-bias-found", planted}}};
}

inline Case bjorck_noise_case() {
  return {"bjorck-noise",
          {noise_truth({1.01, -1.01, 0.99, 0.001}, {0.98, -0.99, 1.02, -0.002}, {0.8, -1.02, 1.1, 0.003}, 0.004, 1.05),
           noise_truth({1.3, -0.8, 1.2, 0.05}, {1.4, -1.2, 0.7, 0.06}, {1.8, -0.7, 0.6, 0.07}, 0.08, 0.5)},
          stuck({"no BN", "BN"})};
}

}  // namespace bnlab::testing
