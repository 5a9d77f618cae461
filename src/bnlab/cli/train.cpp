// bnlab train: one run of one's own, in this process, with any probes.
#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <string_view>
#include <vector>

#include "bnlab/cli/commands.h"
#include "bnlab/cli/common.h"
#include "bnlab/cli/environment.h"
#include "bnlab/cli/output.h"
#include "bnlab/cli/spec_flags.h"
#include "bnlab/launch/local_ranks.h"
#include "bnlab/launch/progress_display.h"
#include "bnlab/probes/probe_list.h"
#include "bnlab/ranks/gloo_ranks.h"
#include "bnlab/record/lease_watch.h"
#include "bnlab/record/parse_json.h"
#include "bnlab/runs/completion.h"
#include "bnlab/runs/execution.h"
#include "bnlab/train/optimizer.h"

namespace bnlab {
namespace {

// The launcher of ranks knows nothing of libtorch, and who reads its mark nothing of launching.
static_assert(std::string_view(kLocalRanksMark) == kLocalRanksVariable);

struct TrainOptions {
  std::string data = "fashion-mnist", out = "bnlab-out", spec_file;
  SpecFlags flags;
  double checkpoint_seconds = 20, rank_timeout = 120;
  bool force = false, json = false, print_spec = false;
};

Json read_spec_file(const std::string& file) {
  try {
    return parse_json(read_file(file), file);
  } catch (const JsonError& error) {
    throw SpecError(error.source(), error.problem());
  }
}

/// Takes "default" out of a spec's probes, or in their place; whether it was there.
bool take_default_probes(Json& spec) {
  if (!spec.is_object() || !spec.contains("probes")) return false;
  Json& probes = spec["probes"];
  if (probes == kDefaultProbes) probes = Json::array({probes});
  if (!probes.is_array()) return false;
  const auto others = std::remove(probes.begin(), probes.end(), Json(kDefaultProbes));
  const bool found = others != probes.end();
  probes.erase(others, probes.end());
  return found;
}

/// The spec that the flags or the file ask for, with the default probes written out, and of as many ranks as are there
/// unless it says how many. `at_hand`: the number of processes that a launcher has started.
RunSpec read_spec(const TrainOptions& options, const DataFacts& facts, int64_t at_hand) {
  Json json = options.spec_file.empty() ? options.flags.spec(facts) : read_spec_file(options.spec_file);
  const bool with_default_probes = take_default_probes(json);
  RunSpec spec = parse_run_spec(json);
  auto* train = std::get_if<TrainSpec>(&spec);
  if (!train) throw SpecError("kind", "bnlab train runs specs of kind \"train\"");
  if (!json.contains("ranks")) train->ranks = at_hand;
  if (!with_default_probes) return spec;
  const auto full = std::get<TrainSpec>(full_run_spec(spec, facts));
  const int64_t layers = network_facts(full, facts).layers;
  for (auto& probe : default_probes(full.steps, layers, makes_plain_steps(full.optimizer))) {
    train->probes.push_back(probe);
  }
  return spec;
}

Json summary(RunReader& run, const std::string& id) {
  const Series loss = run.scalars({"train", 0, "loss"}), accuracy = run.scalars({"train", 0, "accuracy"});
  const size_t last = std::min<size_t>(50, accuracy.values.size());
  double mean_accuracy = 0;
  for (size_t i = accuracy.values.size() - last; i < accuracy.values.size(); ++i)
    mean_accuracy += accuracy.values[i] / last;
  const std::optional<double> cpu = run.cpu_seconds();
  const double cost = cpu.value_or(run.seconds());
  Json result = {{"id", id},
                 {"folder", run.paths().folder.string()},
                 {"state", to_string(run.state())},
                 {"cpu_seconds", cpu ? Json(*cpu) : Json()},
                 {"seconds", run.seconds()},
                 {"last_loss", loss.values.back()},
                 {"mean_accuracy_of_last_steps", mean_accuracy},
                 {"last_steps", last}};
  if (const std::string costs = run.meta("probe_seconds"); !costs.empty()) {
    double probes = 0;
    const auto by_probe = parse_json(costs, "probe_seconds of the run").get<std::map<std::string, double>>();
    for (const auto& [probe, seconds] : by_probe) probes += seconds;
    if (probes > 0) result["probe_overhead"] = probes / (cost - probes);
  }
  const Series test = run.scalars({"accuracy", 0, "test_accuracy"});
  if (!test.values.empty()) result["test_accuracy"] = test.values.back();
  if (run.diverged_at() >= 0) result["diverged_at"] = run.diverged_at();
  return result;
}

void print_summary(const Json& s) {
  if (s.contains("diverged_at")) {
    fmt::print("The run diverged at step {}: its loss there was {}.\n", s["diverged_at"].get<int64_t>(),
               s["last_loss"].dump());
  }
  fmt::print("Training accuracy over the last {} steps {:.3f}", s["last_steps"].get<size_t>(),
             s["mean_accuracy_of_last_steps"].get<double>());
  if (s.contains("test_accuracy")) fmt::print(", test accuracy {:.3f}", s["test_accuracy"].get<double>());
  if (s.contains("probe_overhead")) {
    fmt::print(", probes {:.1f} % on top of training", 100 * s["probe_overhead"].get<double>());
  }
  const Json& cost = s["cpu_seconds"].is_number() ? s["cpu_seconds"] : s["seconds"];
  fmt::print(" ({} of computing time).\nThe run is in {}\n", duration_text(cost), s["folder"].get<std::string>());
}

std::chrono::milliseconds patience(const TrainOptions& options) {
  return std::chrono::milliseconds(static_cast<int64_t>(1000 * options.rank_timeout));
}

/// Joins the ranks that a launcher has started, all for the same run.
std::shared_ptr<Ranks> join_for(const RankPlace& place, const std::string& id, const TrainOptions& options) {
  auto ranks = join_ranks(place, patience(options));
  require_same(*ranks, "the run that its arguments and its data make", id);
  return ranks;
}

/// Whether the first rank has found something left to do. Collective.
bool agree_on_work(Ranks& ranks, bool left) {
  const at::Tensor flag = at::full({1}, left ? 1 : 0, at::kLong);
  ranks.take_from_first(flag);
  return flag.item<int64_t>() != 0;
}

/// All ranks but the first.
int train_beside(const RankPlace& place, const RunSpec& spec, const DataChoice& data, const TrainOptions& options) {
  ExecutionOptions execution;
  execution.stop = &stop_requested();
  execution.ranks = join_for(place, run_id(spec), options);
  if (!agree_on_work(*execution.ranks, false)) return kExitDone;
  DataShelf shelf(data);
  const auto outcome = execute_beside_first(std::get<TrainSpec>(spec), shelf, execution);
  return outcome == RunOutcome::kInterrupted ? kExitStopped : kExitDone;
}

/// Shows how far a training is, and keeps when its steps began.
class StepDisplay {
 public:
  void print(const std::string& text) { display_.print(text); }

  void update(int64_t step, int64_t steps, double loss) {
    const Clock::time_point now = Clock::now();
    if (begins_.empty()) first_ = step;
    begins_.push_back(now);
    const double seconds = std::chrono::duration<double>(now - start_).count();
    display_.update(static_cast<double>(step) / static_cast<double>(steps),
                    fmt::format("step {} of {}, {:.1f} steps/s, loss {:.3f}", step, steps,
                                static_cast<double>(step - first_) / seconds, loss));
  }

  /// Time between successive steps, in seconds; nothing for fewer than two.
  std::optional<double> median_step() const {
    if (begins_.size() < 3) return std::nullopt;
    std::vector<double> seconds;
    for (size_t i = 1; i < begins_.size(); ++i) {
      seconds.push_back(std::chrono::duration<double>(begins_[i] - begins_[i - 1]).count());
    }
    std::nth_element(seconds.begin(), seconds.begin() + static_cast<int64_t>(seconds.size() / 2), seconds.end());
    return seconds[seconds.size() / 2];
  }

 private:
  using Clock = std::chrono::steady_clock;

  ProgressDisplay display_;
  const Clock::time_point start_ = Clock::now();
  int64_t first_ = 0;
  std::vector<Clock::time_point> begins_;
};

/// The first rank, or the only one.
int train_first(const std::optional<RankPlace>& place, const RunSpec& spec, const DataChoice& data,
                const TrainOptions& options) {
  const std::string id = run_id(spec);
  const auto folder = OutFolder{options.out}.runs() / id;
  ExecutionOptions execution;
  if (place && std::get<TrainSpec>(spec).ranks > 1) execution.ranks = join_for(*place, id, options);
  if (options.force) remove_run(folder);
  create_run(folder, spec);
  const std::string abandoned = await_lease(folder);
  if (execution.ranks) static_cast<void>(agree_on_work(*execution.ranks, !run_ended(folder)));
  StepDisplay display;
  execution.stop = &stop_requested();
  execution.checkpoint_interval = std::chrono::duration<double>(options.checkpoint_seconds);
  execution.progress = [&](int64_t step, int64_t steps, double loss) { display.update(step, steps, loss); };
  DataShelf shelf(data);
  const auto outcome = execute_run(
      folder, shelf, execution, [&](const std::string& text) { display.print("note: " + text); }, abandoned);
  execution.ranks.reset();  // the others may go
  if (outcome == RunOutcome::kInterrupted) {
    display.print("stopped; the same command goes on where it was");
    return kExitStopped;
  }
  RunReader run(folder);
  Json result = summary(run, id);
  if (const auto median = display.median_step()) result["median_step_seconds"] = *median;
  display.print("");
  options.json ? print_json(result) : print_summary(result);
  return kExitDone;
}

int train_one(const TrainOptions& options, const Invocation& invocation) {
  const std::optional<RankPlace> place = rank_place();
  std::optional<SignalsWait> signals_wait;  // until it is known whether they are for ranks that are yet to be started
  if (!place) signals_wait.emplace();
  const DataChoice data = parse_data_choice(options.data);
  const DataFacts facts = load_facts(data);
  const RunSpec asked = read_spec(options, facts, place ? place->size : 1);
  const bool is_first = !place || place->rank == 0;
  if (options.print_spec) {
    if (is_first) print_json(to_json(full_run_spec(asked, facts)));
    return kExitDone;
  }
  const RunSpec spec = complete_run_spec(asked, facts);
  require_threads("--threads", threads_of(spec));
  const int64_t wanted = std::get<TrainSpec>(spec).ranks;
  if (place && place->size > 1 && wanted == 1) {
    throw SpecError("--ranks", fmt::format("expected {}, the number of processes that {} has started, got 1",
                                           place->size, place->launcher));
  }
  if (!place && wanted > 1) return run_local_ranks(invocation.program, invocation.arguments, wanted);
  signals_wait.reset();
  if (!is_first) return train_beside(*place, spec, data, options);
  return train_first(place, spec, data, options);
}

void add_flags(CLI::App& command, TrainOptions& o) {
  command.add_option("--data", o.data, "Data set, NAME or NAME:PATH (see bnlab data list)")->capture_default_str();
  CLI::Option* spec_file =
      command.add_option("--spec", o.spec_file, "A run spec as JSON, instead of the flags for its keys")
          ->check(CLI::ExistingFile);
  o.flags.add_to(command, spec_file);
  command.add_option("--out", o.out, "Folder; the run goes to OUT/runs/ID")->capture_default_str();
  const auto set_checkpoint_seconds = [&o](const std::string& text) {
    o.checkpoint_seconds = parse_seconds("--checkpoint-seconds", text);
  };
  command.add_option_function<std::string>("--checkpoint-seconds", set_checkpoint_seconds, "Time between checkpoints")
      ->default_str(fmt::format("{}", o.checkpoint_seconds));
  const auto set_rank_timeout = [&o](const std::string& text) {
    o.rank_timeout = parse_seconds("--rank-timeout", text);
  };
  command
      .add_option_function<std::string>("--rank-timeout", set_rank_timeout,
                                        "Seconds after which a rank that does not answer is taken for lost")
      ->default_str(fmt::format("{}", o.rank_timeout));
  command.add_flag("--force", o.force, "Compute the run again if it is finished");
  command.add_flag("--print-spec", o.print_spec, "Print the run spec with all its keys and stop");
  command.add_flag("--json", o.json, "Print the result as JSON");
}

}  // namespace

void add_train(CLI::App& app, Invocation& invocation) {
  auto options = std::make_shared<TrainOptions>();
  CLI::App* command = app.add_subcommand("train", "Train one network, with any probes");
  add_flags(*command, *options);
  std::string footer = "Probes:\n";
  for (const auto& probe : probe_kinds()) footer += "  " + probe.name + ": " + probe.meaning + "\n";
  command->footer(
      footer + "Example:\n  bnlab train --model vgg11 --norm batch --lr 0.5 --probe accuracy:every=50,examples=1000");
  command->callback([options, &invocation] {
    install_stop_handler();
    invocation.exit_status = train_one(*options, invocation);
  });
}

}  // namespace bnlab
