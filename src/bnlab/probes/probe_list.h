// The probes. A new one is its own file, one line in probe_list.cpp, and a test.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "bnlab/nn/model_list.h"
#include "bnlab/record/run_spec.h"
#include "bnlab/train/step_observer.h"

namespace bnlab {

/// What a probe's parameters are checked against.
struct ProbeSetting {
  int64_t layers = 0;      ///< of the network
  bool sequential = true;  ///< whether it is a SequentialNetwork
  uint64_t seed = 0;       ///< of the run
};

struct ProbeKind {
  std::string name;     ///< as in a run spec
  std::string meaning;  ///< what it records, in one sentence
  /// Checks `parameters`, an object, and fills in defaults; `where` is its path in the spec. Throws SpecError.
  std::function<Json(const Json& parameters, const std::string& where, const ProbeSetting& setting)> complete;
  std::function<std::unique_ptr<StepObserver>(const ProbeSpec& spec, const ProbeSetting& setting)> make;
  /// The parameter that tells two such probes' records apart; empty: a run has at most one.
  std::string told_apart_by = {};
  /// Whether its definition takes the step to be weights - rate*gradient, as only plain gradient descent makes it.
  bool plain_steps_only = false;
};

const std::vector<ProbeKind>& probe_kinds();

/// What is worth seeing of any network, at 32 to 63 steps and after the last one: the distributions of all layers'
/// values, and how far a step moves their moments. For a run of `steps` of a network of `layers`. Costs less than 3 %
/// of 400 steps of VGG-A in batches of 128, and less of longer runs.
/// `plain_steps` as of makes_plain_steps: without those, only what makes sense with any optimizer.
std::vector<ProbeSpec> default_probes(int64_t steps, int64_t layers, bool plain_steps);

/// Null if there is no such probe.
const ProbeKind* find_probe_kind(const std::string& name);

}  // namespace bnlab
