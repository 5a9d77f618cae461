// bnlab reproduce: plan the experiments, compute the runs that are missing, write the report.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <set>

#include "bnlab/cli/bench_section.h"
#include "bnlab/cli/commands.h"
#include "bnlab/cli/common.h"
#include "bnlab/cli/output.h"
#include "bnlab/launch/launcher.h"
#include "bnlab/launch/progress_display.h"
#include "bnlab/report/report.h"
#include "bnlab/runs/cost.h"

namespace bnlab {
namespace {

struct ReproduceOptions {
  std::string only, data = "fashion-mnist", scale = "quick", out = "bnlab-out", probe_budget;
  int64_t seeds = 3, workers = 0;
  double checkpoint_seconds = 20;
  bool force = false, json = false;
};

/// The runs of all experiments, each once, ordered so that the first seed of everything comes first: the first figure
/// can be looked at before all seeds are done.
std::vector<PlannedRun> runs_in_order(const std::vector<PlannedExperiment>& planned) {
  std::vector<PlannedRun> runs;
  std::set<std::string> seen;
  for (const auto& experiment : planned) {
    for (const auto& run : experiment.plan.runs()) {
      if (seen.insert(run.id).second) runs.push_back(run);
    }
  }
  std::stable_sort(runs.begin(), runs.end(), [](const auto& a, const auto& b) { return a.seed < b.seed; });
  return runs;
}

class Reproduction {
 public:
  Reproduction(const ReproduceOptions& options, const std::string& program)
      : options_(options), program_(program), out_{options.out} {
    Request request{options.only, *parse_scale(options.scale), options.data, {}, first_seeds(options.seeds)};
    if (!options.probe_budget.empty()) request.probe_budget = parse_percent("--probe-budget", options.probe_budget);
    request.facts = facts_of(load_dataset(parse_data_choice(options.data)));
    choose_thinning(request);
    planned_ = plan_experiments(request);
    std::filesystem::create_directories(out_.runs());
    save_request(out_, request);
    facts_ = request.facts;
    runs_ = runs_in_order(planned_);
  }

  int run() {
    prepare();
    if (!jobs_.empty()) compute();
    write();
    say_what_was_done();
    if (stop_requested()) return kExitStopped;
    return errors_.empty() ? kExitDone : kExitFailed;
  }

 private:
  void prepare() {
    for (const auto& run : runs_) {
      const auto folder = out_.runs() / run.id;
      if (options_.force) std::filesystem::remove_all(folder);
      const RunState state = run_state(folder);
      if (state == RunState::kFinished || state == RunState::kDiverged) continue;
      create_run(folder, run.spec);
      Job job{run.id, run.title, {}, threads_of(run.spec), estimated_seconds(run.spec, facts_), {}};
      if (const auto* analysis = std::get_if<AnalysisSpec>(&run.spec)) job.inputs = analysis->inputs;
      job.command = {program_,
                     "worker",
                     folder.string(),
                     "--data",
                     options_.data,
                     "--checkpoint-seconds",
                     fmt::format("{}", options_.checkpoint_seconds)};
      const auto* train = std::get_if<TrainSpec>(&run.spec);
      steps_.push_back(train ? train->steps : 0);
      jobs_.push_back(std::move(job));
    }
    reused_ = runs_.size() - jobs_.size();
    say(fmt::format(
        "{} at scale {} on {}: {} runs, {} already done\n",
        planned_.size() == 1 ? planned_.front().experiment.name : fmt::format("{} experiments", planned_.size()),
        options_.scale, facts_.title, runs_.size(), reused_));
  }

  void compute() {
    LaunchOptions launch_options;
    launch_options.cores = available_cores();
    launch_options.max_workers = options_.workers;
    launch_options.log_folder = out_.logs();
    launch_options.stop = &stop_requested();
    reported_.assign(jobs_.size(), JobState::kWaiting);
    seen_.assign(jobs_.size(), 0);
    launch_options.on_change = [this](const std::vector<JobStatus>& status) { follow(status); };
    status_ = launch(jobs_, launch_options);
    for (size_t i = 0; i < jobs_.size(); ++i) {
      if (status_[i].state == JobState::kFailed || status_[i].state == JobState::kSkipped) {
        errors_[jobs_[i].id] = status_[i].error;
      }
    }
  }

  void follow(const std::vector<JobStatus>& status) {
    double total = 0, done = 0;
    size_t ended = 0;
    for (size_t i = 0; i < jobs_.size(); ++i) {
      total += jobs_[i].cost;
      done += jobs_[i].cost * status[i].fraction;
      // What a resumed run had done before does not count towards the rate.
      if (seen_[i] > 0) steps_done_ += (status[i].fraction - seen_[i]) * static_cast<double>(steps_[i]);
      seen_[i] = status[i].fraction;
      ended += status[i].state == JobState::kDone;
      if (status[i].state == reported_[i]) continue;
      reported_[i] = status[i].state;
      if (status[i].state == JobState::kDone) a_run_is_done(status, i);
      if (status[i].state == JobState::kFailed) {
        display_.print(fmt::format("failed: {} ({}): {}; its log: {}", jobs_[i].title, jobs_[i].id, status[i].error,
                                   status[i].log.string()));
      }
    }
    if (stop_requested() && !said_stopping_) {
      said_stopping_ = true;
      display_.print("stopping: the runs under way write a checkpoint (Ctrl-C again ends at once)");
    }
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
    display_.update(done / total,
                    fmt::format("{} of {} runs, {:.1f} steps/s", ended + reused_, runs_.size(), steps_done_ / seconds));
  }

  /// After the first seed of everything, and after each further one, there is a report to look at.
  void a_run_is_done(const std::vector<JobStatus>& status, size_t index) {
    for (const auto& warning : status[index].warnings) display_.print("note: " + jobs_[index].title + ": " + warning);
    const int64_t seed = seed_of(index);
    for (size_t i = 0; i < jobs_.size(); ++i) {
      if (seed_of(i) == seed && status[i].state != JobState::kDone) return;
    }
    if (seed == seed_of(jobs_.size() - 1)) return;
    write();
    display_.print(fmt::format("seed {} is done: a first report is at {}", seed, report_path().string()));
  }

  int64_t seed_of(size_t job) const {
    return std::find_if(runs_.begin(), runs_.end(), [&](const auto& run) { return run.id == jobs_[job].id; })->seed;
  }

  void write() {
    report_ = make_report(planned_, out_.runs(), errors_);
    add_bench_section(out_, report_);
    write_report(report_, out_.path);
  }

  std::filesystem::path report_path() const { return std::filesystem::absolute(out_.path / "report.html"); }

  void say_what_was_done() const {
    if (options_.json) fmt::print("{}\n", report_.dump(2));
    std::FILE* out = options_.json ? stderr : stdout;
    for (const auto& claim : report_["claims"]) {
      fmt::print(out, "  {:<14} {}: {}\n", claim["verdict_corrected"].get<std::string>(),
                 claim["experiment"].get<std::string>(), claim["sentence"].get<std::string>());
    }
    if (!errors_.empty()) {
      fmt::print(out, "{} of {} runs failed; run the same command again to try them once more\n", errors_.size(),
                 runs_.size());
    }
    if (stop_requested()) fmt::print(out, "stopped; the same command goes on where it was\n");
    fmt::print(out, "{} {}\n", report_["state"] == "complete" ? "The report is at" : "The report so far is at",
               report_path().string());
  }

  const ReproduceOptions& options_;
  std::string program_;
  OutFolder out_;
  std::vector<PlannedExperiment> planned_;
  DataFacts facts_;
  std::vector<PlannedRun> runs_;
  std::vector<Job> jobs_;
  std::vector<int64_t> steps_;  // of each job
  std::vector<double> seen_;    // fraction of each job at the last look
  double steps_done_ = 0;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  std::vector<JobStatus> status_;
  std::vector<JobState> reported_;
  size_t reused_ = 0;
  bool said_stopping_ = false;
  RunErrors errors_;
  Json report_;
  ProgressDisplay display_;
};

}  // namespace

void add_reproduce(CLI::App& app, Invocation& invocation) {
  auto options = std::make_shared<ReproduceOptions>();
  CLI::App* command = app.add_subcommand("reproduce", "Run experiments and write the report");
  command->add_option("--only", options->only,
                      "Experiments by name, comma-separated; * stands for anything (default: all)");
  command->add_option("--scale", options->scale, "How large: smoke, quick, standard or paper")
      ->check(CLI::IsMember({"smoke", "quick", "standard", "paper"}))
      ->capture_default_str();
  command->add_option("--data", options->data, "Data set, NAME or NAME:PATH (see bnlab data list)")
      ->capture_default_str();
  command->add_option("--seeds", options->seeds, "Seeds per arm; verdicts need at least 3")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  command->add_option(
      "--probe-budget", options->probe_budget,
      "Most that a run's probes may cost by estimate, in percent of its steps, e.g. 5%: the probes of all "
      "runs then see fewer steps, all the same");
  command->add_option("--out", options->out, "Folder for runs and report")->capture_default_str();
  command->add_option("--workers", options->workers, "Processes at once (0: as many as fit the cores)")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
  command->add_option("--checkpoint-seconds", options->checkpoint_seconds, "Time between checkpoints of a run")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command->add_flag("--force", options->force, "Compute finished runs again");
  command->add_flag("--json", options->json, "Print report.json on standard output");
  command->footer(
      "Example:\n  bnlab reproduce --only santurkar-fig1 --data cifar10:DIR --seeds 5 --out results\n"
      "Finished runs are kept and never computed twice; Ctrl-C stops cleanly, the same command goes on.");
  command->callback([options, &invocation] {
    install_stop_handler();
    invocation.exit_status = Reproduction(*options, invocation.program).run();
  });
}

}  // namespace bnlab
