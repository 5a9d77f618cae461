#include "bnlab/train/trajectory_keeper.h"

#include <ATen/core/grad_mode.h>

#include <cmath>

#include "bnlab/data/random.h"

namespace bnlab {

std::vector<float> concatenated(const std::vector<at::Tensor>& parameters) {
  at::NoGradGuard no_grad;
  std::vector<float> all;
  for (const auto& parameter : parameters) {
    const at::Tensor flat = parameter.contiguous();
    all.insert(all.end(), flat.data_ptr<float>(), flat.data_ptr<float>() + flat.numel());
  }
  return all;
}

std::vector<float> random_projection(const std::vector<at::Tensor>& parameters, int64_t dims, uint64_t seed) {
  const std::vector<float> all = concatenated(parameters);
  std::vector<double> sums(static_cast<size_t>(dims), 0.0);
  for (size_t i = 0; i < all.size(); ++i) {
    for (int64_t first = 0; first < dims; first += 64) {
      uint64_t signs = mix(seed, "projection", i, first);
      const int64_t end = std::min(dims, first + 64);
      for (int64_t d = first; d < end; ++d, signs >>= 1) sums[d] += signs & 1 ? all[i] : -all[i];
    }
  }
  const double scale = 1 / std::sqrt(static_cast<double>(dims));
  std::vector<float> projected;
  for (const double sum : sums) projected.push_back(static_cast<float>(sum * scale));
  return projected;
}

void keep_trajectory(TrainingRecord& record, const TrajectorySpec& spec, int64_t step,
                     const std::vector<at::Tensor>& parameters, uint64_t seed) {
  if (!record.is_kept() || spec.keep == "none" || step % spec.every != 0) return;
  record.trajectory_frame(
      step, spec.keep == "weights" ? concatenated(parameters) : random_projection(parameters, spec.dims, seed));
}

}  // namespace bnlab
