#include "bnlab/runs/cost.h"

#include "bnlab/runs/network_facts.h"
#include "bnlab/runs/probe_cost.h"

namespace bnlab {
namespace {

// Measured on one core of two (AMD EPYC with AVX-512): VGG-A at a quarter of its width on 16×16 images takes 9.5 ms for
// a step of 64 and 18 ms for one of 128.
constexpr double kMacsPerSecond = 60e9;
constexpr double kSecondsPerStep = 1.5e-3;
// A worker goes on from one run to the next: short perceptrons take 0.04 to 0.2 s in all.
constexpr double kSecondsPerStart = 0.3;
// The other processes of a run of several are started anew (0.8 to 1.2 s), and in a step wait for each other: 6 ms in
// a perceptron with three synchronized layers.
constexpr double kSecondsPerRanksStart = 1.0;
constexpr double kSecondsPerSharedStep = 6e-3;

}  // namespace

double estimated_seconds(const RunSpec& spec, const DataFacts& data) {
  const auto* train = std::get_if<TrainSpec>(&spec);
  if (!train) return kSecondsPerStart;
  const double macs = step_macs(*train, network_facts(*train, data));
  const bool shared = train->ranks > 1;
  const double step = macs / kMacsPerSecond / static_cast<double>(train->threads) + kSecondsPerStep +
                      (shared ? kSecondsPerSharedStep : 0);
  return kSecondsPerStart + (shared ? kSecondsPerRanksStart : 0) +
         (static_cast<double>(train->steps) + probe_cost(*train, data)) * step;
}

}  // namespace bnlab
