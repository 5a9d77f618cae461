#include "bnlab/bench/measure.h"

#include <algorithm>
#include <chrono>
#include <cmath>

namespace bnlab::bench {
namespace {

constexpr double kMostCalls = 1e6;

double seconds_of(const std::function<void()>& run, std::int64_t calls) {
  const auto start = std::chrono::steady_clock::now();
  for (std::int64_t i = 0; i < calls; ++i) run();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

std::int64_t calls_in_a_sample(const Contender& contender, double sample_seconds) {
  contender.run();
  const double once = seconds_of(contender.run, 1);
  if (once >= sample_seconds) return 1;
  // The first calls are slow ones; a second look with some more keeps the sample from being much too short.
  const auto calls_for = [&](double each) {
    return static_cast<std::int64_t>(std::clamp(std::ceil(sample_seconds / std::max(each, 1e-9)), 1.0, kMostCalls));
  };
  const std::int64_t probe = std::max<std::int64_t>(1, calls_for(once) / 4);
  return calls_for(seconds_of(contender.run, probe) / static_cast<double>(probe));
}

}  // namespace

std::vector<Samples> measure(std::span<const Contender> contenders, const MeasureOptions& options) {
  std::vector<Samples> samples(contenders.size());
  for (std::size_t i = 0; i < contenders.size(); ++i) {
    samples[i].calls = calls_in_a_sample(contenders[i], options.sample_seconds);
  }
  for (int round = 0; round < options.rounds; ++round) {
    for (std::size_t k = 0; k < contenders.size(); ++k) {
      const std::size_t i = round % 2 == 0 ? k : contenders.size() - 1 - k;
      contenders[i].run();
      samples[i].seconds.push_back(seconds_of(contenders[i].run, samples[i].calls) /
                                   static_cast<double>(samples[i].calls));
    }
  }
  return samples;
}

}  // namespace bnlab::bench
