#include "bnlab/runs/execution.h"

#include <ATen/Context.h>
#include <fmt/format.h>

#include "bnlab/analyses/analysis_list.h"
#include "bnlab/record/run_lease.h"
#include "bnlab/runs/completion.h"
#include "bnlab/train/fingerprint.h"

namespace bnlab {
namespace {

/// What a train run is made of, from its stored spec.
struct TrainParts {
  TrainSpec spec;  ///< with all its keys
  TrainingData data;
  std::vector<std::unique_ptr<StepObserver>> observers;
};

TrainParts train_parts(const TrainSpec& stored, DataShelf& data) {
  const DataFacts facts = facts_of(data.dataset(stored));
  const auto spec = std::get<TrainSpec>(full_run_spec(stored, facts));
  TrainParts parts{spec, data.training_data(spec), {}};
  const ProbeSetting setting = probe_setting(spec, network_facts(spec, facts), facts);
  for (const auto& probe : spec.probes) parts.observers.push_back(find_probe_kind(probe.name)->make(probe, setting));
  return parts;
}

void check_ranks(const TrainSpec& spec, const ExecutionOptions& options) {
  const int64_t at_hand = options.ranks ? options.ranks->size() : 1;
  if (at_hand == spec.ranks || (at_hand > 1 && spec.ranks > 1 && spec.rank_statistics == "synchronized")) return;
  throw SpecError("ranks", fmt::format("the run is one of {} rank{}, with {} statistics, and {} at work on it; start "
                                       "as many as it has",
                                       spec.ranks, spec.ranks == 1 ? "" : "s", spec.rank_statistics,
                                       at_hand == 1 ? "1 is" : fmt::format("{} are", at_hand)));
}

RunOutcome execute_train(RunWriter& writer, DataShelf& data, const ExecutionOptions& options) {
  TrainParts parts = train_parts(std::get<TrainSpec>(writer.spec()), data);
  check_ranks(parts.spec, options);
  return train(writer, parts.data, std::move(parts.observers), options);
}

/// Also of the ranks at work, since their number may change the bits.
std::string fingerprint_of(const ExecutionOptions& options) {
  Json all = fingerprint();
  if (options.ranks) all["ranks"] = options.ranks->size();
  return all.dump();
}

RunOutcome execute_analysis(RunWriter& writer, const std::filesystem::path& folder, DataShelf& data,
                            const ExecutionOptions& options) {
  const auto spec = std::get<AnalysisSpec>(full_run_spec(writer.spec(), {}));
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
  prepare_libtorch(spec.threads);
  Recorder recorder(writer, spec.analysis);
  const auto load = [&](const TrainSpec& input) { return data.training_data(input); };
  const RunOutcome outcome = find_analysis_kind(spec.analysis)->compute({spec, inputs, load, recorder, options});
  if (outcome == RunOutcome::kDone) writer.finish(0, "", -1);
  return outcome;
}

RunOutcome execute(RunWriter& writer, RunLease& lease, const std::filesystem::path& folder, DataShelf& data,
                   const ExecutionOptions& options) {
  ExecutionOptions telling = options;
  telling.progress = [&](int64_t step, int64_t steps, double loss) {
    lease.set_fraction(static_cast<double>(step) / static_cast<double>(steps));
    if (options.progress) options.progress(step, steps, loss);
  };
  at::manual_seed(c10::default_rng_seed_val);  // as in a fresh process, for whatever draws before the run's own seed
  if (std::holds_alternative<TrainSpec>(writer.spec())) return execute_train(writer, data, telling);
  return execute_analysis(writer, folder, data, telling);
}

}  // namespace

RunOutcome execute_run(const std::filesystem::path& folder, DataShelf& data, const ExecutionOptions& options,
                       const std::function<void(const std::string&)>& warn, const std::string& abandoned) {
  if (run_ended(folder)) return RunOutcome::kDone;  // since this process was told to compute it
  std::optional<RunLease> lease;
  // Between any two changes of what is on the disk; first when the writer has the run's lock.
  const auto hold_lease = [&] {
    if (!lease) lease.emplace(lease_of(folder), abandoned);
    lease->require();
  };
  auto writer = std::make_unique<RunWriter>(folder, fingerprint_of(options), hold_lease);
  if (writer->finished()) return RunOutcome::kDone;
  if (!writer->warning().empty()) warn(writer->warning());
  try {
    return execute(*writer, *lease, folder, data, options);
  } catch (const LeaseLost&) {
    static_cast<void>(writer.release());  // to close its database would roll it back, which is a change, too
    throw;
  }
}

RunOutcome execute_beside_first(const TrainSpec& stored, DataShelf& data, const ExecutionOptions& options) {
  TrainParts parts = train_parts(stored, data);
  check_ranks(parts.spec, options);
  at::manual_seed(c10::default_rng_seed_val);
  return train_beside_first(parts.spec, parts.data, std::move(parts.observers), options);
}

}  // namespace bnlab
