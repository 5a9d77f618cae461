// A run with probes, as bnlab's own commands make one, for the tests of probes and schedules.
#pragma once

#include <filesystem>
#include <memory>
#include <vector>

#include "bnlab/probes/probe_list.h"
#include "bnlab/train/trainer.h"

namespace bnlab::testing {

inline NetworkFacts facts_of(Network& network) {
  NetworkFacts facts{0, network.layers(), network.macs_per_example(),
                     dynamic_cast<SequentialNetwork*>(&network) != nullptr};
  for (const at::Tensor& parameter : network.parameters()) facts.parameters += parameter.numel();
  return facts;
}

/// `spec` must outlive it.
inline ProbeSetting probe_setting(const TrainSpec& spec, const TrainingData& data) {
  return {spec, facts_of(*build_network(spec, data.shape())), data.shape(), data.dataset().train.count(),
          data.dataset().test.count()};
}

/// The probe of `spec`, its parameters completed.
inline std::unique_ptr<StepObserver> make_probe(ProbeSpec spec, const ProbeSetting& setting) {
  const ProbeKind* kind = find_probe_kind(spec.name);
  spec.parameters = kind->complete(spec.parameters, "parameters", setting);
  return kind->make(spec, setting);
}

/// Trains `spec` on `data` in `folder`, from where it stopped if it is there, shown to `probes`; returns the folder.
inline std::filesystem::path probed_run(const std::filesystem::path& folder, const Dataset& data, const TrainSpec& spec,
                                        const std::vector<ProbeSpec>& probes, const ExecutionOptions& options = {}) {
  create_run(folder, spec);
  RunWriter writer(folder, "test");
  const TrainingData training_data(data, spec);
  const ProbeSetting setting = probe_setting(spec, training_data);
  std::vector<std::unique_ptr<StepObserver>> observers;
  for (const ProbeSpec& probe : probes) observers.push_back(make_probe(probe, setting));
  train(writer, training_data, std::move(observers), options);
  return folder;
}

}  // namespace bnlab::testing
