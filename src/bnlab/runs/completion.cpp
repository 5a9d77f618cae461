#include "bnlab/runs/completion.h"

#include "bnlab/analyses/analysis_list.h"

namespace bnlab {
namespace {

// Multiply-accumulates of a training step above which a second, fourth … thread pays (a convolution's work is cut too
// thin below). Independent single-threaded runs side by side use the cores better than one run on all of them.
constexpr double kMacsPerThread = 40e9;
constexpr int64_t kMostThreads = 16;

// Powers of two, from the spec alone: the result depends on the number, so it must not depend on the machine.
int64_t threads_by_rule(double macs) {
  int64_t threads = 1;
  while (threads < kMostThreads && macs > kMacsPerThread * static_cast<double>(2 * threads)) threads *= 2;
  return threads;
}

/// Whether two probes of complete specs, the first of `kind`, record under the same names.
bool overwrite_each_other(const ProbeKind& kind, const ProbeSpec& one, const ProbeSpec& other) {
  if (one.name != other.name) return false;
  const std::string& key = kind.told_apart_by;
  return key.empty() || one.parameters.at(key) == other.parameters.at(key);
}

TrainSpec complete_train(TrainSpec spec, const DataFacts& at_hand) {
  const DataFacts& data = facts_for(spec, at_hand);
  if (spec.data.set != data.set || spec.data.digest != data.digest) {
    throw SpecError("data", "asks for " + spec.data.set + " (digest " + spec.data.digest +
                                "), and the data at hand is " + data.set + " (digest " + data.digest +
                                "); choose it with --data");
  }
  if (spec.data.draw != 0 && &data == &at_hand) {
    throw SpecError("data.draw", "expected 0: " + data.title + " is no synthetic set and is not drawn, got " +
                                     std::to_string(spec.data.draw));
  }
  if (spec.batch > data.train_count) {
    throw SpecError("batch", "expected at most the " + std::to_string(data.train_count) + " training images of " +
                                 data.title + ", got " + std::to_string(spec.batch));
  }
  try {
    const ModelKind& model = find_model_kind(spec.model.name);
    spec.model.options = complete_options(model.options, spec.model.options, "the model " + model.name);
  } catch (const OptionError& error) {
    throw SpecError("model.name or model.options", error.what());
  }
  try {
    const NormKind& norm = find_norm_kind(spec.model.norm.kind);
    spec.model.norm.options = complete_options(norm.options, spec.model.norm.options, "the normalization " + norm.kind);
    if (norm.kind == "none") spec.model.norm.place = NormSpec{}.place;  // no layer, no place: one id
  } catch (const OptionError& error) {
    throw SpecError("model.norm.kind or model.norm.options", error.what());
  }
  const NetworkFacts network = network_facts(spec, data);
  const ProbeSetting setting = probe_setting(spec, network, data);
  for (size_t i = 0; i < spec.probes.size(); ++i) {
    const std::string where = "probes[" + std::to_string(i) + "]";
    const ProbeKind* kind = find_probe_kind(spec.probes[i].name);
    if (!kind) {
      std::vector<std::string> known;
      for (const auto& probe : probe_kinds()) known.push_back(probe.name);
      throw SpecError(where + ".name", "there is no probe \"" + spec.probes[i].name + "\"; known: " + join_or(known));
    }
    spec.probes[i].parameters = kind->complete(spec.probes[i].parameters, where + ".parameters", setting);
    for (size_t other = 0; other < i; ++other) {
      if (overwrite_each_other(*kind, spec.probes[i], spec.probes[other])) {
        throw SpecError(where, "would overwrite what probes[" + std::to_string(other) +
                                   "] records, the same probe once more; join the two into one");
      }
    }
  }
  if (spec.threads == 0) spec.threads = threads_by_rule(step_macs(spec, network));
  if (spec.trajectory.keep == "none") spec.trajectory = TrajectorySpec{};
  return spec;
}

AnalysisSpec complete_analysis(AnalysisSpec spec) {
  const AnalysisKind* kind = find_analysis_kind(spec.analysis);
  if (!kind) {
    std::vector<std::string> known;
    for (const auto& analysis : analysis_kinds()) known.push_back(analysis.name);
    throw SpecError("analysis", "there is no analysis \"" + spec.analysis + "\"; known: " + join_or(known));
  }
  spec.parameters = kind->complete(spec);
  if (spec.threads == 0) spec.threads = 1;
  return spec;
}

}  // namespace

ProbeSetting probe_setting(const TrainSpec& spec, const NetworkFacts& network, const DataFacts& at_hand) {
  const DataFacts& data = facts_for(spec, at_hand);
  return {spec, network, task_of(spec, data), data.train_count, data.test_count};
}

RunSpec complete_run_spec(RunSpec spec, const DataFacts& data) {
  if (auto* train = std::get_if<TrainSpec>(&spec)) return complete_train(std::move(*train), data);
  return complete_analysis(std::get<AnalysisSpec>(std::move(spec)));
}

}  // namespace bnlab
