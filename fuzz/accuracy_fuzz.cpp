// Hunts for inaccuracy: float batches whose y in training is farther from the ideal than docs/batch-norm.md states.
// Every larger error is new coverage, so that the fuzzer keeps what came closest and goes on from there.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "bnlab/kernels/instruction_set.h"
#include "fuzz/fuzz_input.h"

namespace bnlab::kernels::fuzz {
namespace {

constexpr double kMost = 64;  // times epsilon, of any batch within the stated |mean|/std

__attribute__((used, section("__libfuzzer_extra_counters"))) volatile std::uint8_t reached[256];

/// The largest error so far, told at the end.
struct Record {
  double error = 0;
  ~Record() { std::fprintf(stderr, "The largest error was %.2f epsilon.\n", error); }
} record;

/// Values of one channel: a level and a spread, with some runs of the batch elsewhere, as the bytes say.
std::vector<float> channel_of(Bytes& bytes, std::int64_t count) {
  std::mt19937 random(bytes.byte() * 256U + bytes.byte());
  std::normal_distribution<double> normal;
  const double level = bytes.one_of({0.0, 1.0, 100.0, 3e3, 1e4}) * (bytes.flag() ? 1 : -1);
  const double noise = bytes.one_of({1.0, 1.0, 0.01, 0.0});
  std::vector<float> values(static_cast<std::size_t>(count));
  for (float& value : values) value = static_cast<float>(level + noise * normal(random));
  const int runs = bytes.byte() % 6;
  for (int i = 0; i < runs; ++i) {
    const std::int64_t any = bytes.byte() * 256 + bytes.byte();
    const std::int64_t first = bytes.flag() ? 0 : any % count;
    const std::int64_t step = bytes.flag() ? std::int64_t{1} << bytes.byte() % 13 : 1 + bytes.byte();
    const std::int64_t length = bytes.flag() ? 1 + bytes.byte() % 4 : 1 + any % count;
    const double by = std::ldexp(bytes.byte() - 127.5, bytes.byte() % 48 - 16);
    for (std::int64_t at = first, n = 0; at < count && n < length; at += step, ++n) {
      float& value = values[static_cast<std::size_t>(at)];
      value = static_cast<float>(value + by);
    }
  }
  return values;
}

struct Ideal {
  long double mean = 0, std = 0;
};

Ideal ideal_of(const std::vector<float>& values) {
  Ideal ideal;
  for (const float value : values) ideal.mean += value;
  ideal.mean /= static_cast<long double>(values.size());
  for (const float value : values) ideal.std += (value - ideal.mean) * (value - ideal.mean);
  ideal.std = std::sqrt(ideal.std / static_cast<long double>(values.size()));
  return ideal;
}

/// The largest error, in units of the bound's epsilon*max(...); 0 where the bound says nothing.
double error_of(const Shape& shape, std::int64_t channels, const std::vector<std::vector<float>>& channel, float gamma,
                float beta) {
  const oracle::Batch places = BatchCase<float>(shape, Fusion::kNone, 0, 0).places();
  Values<float> x(shape.elements()), y(shape.elements()), gammas(channels), betas(channels);
  Values<double> mean(channels), rstd(channels), var(channels);
  for (std::int64_t c = 0; c < channels; ++c) {
    std::size_t i = 0;
    oracle::for_channel(places, c, [&](std::size_t at) { x[at] = channel[static_cast<std::size_t>(c)][i++]; });
    gammas[static_cast<std::size_t>(c)] = gamma;
    betas[static_cast<std::size_t>(c)] = beta;
  }
  ForwardTraining<float> args{
      .shape = shape, .x = x.data(), .gamma = gammas.data(), .beta = betas.data(), .y = y.data()};
  args.eps = 0;
  args.mean = mean.data();
  args.rstd = rstd.data();
  args.var_biased = var.data();
  SerialTaskRunner serial;
  if (forward_training(args, serial) != Status::kOk) return 0;
  double worst = 0;
  for (std::int64_t c = 0; c < channels; ++c) {
    const Ideal ideal = ideal_of(channel[static_cast<std::size_t>(c)]);
    if (!(ideal.std > 1e-6L) || std::abs(ideal.mean) > 1e4L * ideal.std) continue;
    oracle::for_channel(places, c, [&](std::size_t at) {
      const long double xhat = (x[at] - ideal.mean) / ideal.std, z = gamma * xhat + beta;
      const long double unit = std::max({1.0L, std::abs(gamma * xhat), std::abs(static_cast<long double>(gamma)),
                                         std::abs(static_cast<long double>(beta))});
      const auto error = static_cast<double>(std::abs(y[at] - z) / (unit * 0x1p-23L));
      worst = std::max(worst, std::isnan(error) ? HUGE_VAL : error);
    });
  }
  return worst;
}

void run(Bytes& bytes) {
  Shape shape = shape_of(bytes);
  shape.c = std::min<std::int64_t>(shape.c, 3);
  if (shape.count() < 2) shape.n = 2;
  std::vector<std::vector<float>> channels;
  const auto gamma = static_cast<float>(bytes.one_of({1.0, 4.0, 0.25, -1.0}));
  const auto beta = static_cast<float>(bytes.one_of({0.0, 0.5, -3.0}));
  for (std::int64_t c = 0; c < shape.c; ++c) channels.push_back(channel_of(bytes, shape.count()));
  for (const char* name : instruction_sets()) {
    if (use_instruction_set(name) != Status::kOk) std::abort();
    const double error = error_of(shape, shape.c, channels, gamma, beta);
    record.error = std::max(record.error, error);
    reached[std::min<std::size_t>(255, static_cast<std::size_t>(4 * std::min(error, 64.0)))] = 1;
    if (error <= kMost) continue;
    std::fprintf(stderr, "%s, (%ld,%ld,%ld) channels %s: y is %.1f epsilon from the ideal, more than %.0f\n", name,
                 static_cast<long>(shape.n), static_cast<long>(shape.c), static_cast<long>(shape.s),
                 shape.layout == Layout::kChannelsLast ? "last" : "first", error, kMost);
    std::abort();
  }
}

}  // namespace
}  // namespace bnlab::kernels::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  bnlab::kernels::fuzz::Bytes bytes(data, size);
  bnlab::kernels::fuzz::run(bytes);
  return 0;
}
