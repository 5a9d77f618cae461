#include "bnlab/cli/reproduction.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <stdexcept>

#include "bnlab/cli/commands.h"
#include "bnlab/cli/live_page.h"
#include "bnlab/cli/output.h"
#include "bnlab/cli/plan_listing.h"
#include "bnlab/launch/launcher.h"
#include "bnlab/launch/slurm_executor.h"
#include "bnlab/study/cost_shares.h"

namespace bnlab {
namespace {

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

/// An element of a job has the cores that Slurm gave it, whether or not Slurm binds it to them.
int64_t cores_of_element() {
  const char* given = std::getenv("SLURM_CPUS_ON_NODE");
  const int64_t cores = given == nullptr ? 0 : std::atoll(given);
  return cores > 0 ? std::min(cores, available_cores()) : available_cores();
}

bool is_over(JobState state) {
  return state != JobState::kWaiting && state != JobState::kRunning;
}

}  // namespace

Reproduction::Reproduction(const ReproduceOptions& options, const std::string& program, const Request& request)
    : options_(options),
      program_(program),
      out_{options.out},
      facts_(request.facts),
      planned_(plan_experiments(request)),
      runs_(runs_in_order(planned_)),
      report_(out_, planned_),
      shared_(out_.runs(), out_.logs(), std::chrono::milliseconds(static_cast<int64_t>(1000 * options.patience))),
      hellos_(out_) {
  if (options_.join) say_hello(out_, program_, facts_);
  std::filesystem::create_directories(out_.runs());
  std::filesystem::create_directories(out_.logs());
  if (!options_.join) save_request(out_, request);
}

int Reproduction::run() {
  std::optional<LivePage> page;
  if (options_.serve) {
    page.emplace(program_, out_, options_.port);
    say(fmt::format("The page is at {}\n", page->address()));
  }
  prepare();
  if (!jobs_.empty()) compute();
  if (options_.join) return finish_join();
  if (options_.detach) return kExitDone;
  const bool written = report_.write(errors_);
  say_what_was_done();
  if (!written) throw std::runtime_error(report_.error());
  if (stop_requested()) return kExitStopped;
  return errors_.empty() ? kExitDone : kExitFailed;
}

void Reproduction::prepare() {
  for (const auto& run : runs_) {
    const auto folder = out_.runs() / run.id;
    if (options_.force) remove_run(folder);
    if (run_ended(folder)) {
      report_.run_ended(run.id);
      continue;
    }
    create_run(folder, run.spec);
    if (!options_.join) forget_failure(out_.logs(), run.id);
    Job job{run.id, run.title, {}, processors_of(run.spec), core_seconds(run.spec, facts_)};
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

std::unique_ptr<Executor> Reproduction::make_executor() {
  return options_.executor == "slurm" ? make_slurm_executor() : make_launcher();
}

std::unique_ptr<Executor> Reproduction::make_slurm_executor() {
  SlurmJob slurm;
  slurm.command = {program_, "reproduce", "--join"};
  slurm.command.insert(slurm.command.end(), options_.asked.begin(), options_.asked.end());
  slurm.arguments = split_arguments(options_.slurm_args);
  slurm.elements = std::min(options_.array, static_cast<int64_t>(jobs_.size()));
  slurm.folder = std::filesystem::absolute(cluster_folder(out_));
  say_what_submits(out_, program_, facts_);
  return std::make_unique<SlurmExecutor>(jobs_, slurm, shared_, out_.logs(), &stop_requested());
}

std::unique_ptr<Executor> Reproduction::make_launcher() {
  LaunchOptions launch;
  launch.worker = {program_,
                   "worker",
                   options_.out,
                   "--data",
                   options_.data,
                   "--checkpoint-seconds",
                   fmt::format("{}", options_.checkpoint_seconds)};
  launch.log_folder = out_.logs();
  launch.cores = options_.join ? cores_of_element() : available_cores();
  launch.max_workers = options_.workers;
  launch.stop = &stop_requested();
  launch.shared = &shared_;
  launch.leave_held = options_.join;
  return std::make_unique<Launcher>(jobs_, launch);
}

void Reproduction::compute() {
  known_.assign(jobs_.size(), JobState::kWaiting);
  seen_.assign(jobs_.size(), 0);
  executor_ = make_executor();
  tell_news();
  bool going_on = !options_.detach;
  while (going_on) {
    going_on = executor_->step();
    tell_news();
    for (size_t i = 0; i < jobs_.size(); ++i) follow(i, executor_->status()[i]);
    if (going_on && !stop_requested() && !options_.join) grow_report();
    show_progress(executor_->status());
  }
}

void Reproduction::tell_news() {
  for (const auto& note : executor_->take_notes()) display_.print(note);
  if (options_.executor != "slurm") return;
  for (const auto& news : hellos_.news()) display_.print(news);
}

void Reproduction::follow(size_t job, const JobStatus& status) {
  if (status.state == known_[job]) return;
  known_[job] = status.state;
  for (const auto& warning : status.warnings) display_.print("note: " + jobs_[job].title + ": " + warning);
  if (is_over(status.state)) report_.run_ended(jobs_[job].id);
  if (status.state == JobState::kFailed || status.state == JobState::kSkipped) errors_[jobs_[job].id] = status.error;
  if (status.state == JobState::kFailed) {
    note_failure(out_.logs(), jobs_[job].id, status.error);
    display_.print(fmt::format("failed: {} ({}): {}; its log: {}", jobs_[job].title, jobs_[job].id, status.error,
                               status.log.string()));
  }
}

void Reproduction::show_progress(const std::vector<JobStatus>& status) {
  if (stop_requested() && !said_stopping_) {
    said_stopping_ = true;
    display_.print(executor_->on_stop());
  }
  double total = 0, done = 0;
  size_t ended = 0, elsewhere = 0;
  for (size_t i = 0; i < jobs_.size(); ++i) {
    total += jobs_[i].cost;
    done += jobs_[i].cost * status[i].fraction;
    // What a resumed run had done before does not count towards the rate.
    if (seen_[i] > 0) steps_done_ += (status[i].fraction - seen_[i]) * static_cast<double>(steps_[i]);
    seen_[i] = status[i].fraction;
    ended += status[i].state == JobState::kDone;
    elsewhere += !status[i].held_by.empty() && status[i].state == JobState::kWaiting;
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  const std::string others = elsewhere > 0 ? fmt::format(", {} with other processes", elsewhere) : "";
  display_.update(done / total, fmt::format("{} of {} runs{}, {:.1f} steps/s", ended + reused_, runs_.size(), others,
                                            steps_done_ / seconds));
}

/// What is left is others' work, or is gone on with by whoever starts the job again.
int Reproduction::finish_join() const {
  if (stop_requested()) return kExitStopped;
  return errors_.empty() ? kExitDone : kExitFailed;
}

void Reproduction::grow_report() {
  if (!report_.due()) return;
  if (report_.write(errors_)) {
    if (!said_report_) display_.print("a first report is at " + report_.page().string());
    said_report_ = true;
  } else {
    if (!said_no_report_) display_.print("no report yet: " + report_.error());
    said_no_report_ = true;
  }
}

void Reproduction::say_what_was_done() const {
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

}  // namespace bnlab
