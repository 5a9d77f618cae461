// A run with probes, as bnlab's own commands make one, for the tests of probes and schedules.
#pragma once

#include <filesystem>
#include <memory>
#include <vector>

#include "bnlab/probes/probe_list.h"
#include "bnlab/train/trainer.h"

namespace bnlab::testing {

/// The probes of `specs`, their parameters completed, for a sequential network of `layers`.
inline std::vector<std::unique_ptr<StepObserver>> make_probes(std::vector<ProbeSpec> specs, int64_t layers,
                                                              int64_t seed) {
  const ProbeSetting setting{layers, true, static_cast<uint64_t>(seed)};
  std::vector<std::unique_ptr<StepObserver>> observers;
  for (ProbeSpec& spec : specs) {
    const ProbeKind* kind = find_probe_kind(spec.name);
    spec.parameters = kind->complete(spec.parameters, "parameters", setting);
    observers.push_back(kind->make(spec, setting));
  }
  return observers;
}

/// Trains `spec` on `data` in `folder`, shown to `probes`; returns the folder.
inline std::filesystem::path probed_run(const std::filesystem::path& folder, const Dataset& data, const TrainSpec& spec,
                                        int64_t layers, const std::vector<ProbeSpec>& probes,
                                        const ExecutionOptions& options = {}) {
  create_run(folder, spec);
  RunWriter writer(folder, "test");
  train(writer, TrainingData(data, spec), make_probes(probes, layers, spec.seed), options);
  return folder;
}

}  // namespace bnlab::testing
