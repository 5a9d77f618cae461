#include "bnlab/runs/execution.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>

#include "bnlab/analyses/analysis_list.h"
#include "bnlab/ops/convolutions.h"
#include "bnlab/record/run_lease.h"
#include "bnlab/runs/completion.h"
#include "bnlab/train/fingerprint.h"

namespace bnlab {
namespace {

RunOutcome execute_train(RunWriter& writer, DataShelf& data, const ExecutionOptions& options) {
  const DataFacts facts = facts_of(data.dataset(std::get<TrainSpec>(writer.spec())));
  const auto spec = std::get<TrainSpec>(full_run_spec(writer.spec(), facts));
  const TrainingData training_data = data.training_data(spec);
  const ProbeSetting setting = probe_setting(spec, network_facts(spec, facts), facts);
  std::vector<std::unique_ptr<StepObserver>> observers;
  for (const auto& probe : spec.probes) observers.push_back(find_probe_kind(probe.name)->make(probe, setting));
  return train(writer, training_data, std::move(observers), options);
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
  at::set_num_threads(static_cast<int>(spec.threads));
  if (ops::avoid_wrong_convolutions()) TORCH_WARN("bnlab: ", ops::kConvolutionsWereWrong);
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
  std::optional<RunLease> lease;
  // Between any two changes of what is on the disk; first when the writer has the run's lock.
  const auto hold_lease = [&] {
    if (!lease) lease.emplace(lease_of(folder), abandoned);
    lease->require();
  };
  auto writer = std::make_unique<RunWriter>(folder, fingerprint().dump(), hold_lease);
  if (writer->finished()) return RunOutcome::kDone;
  if (!writer->warning().empty()) warn(writer->warning());
  try {
    return execute(*writer, *lease, folder, data, options);
  } catch (const LeaseLost&) {
    static_cast<void>(writer.release());  // to close its database would roll it back, which is a change, too
    throw;
  }
}

}  // namespace bnlab
