#include "bnlab/experiments/run_kinds.h"

#include <algorithm>

#include "bnlab/analyses/analysis_list.h"
#include "bnlab/probes/probe_list.h"
#include "bnlab/train/fingerprint.h"

namespace bnlab {
namespace {

// Multiply-accumulates of a training step above which a second, fourth … thread pays (a convolution's work is cut too
// thin below). Independent single-threaded runs side by side use the cores better than one run on all of them.
constexpr double kMacsPerThread = 40e9;
constexpr int64_t kMostThreads = 16;
// What a core was measured to do in training VGG-A at a quarter of its width, overheads of a step included.
constexpr double kMacsPerSecond = 40e9;
constexpr double kSecondsPerStep = 1.5e-3;
constexpr double kSecondsPerStart = 1.0;

double step_macs(const TrainSpec& spec, const NetworkFacts& network) {
  return 3.0 * static_cast<double>(network.macs) * static_cast<double>(spec.batch);
}

// Powers of two, from the spec alone: the result depends on the number, so it must not depend on the machine.
int64_t threads_by_rule(double macs) {
  int64_t threads = 1;
  while (threads < kMostThreads && macs > kMacsPerThread * static_cast<double>(2 * threads)) threads *= 2;
  return threads;
}

bool is_synthetic(const std::string& set) {
  for (const KnownDataset& known : known_datasets()) {
    if (known.name == set) return known.format == DataFormat::kSynthetic;
  }
  return false;
}

/// What a spec is about: the data at hand, or the synthetic set that it names.
const DataFacts& facts_for(const TrainSpec& spec, const DataFacts& data) {
  return spec.data.set != data.set && is_synthetic(spec.data.set) ? synthetic_facts(spec.data.set) : data;
}

DataChoice choice_for(const TrainSpec& spec, const DataChoice& data) {
  return is_synthetic(spec.data.set) ? DataChoice{spec.data.set} : data;
}

TaskShape padded(const DataFacts& data, int64_t pad_to) {
  return {data.shape.channels, std::max(data.shape.size, pad_to), data.shape.classes};
}

ProbeSetting probe_setting(const TrainSpec& spec, const NetworkFacts& network) {
  return {network.layers, network.sequential, static_cast<uint64_t>(spec.seed)};
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
  const ProbeSetting setting = probe_setting(spec, network);
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

RunOutcome execute_train(RunWriter& writer, const DataChoice& data, const ExecutionOptions& options) {
  const auto& spec = std::get<TrainSpec>(writer.spec());
  Dataset dataset = load_dataset(choice_for(spec, data));
  const DataFacts facts = facts_of(dataset);
  complete_train(spec, facts);
  const TrainingData training_data(std::move(dataset), spec);
  const ProbeSetting setting = probe_setting(spec, network_facts(spec, facts));
  std::vector<std::unique_ptr<StepObserver>> observers;
  for (const auto& probe : spec.probes) observers.push_back(find_probe_kind(probe.name)->make(probe, setting));
  return train(writer, training_data, std::move(observers), options);
}

RunOutcome execute_analysis(RunWriter& writer, const std::filesystem::path& folder, const DataChoice& data,
                            const ExecutionOptions& options) {
  const auto& spec = std::get<AnalysisSpec>(writer.spec());
  complete_analysis(spec);
  std::vector<std::unique_ptr<RunReader>> inputs;
  for (const auto& id : spec.inputs) {
    const auto input = folder.parent_path() / id;
    const RunState state = run_state(input);
    if (state != RunState::kFinished && state != RunState::kDiverged) {
      throw StoreError(input.string() + ": this analysis needs that run, which is " + to_string(state) +
                       "; compute it first (the same command does)");
    }
    inputs.push_back(std::make_unique<RunReader>(input));
  }
  at::set_num_threads(static_cast<int>(spec.threads));
  Recorder recorder(writer, spec.analysis);
  const auto load = [&](const TrainSpec& input) { return TrainingData(load_dataset(choice_for(input, data)), input); };
  const RunOutcome outcome = find_analysis_kind(spec.analysis)->compute({spec, inputs, load, recorder, options});
  if (outcome == RunOutcome::kDone) writer.finish(0, "", -1);
  return outcome;
}

}  // namespace

DataFacts facts_of(const Dataset& dataset) {
  const auto& images = dataset.train.images;
  return {dataset.name,          dataset.title,
          dataset.digest,        {images.size(1), images.size(2), outputs_of(dataset)},
          dataset.train.count(), dataset.test.count()};
}

const DataFacts& synthetic_facts(const std::string& set) {
  static std::map<std::string, DataFacts> known;
  if (const auto it = known.find(set); it != known.end()) return it->second;
  return known[set] = facts_of(load_dataset({set}));
}

NetworkFacts network_facts(const TrainSpec& spec, const DataFacts& at_hand) {
  const DataFacts& data = facts_for(spec, at_hand);
  // Building a large network to count it takes a while, and the runs of an experiment share few networks.
  static std::map<std::string, NetworkFacts> known;
  const TaskShape shape = padded(data, spec.data.pad_to);
  const std::string key = Json({spec.model.name, spec.model.options, spec.model.norm.kind, spec.model.norm.options,
                                shape.channels, shape.size, shape.classes})
                              .dump();
  if (const auto it = known.find(key); it != known.end()) return it->second;
  try {
    const NormChoice norm{spec.model.norm.kind, false, spec.model.norm.options};
    const auto network = find_model_kind(spec.model.name).make(spec.model.options, norm, shape);
    NetworkFacts facts{0, network->layers(), network->macs_per_example(),
                       dynamic_cast<SequentialNetwork*>(network.get()) != nullptr};
    for (const auto& parameter : network->parameters()) facts.parameters += parameter.numel();
    return known[key] = facts;
  } catch (const OptionError& error) {
    throw SpecError(error.key() == "pad_to" ? "data.pad_to" : "model.options." + error.key(), error.what());
  }
}

RunSpec complete_run_spec(RunSpec spec, const DataFacts& data) {
  if (auto* train = std::get_if<TrainSpec>(&spec)) return complete_train(std::move(*train), data);
  return complete_analysis(std::get<AnalysisSpec>(std::move(spec)));
}

double estimated_seconds(const RunSpec& spec, const DataFacts& data) {
  const auto* train = std::get_if<TrainSpec>(&spec);
  if (!train) return kSecondsPerStart;
  const double macs = step_macs(*train, network_facts(*train, data));
  const double step = macs / kMacsPerSecond / static_cast<double>(train->threads) + kSecondsPerStep;
  return kSecondsPerStart + static_cast<double>(train->steps) * step;
}

RunOutcome execute_run(const std::filesystem::path& folder, const DataChoice& data, const ExecutionOptions& options,
                       const std::function<void(const std::string&)>& warn) {
  RunWriter writer(folder, fingerprint().dump());
  if (writer.finished()) return RunOutcome::kDone;
  if (!writer.warning().empty()) warn(writer.warning());
  if (std::holds_alternative<TrainSpec>(writer.spec())) return execute_train(writer, data, options);
  return execute_analysis(writer, folder, data, options);
}

}  // namespace bnlab
