#include "bnlab/runs/completion.h"

#include "bnlab/analyses/analysis_list.h"
#include "bnlab/train/optimizer.h"

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

const ProbeKind& probe_kind(const std::string& name, const std::string& where) {
  if (const ProbeKind* kind = find_probe_kind(name)) return *kind;
  std::vector<std::string> known;
  for (const auto& kind : probe_kinds()) known.push_back(kind.name);
  throw SpecError(where + ".name", "there is no probe \"" + name + "\"; known: " + join_or(known));
}

const AnalysisKind& analysis_kind(const std::string& name) {
  if (const AnalysisKind* kind = find_analysis_kind(name)) return *kind;
  std::vector<std::string> known;
  for (const auto& kind : analysis_kinds()) known.push_back(kind.name);
  throw SpecError("analysis", "there is no analysis \"" + name + "\"; known: " + join_or(known));
}

void check_pool(int64_t pool, int64_t size) {
  if (size % pool == 0) return;
  std::vector<std::string> divisors;
  for (int64_t d = 1; d <= size; ++d) {
    if (size % d == 0) divisors.push_back(std::to_string(d));
  }
  throw SpecError("data.pool", "expected a number that divides the images' height and width of " +
                                   std::to_string(size) + ", got " + std::to_string(pool) + "; choose " +
                                   join_or(divisors));
}

int64_t trained_on(const TrainSpec& spec, const DataFacts& data) {
  return spec.data.train_examples > 0 ? spec.data.train_examples : data.train_count;
}

/// Of the data that `spec` is about, if it can be trained on.
const DataFacts& checked_data(const TrainSpec& spec, const DataFacts& at_hand) {
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
  if (spec.data.train_examples > data.train_count) {
    throw SpecError("data.train_examples", "expected at most the " + std::to_string(data.train_count) +
                                               " training images of " + data.title + ", got " +
                                               std::to_string(spec.data.train_examples));
  }
  if (spec.batch > trained_on(spec, data)) {
    throw SpecError("batch", "expected at most the " + std::to_string(trained_on(spec, data)) + " training images of " +
                                 data.title + ", got " + std::to_string(spec.batch));
  }
  check_pool(spec.data.pool, data.shape.size);
  return data;
}

void fill_model(ModelSpec& model) {
  try {
    const ModelKind& kind = find_model_kind(model.name);
    model.options = complete_options(kind.options, model.options, "the model " + kind.name);
  } catch (const OptionError& error) {
    throw SpecError("model.name or model.options", error.what());
  }
  try {
    const NormKind& kind = find_norm_kind(model.norm.kind);
    model.norm.options = complete_options(kind.options, model.norm.options, "the normalization " + kind.kind);
    if (kind.kind == "none") model.norm.place = NormSpec{}.place;  // no layer, no place: one id
  } catch (const OptionError& error) {
    throw SpecError("model.norm.kind or model.norm.options", error.what());
  }
}

void fill_probes(TrainSpec& spec, const ProbeSetting& setting) {
  for (size_t i = 0; i < spec.probes.size(); ++i) {
    ProbeSpec& probe = spec.probes[i];
    const std::string where = "probes[" + std::to_string(i) + "]";
    const ProbeKind& kind = probe_kind(probe.name, where);
    if (kind.plain_steps_only && !makes_plain_steps(spec.optimizer)) {
      throw SpecError(where,
                      "the probe \"" + probe.name +
                          "\" is defined for steps of the rate times the loss's own gradient, and the optimizer " +
                          spec.optimizer.name + (spec.optimizer.weight_decay > 0 ? " with weight decay" : "") +
                          " makes others; leave the probe out, or use the optimizer sgd without weight decay");
    }
    probe.parameters = kind.complete(probe.parameters, where + ".parameters", setting);
    for (size_t other = 0; other < i; ++other) {
      if (overwrite_each_other(kind, probe, spec.probes[other])) {
        throw SpecError(where, "would overwrite what probes[" + std::to_string(other) +
                                   "] records, the same probe once more; join the two into one");
      }
    }
  }
}

/// What a run of several ranks cannot have; and one id for what has no choice.
void fill_ranks(TrainSpec& spec) {
  using Over = NormKind::Over;
  const NormKind& norm = find_norm_kind(spec.model.norm.kind);
  if (spec.ranks == 1 || norm.over == Over::kExample) spec.rank_statistics = TrainSpec{}.rank_statistics;
  if (spec.ranks == 1) return;
  if (spec.batch < spec.ranks) {
    throw SpecError("batch", "expected an example for each of the " + std::to_string(spec.ranks) + " ranks, got " +
                                 std::to_string(spec.batch));
  }
  if (norm.over == Over::kOwnBatch && spec.rank_statistics == "synchronized") {
    throw SpecError("rank_statistics",
                    "expected local: the normalization " + norm.kind + " cannot be synchronized over ranks");
  }
  if (spec.probe_budget) {
    throw SpecError("probe_budget", "expected none with several ranks, which would measure different costs");
  }
  for (const ProbeSpec& probe : spec.probes) {
    if (!find_probe_kind(probe.name)->of_the_batch) continue;
    throw SpecError("probes",
                    "the probe \"" + probe.name +
                        "\" looks at the batch of a step, of which each of several ranks has a part; leave it "
                        "out, or use one rank");
  }
}

TrainSpec full_train(TrainSpec spec, const DataFacts& at_hand) {
  const DataFacts& data = checked_data(spec, at_hand);
  if (spec.data.pad_to <= data.shape.size / spec.data.pool) spec.data.pad_to = 0;  // pads nothing: one id
  if (spec.data.train_examples == data.train_count) spec.data.train_examples = 0;
  fill_model(spec.model);
  spec.optimizer = complete_optimizer(std::move(spec.optimizer));
  const NetworkFacts network = network_facts(spec, data);
  fill_probes(spec, probe_setting(spec, network, data));
  fill_ranks(spec);
  if (spec.threads == 0) spec.threads = threads_by_rule(step_macs(spec, network));
  if (spec.trajectory.keep == "none") spec.trajectory = TrajectorySpec{};
  return spec;
}

/// `parameters`, which `complete` made, without those that it makes again when they are left out.
Json without_defaults(Json parameters, const std::function<Json(const Json& parameters)>& complete) {
  const Json full = parameters;
  for (const auto& [key, value] : full.items()) {
    Json fewer = parameters;
    fewer.erase(key);
    try {
      if (complete(fewer) == full) parameters = std::move(fewer);
    } catch (const SpecError&) {  // it is required
    }
  }
  return parameters;
}

TrainSpec without_defaults(TrainSpec full, const DataFacts& at_hand) {
  const ProbeSetting setting = probe_setting(full, network_facts(full, at_hand), at_hand);
  for (ProbeSpec& probe : full.probes) {
    const ProbeKind& kind = *find_probe_kind(probe.name);
    probe.parameters = without_defaults(probe.parameters,
                                        [&](const Json& fewer) { return kind.complete(fewer, "parameters", setting); });
  }
  ModelSpec& model = full.model;
  model.options = without_defaults(find_model_kind(model.name).options, model.options);
  model.norm.options = without_defaults(find_norm_kind(model.norm.kind).options, model.norm.options);
  full.optimizer = without_defaults(full.optimizer);
  return full;
}

AnalysisSpec full_analysis(AnalysisSpec spec) {
  spec.parameters = analysis_kind(spec.analysis).complete(spec);
  if (spec.threads == 0) spec.threads = 1;
  return spec;
}

AnalysisSpec without_defaults(AnalysisSpec full) {
  const AnalysisKind& kind = *find_analysis_kind(full.analysis);
  full.parameters = without_defaults(full.parameters, [&, spec = full](const Json& fewer) mutable {
    spec.parameters = fewer;
    return kind.complete(spec);
  });
  return full;
}

}  // namespace

ProbeSetting probe_setting(const TrainSpec& spec, const NetworkFacts& network, const DataFacts& at_hand) {
  const DataFacts& data = facts_for(spec, at_hand);
  return {spec, network, task_of(spec, data), trained_on(spec, data), data.test_count};
}

RunSpec full_run_spec(RunSpec spec, const DataFacts& data) {
  if (auto* train = std::get_if<TrainSpec>(&spec)) return full_train(std::move(*train), data);
  return full_analysis(std::get<AnalysisSpec>(std::move(spec)));
}

RunSpec complete_run_spec(RunSpec spec, const DataFacts& data) {
  spec = full_run_spec(std::move(spec), data);
  if (auto* train = std::get_if<TrainSpec>(&spec)) return without_defaults(std::move(*train), data);
  return without_defaults(std::get<AnalysisSpec>(std::move(spec)));
}

}  // namespace bnlab
