// Normalizes a batch of 32 samples, 8 channels and 32x32 positions with the kernels of bnlab and threads of one's own:
// training forward with fused ReLU, then backward.
#include <bnlab/kernels/batch_norm.h>
#include <bnlab/kernels/instruction_set.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

namespace bn = bnlab::kernels;

// The simplest one that uses all cores: threads that live for one call. A program with a thread pool gives it the same
// ranges.
class ThreadRunner final : public bn::TaskRunner {
 public:
  void run(std::int64_t n, bn::TaskRef task) noexcept override {
    const std::int64_t cores = std::max<std::int64_t>(std::thread::hardware_concurrency(), 1);
    const std::int64_t threads = std::min(n, cores);
    std::vector<std::jthread> joined_at_the_end;
    for (std::int64_t i = 0; i < threads; ++i) {
      joined_at_the_end.emplace_back(task, n * i / threads, n * (i + 1) / threads);
    }
  }
};

void check(bn::Status status) {
  if (status == bn::Status::kOk) return;
  std::fprintf(stderr, "batch normalization: %s\n", bn::message(status));
  std::exit(EXIT_FAILURE);
}

int main() {
  const bn::Shape shape{.n = 32, .c = 8, .s = 32 * 32, .layout = bn::Layout::kChannelsFirst};
  const auto elements = static_cast<std::size_t>(shape.elements()), channels = static_cast<std::size_t>(shape.c);

  // Channel c holds 10*c + (c + 1) and 10*c - (c + 1) by turns: mean 10*c, variance (c + 1)^2.
  std::vector<float> x(elements), y(elements), dy(elements, 1.0f), dx(elements);
  for (std::size_t i = 0; i < elements; ++i) {
    const auto c = static_cast<float>(i / static_cast<std::size_t>(shape.s) % channels);
    x[i] = 10 * c + (i % 2 == 0 ? c + 1 : -(c + 1));
  }
  std::vector<float> gamma(channels, 2.0f), beta(channels, 1.0f), dgamma(channels), dbeta(channels);
  std::vector<double> mean(channels), rstd(channels), var_biased(channels);
  std::vector<std::uint8_t> relu_mask(bn::relu_mask_bytes(shape));
  ThreadRunner runner;

  const bn::ForwardTraining<float> forward{.shape = shape,
                                           .x = x.data(),
                                           .gamma = gamma.data(),
                                           .beta = beta.data(),
                                           .eps = 1e-5,
                                           .fusion = bn::Fusion::kRelu,
                                           .y = y.data(),
                                           .relu_mask = relu_mask.data(),
                                           .mean = mean.data(),
                                           .rstd = rstd.data(),
                                           .var_biased = var_biased.data()};
  check(bn::forward_training(forward, runner));

  const bn::Backward<float> backward{.shape = shape,
                                     .x = x.data(),
                                     .dy = dy.data(),
                                     .gamma = gamma.data(),
                                     .mean = mean.data(),
                                     .rstd = rstd.data(),
                                     .relu_mask = relu_mask.data(),
                                     .dx = dx.data(),
                                     .dgamma = dgamma.data(),
                                     .dbeta = dbeta.data()};
  check(bn::backward_training(backward, runner));

  std::printf("instruction set: %s\n", bn::instruction_set());
  std::printf("channel  mean  var_biased  largest y  dgamma  dbeta\n");
  for (std::size_t c = 0; c < channels; ++c) {
    const float* first = y.data() + c * static_cast<std::size_t>(shape.s);  // of the first sample
    const float largest = *std::max_element(first, first + shape.s);
    std::printf("%7zu  %4.1f  %10.1f  %9.4f  %6.0f  %5.0f\n", c, mean[c], var_biased[c], largest, dgamma[c], dbeta[c]);
  }
}
