// The probes. A new one is its own file, one line in probe_list.cpp, and a test.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "bnlab/nn/model_list.h"
#include "bnlab/nn/network_facts.h"
#include "bnlab/record/run_spec.h"
#include "bnlab/train/step_observer.h"

namespace bnlab {

/// What a probe's parameters are checked against and what it is made with. The network itself, the data and the spec
/// are in what it is shown (StepView).
struct ProbeSetting {
  const TrainSpec& spec;  ///< complete but for its probes
  NetworkFacts network;
  TaskShape task;  ///< what goes into the network (padded) and comes out
  int64_t train_count = 0;
  int64_t test_count = 0;

  uint64_t seed() const { return static_cast<uint64_t>(spec.seed); }
};

struct ProbeKind {
  std::string name;     ///< as in a run spec
  std::string meaning;  ///< what it records, in one sentence
  /// Checks `parameters`, an object, and fills in defaults; `where` is its path in the spec. Throws SpecError.
  std::function<Json(const Json& parameters, const std::string& where, const ProbeSetting& setting)> complete;
  std::function<std::unique_ptr<StepObserver>(const ProbeSpec& spec, const ProbeSetting& setting)> make;
  /// Estimated cost of a look, in training steps of the run; `parameters` are complete. (forward_cost helps.)
  std::function<double(const Json& parameters, const ProbeSetting& setting)> cost;
  /// The parameter that tells two such probes' records apart; empty: a run has at most one.
  std::string told_apart_by = {};
  /// Whether it makes sense to look less often; not if it is about successive steps (see StepObserver::may_skip).
  bool thinnable = true;
  /// Whether its definition takes the step to be weights - rate*gradient, as only plain gradient descent makes it.
  bool plain_steps_only = false;
  /// Whether it looks at the step's own batch, which a rank of several has a part of, or at the network alone.
  bool of_the_batch = true;
};

/// A forward pass of `images`, in training steps: a step is a forward pass of the batch and a backward pass twice as
/// long.
double forward_cost(int64_t images, const ProbeSetting& setting);

/// A forward and a backward pass of `images`, in training steps, where passes are so small that what their calls cost
/// counts.
double pass_cost(int64_t images, const ProbeSetting& setting);

/// The share of a network of `layers` layers that stands from layer `number` on, layers taken as equally dear.
inline double share_from(int64_t number, int64_t layers) {
  return 1 - static_cast<double>(number - 1) / static_cast<double>(layers);
}

/// Throws SpecError at `where` if the network is not one of layers in a row, which the probe `name` needs.
void check_sequential(const std::string& name, const std::string& where, const ProbeSetting& setting);

const std::vector<ProbeKind>& probe_kinds();

/// What is worth seeing of any network, at 32 to 63 steps and after the last one: the distributions of all layers'
/// values, and how far a step moves their moments. For a run of `steps` of a network of `layers`. Costs less than 3 %
/// of 400 steps of VGG-A in batches of 128, and less of longer runs.
/// `plain_steps` as of makes_plain_steps: without those, only what makes sense with any optimizer.
std::vector<ProbeSpec> default_probes(int64_t steps, int64_t layers, bool plain_steps);

/// Null if there is no such probe.
const ProbeKind* find_probe_kind(const std::string& name);

}  // namespace bnlab
