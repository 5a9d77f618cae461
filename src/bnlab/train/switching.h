// Two optimizers one behind the other: the second takes over the parameters where the first has left them, with a state
// of its own that begins then. Source: Im, Tao & Branson 2016 (1612.04010), who switch to see where a run then ends.
#pragma once

#include <torch/optim/optimizer.h>

#include <cstdint>
#include <memory>
#include <vector>

namespace bnlab {

/// `first` makes `at` steps, `second` all others; both are of these parameters. The rate that is set is that of
/// `first`; `second` steps at `factor` times it.
std::unique_ptr<torch::optim::Optimizer> make_switching(std::vector<at::Tensor> parameters, double lr,
                                                        std::unique_ptr<torch::optim::Optimizer> first,
                                                        std::unique_ptr<torch::optim::Optimizer> second, int64_t at,
                                                        double factor);

}  // namespace bnlab
