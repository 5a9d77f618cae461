// bnlab reproduce: plan the experiments, compute the runs that are missing, write the report.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <stdexcept>

#include "bnlab/cli/commands.h"
#include "bnlab/cli/common.h"
#include "bnlab/cli/growing_report.h"
#include "bnlab/cli/live_page.h"
#include "bnlab/cli/output.h"
#include "bnlab/launch/launcher.h"
#include "bnlab/launch/progress_display.h"
#include "bnlab/study/cost_shares.h"

namespace bnlab {
namespace {

struct ReproduceOptions {
  std::string only, data = "fashion-mnist", scale = "quick", out = "bnlab-out", probe_budget;
  int64_t seeds = 0, first_seed = 1, workers = 0;
  double checkpoint_seconds = 20;
  int port = -1;
  bool force = false, json = false, serve = false;
};

/// The runs of all experiments, each once: seed by seed, in the order of the experiments. So there is soon something to
/// see, and the first seed of everything is done before the second seed of anything.
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

Request request_of(const ReproduceOptions& options) {
  const Scale scale = *parse_scale(options.scale);
  const int64_t seeds = options.seeds > 0 ? options.seeds : default_seeds(scale);
  Request request{options.only, scale, options.data, {}, first_seeds(seeds, options.first_seed)};
  if (!options.probe_budget.empty()) request.probe_budget = parse_percent("--probe-budget", options.probe_budget);
  request.facts = load_facts(parse_data_choice(options.data));
  choose_thinning(request);
  return request;
}

/// "36 primary claims: 20 supported, 9 not supported, 7 undecided; and 60 secondary claims, in the report".
std::string tally(const Json& claims) {
  std::map<std::string, int> verdicts;
  int primary = 0, secondary = 0;
  for (const auto& claim : claims) {
    ++(claim["rank"] == "primary" ? primary : secondary);
    if (claim["rank"] == "primary") ++verdicts[claim["verdict"].get<std::string>()];
  }
  return fmt::format(
      "{} primary claims: {} supported, {} not supported, {} undecided; and {} secondary claims, in the "
      "report",
      primary, verdicts["supported"], verdicts["not supported"], verdicts["undecided"], secondary);
}

bool is_over(JobState state) {
  return state != JobState::kWaiting && state != JobState::kRunning;
}

class Reproduction {
 public:
  Reproduction(const ReproduceOptions& options, const std::string& program, const Request& request)
      : options_(options),
        program_(program),
        out_{options.out},
        facts_(request.facts),
        planned_(plan_experiments(request)),
        runs_(runs_in_order(planned_)),
        report_(out_, planned_) {
    std::filesystem::create_directories(out_.runs());
    save_request(out_, request);
  }

  int run() {
    std::optional<LivePage> page;
    if (options_.serve) {
      page.emplace(program_, out_, options_.port);
      say(fmt::format("The page is at {}\n", page->address()));
    }
    prepare();
    if (!jobs_.empty()) compute();
    const bool written = report_.write(errors_);
    say_what_was_done();
    if (!written) throw std::runtime_error(report_.error());
    if (stop_requested()) return kExitStopped;
    return errors_.empty() ? kExitDone : kExitFailed;
  }

 private:
  void prepare() {
    for (const auto& run : runs_) {
      const auto folder = out_.runs() / run.id;
      if (options_.force) remove_run(folder);
      if (run_ended(folder)) {
        report_.run_ended(run.id);
        continue;
      }
      create_run(folder, run.spec);
      Job job{run.id, run.title, {}, threads_of(run.spec), core_seconds(run.spec, facts_)};
      if (const auto* analysis = std::get_if<AnalysisSpec>(&run.spec)) job.inputs = analysis->inputs;
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
    LaunchOptions launch;
    launch.worker = {program_,
                     "worker",
                     options_.out,
                     "--data",
                     options_.data,
                     "--checkpoint-seconds",
                     fmt::format("{}", options_.checkpoint_seconds)};
    launch.log_folder = out_.logs();
    launch.cores = available_cores();
    launch.max_workers = options_.workers;
    launch.stop = &stop_requested();
    known_.assign(jobs_.size(), JobState::kWaiting);
    seen_.assign(jobs_.size(), 0);
    Launcher launcher(jobs_, launch);
    bool going_on = true;
    while (going_on) {
      going_on = launcher.step();
      for (size_t i = 0; i < jobs_.size(); ++i) follow(i, launcher.status()[i]);
      if (going_on && !stop_requested()) grow_report();
      show_progress(launcher.status());
    }
  }

  void follow(size_t job, const JobStatus& status) {
    if (status.state == known_[job]) return;
    known_[job] = status.state;
    for (const auto& warning : status.warnings) display_.print("note: " + jobs_[job].title + ": " + warning);
    if (is_over(status.state)) report_.run_ended(jobs_[job].id);
    if (status.state == JobState::kFailed || status.state == JobState::kSkipped) errors_[jobs_[job].id] = status.error;
    if (status.state == JobState::kFailed) {
      display_.print(fmt::format("failed: {} ({}): {}; its log: {}", jobs_[job].title, jobs_[job].id, status.error,
                                 status.log.string()));
    }
  }

  void show_progress(const std::vector<JobStatus>& status) {
    if (stop_requested() && !said_stopping_) {
      said_stopping_ = true;
      display_.print("stopping: the runs under way write a checkpoint (Ctrl-C again ends at once)");
    }
    double total = 0, done = 0;
    size_t ended = 0;
    for (size_t i = 0; i < jobs_.size(); ++i) {
      total += jobs_[i].cost;
      done += jobs_[i].cost * status[i].fraction;
      // What a resumed run had done before does not count towards the rate.
      if (seen_[i] > 0) steps_done_ += (status[i].fraction - seen_[i]) * static_cast<double>(steps_[i]);
      seen_[i] = status[i].fraction;
      ended += status[i].state == JobState::kDone;
    }
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
    display_.update(done / total,
                    fmt::format("{} of {} runs, {:.1f} steps/s", ended + reused_, runs_.size(), steps_done_ / seconds));
  }

  void grow_report() {
    if (!report_.due()) return;
    if (report_.write(errors_)) {
      if (!said_report_) display_.print("a first report is at " + report_.page().string());
      said_report_ = true;
    } else {
      if (!said_no_report_) display_.print("no report yet: " + report_.error());
      said_no_report_ = true;
    }
  }

  void say_what_was_done() const {
    const Json& report = report_.json();
    if (report.is_null()) return;
    if (options_.json) print_json(report);
    std::FILE* out = options_.json ? stderr : stdout;
    for (const auto& claim : report["claims"]) {
      if (claim["rank"] != "primary") continue;
      fmt::print(out, "  {:<14} {}: {}\n", claim["verdict"].get<std::string>(), claim["experiment"].get<std::string>(),
                 claim["sentence"].get<std::string>());
    }
    fmt::print(out, "  {}\n", tally(report["claims"]));
    if (!errors_.empty()) {
      fmt::print(out, "{} of {} runs failed; run the same command again to try them once more\n", errors_.size(),
                 runs_.size());
    }
    if (stop_requested()) fmt::print(out, "stopped; the same command goes on where it was\n");
    if (!report_.error().empty()) return;
    fmt::print(out, "{} {}\n", report["state"] == "complete" ? "The report is at" : "The report so far is at",
               report_.page().string());
  }

  const ReproduceOptions& options_;
  std::string program_;
  OutFolder out_;
  DataFacts facts_;
  std::vector<PlannedExperiment> planned_;
  std::vector<PlannedRun> runs_;
  GrowingReport report_;
  std::vector<Job> jobs_;
  std::vector<int64_t> steps_;   // of each job
  std::vector<JobState> known_;  // of each job, at the last look
  std::vector<double> seen_;     // fraction of each job, at the last look
  double steps_done_ = 0;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  size_t reused_ = 0;
  bool said_stopping_ = false, said_report_ = false, said_no_report_ = false;
  RunErrors errors_;
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
  command->add_option("--seeds", options->seeds, "Seeds per arm; verdicts need at least 3 (default: 5; 1 at smoke)")
      ->check(CLI::Range(1, 1000));
  command
      ->add_option("--first-seed", options->first_seed,
                   "The seeds are this one and those that follow; 1000 and up are for pilots, on which protocols are "
                   "chosen and nothing is judged")
      ->check(CLI::Range(int64_t{0}, int64_t{1'000'000'000}))
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
  CLI::Option* serve = command->add_flag("--serve", options->serve, "Show the work as a live page (see bnlab serve)");
  command->add_option("--port", options->port, "Port of that page (default: the first free one from 8765 on)")
      ->check(CLI::Range(0, 65535))
      ->needs(serve);
  command->add_flag("--force", options->force, "Compute finished runs again");
  command->add_flag("--json", options->json, "Print report.json on standard output");
  command->footer(
      "Example:\n  bnlab reproduce --only santurkar-fig1 --data cifar10:DIR --seeds 5 --out results\n"
      "Finished runs are kept and never computed twice; Ctrl-C stops cleanly, the same command goes on.");
  command->callback([options, &invocation] {
    install_stop_handler();
    invocation.exit_status = Reproduction(*options, invocation.program, request_of(*options)).run();
  });
}

}  // namespace bnlab
