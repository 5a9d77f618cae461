// bnlab status: which runs of a folder are done, under way and by whom, failed, missing.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <set>
#include <thread>

#include "bnlab/cli/commands.h"
#include "bnlab/cli/common.h"
#include "bnlab/cli/output.h"
#include "bnlab/launch/progress_display.h"
#include "bnlab/launch/shared_runs.h"
#include "bnlab/study/cost_shares.h"

namespace bnlab {
namespace {

struct RunLine {
  std::string id, title, state, detail;
  double fraction = 0, cost = 0;
  LeaseRecord lease;
  int64_t looks_since_beat = 0;
};

struct StatusOptions {
  std::string folder = "bnlab-out";
  double watch = 2.5;
  bool json = false;
};

const char* name_of(const Outlook& outlook, bool ended) {
  if (ended) return "done";
  if (outlook.kind == Outlook::Kind::kHeld) return "running";
  return outlook.kind == Outlook::Kind::kFailed ? "failed" : "missing";
}

/// Each run once, looked at twice: what has beaten in between lives.
std::vector<RunLine> look_at_all(const OutFolder& out, const Request& request, double watch) {
  SharedRuns shared(out.runs(), out.logs(), kLeasePatience);
  std::vector<RunLine> lines;
  std::set<std::string> seen;
  for (const auto& experiment : plan_experiments(request)) {
    for (const auto& run : experiment.plan.runs()) {
      if (!seen.insert(run.id).second) continue;
      const bool ended = run_ended(out.runs() / run.id);
      const Outlook outlook = ended ? Outlook{} : shared.look(run.id);
      lines.push_back({run.id, run.title, name_of(outlook, ended), outlook.text, ended ? 1 : outlook.fraction,
                       core_seconds(run.spec, request.facts), outlook.lease});
    }
  }
  const auto is_running = [](const RunLine& line) { return line.state == "running"; };
  if (std::none_of(lines.begin(), lines.end(), is_running)) return lines;
  std::this_thread::sleep_for(std::chrono::duration<double>(watch));
  for (auto& line : lines) {
    if (!is_running(line)) continue;
    const Outlook now = shared.look(line.id);
    const bool same = now.lease.token == line.lease.token && now.lease.beat == line.lease.beat;
    line.looks_since_beat = same && now.kind == Outlook::Kind::kHeld ? 1 : 0;
    line.fraction = std::max(line.fraction, now.fraction);
  }
  return lines;
}

/// Seconds until all is done, if those that are at work go on as they are: -1 if nobody is, or if nothing tells.
double seconds_left(const OutFolder& out, const std::vector<RunLine>& lines) {
  double measured = 0, estimated = 0, left = 0;
  int64_t running = 0;
  for (const auto& line : lines) {
    if (line.state == "done") {
      measured += RunReader(out.runs() / line.id).seconds();
      estimated += line.cost;
    } else {
      left += line.cost * (1 - line.fraction);
    }
    running += line.state == "running" && line.looks_since_beat == 0;
  }
  if (left == 0) return 0;
  return running > 0 && estimated > 0 ? left * measured / estimated / static_cast<double>(running) : -1;
}

Json status_json(const std::vector<RunLine>& lines, const std::map<std::string, int64_t>& count, double left) {
  Json runs = Json::array();
  for (const auto& line : lines) {
    Json run = {{"id", line.id}, {"title", line.title}, {"state", line.state}, {"fraction", line.fraction}};
    if (line.state == "failed") run["error"] = line.detail;
    if (line.state == "running") {
      run["holder"] = {{"host", line.lease.owner.host}, {"pid", line.lease.owner.pid}, {"job", line.lease.owner.job}};
      run["beats"] = line.looks_since_beat == 0;
    }
    runs.push_back(std::move(run));
  }
  return {{"done", count.at("done")},
          {"running", count.at("running")},
          {"failed", count.at("failed")},
          {"missing", count.at("missing")},
          {"seconds_left", left < 0 ? Json() : Json(left)},
          {"runs", runs}};
}

void print_lines(const std::vector<RunLine>& lines, const std::map<std::string, int64_t>& count, double left) {
  std::string text;
  for (const auto& line : lines) {
    if (line.state == "running") {
      text += fmt::format("running {:3.0f} %  {} ({}): {}{}\n", 100 * line.fraction, line.title, line.id, line.detail,
                          line.looks_since_beat > 0 ? "; no sign of it meanwhile, it may be gone" : "");
    } else if (line.state == "failed") {
      text += fmt::format("failed         {} ({}): {}\n", line.title, line.id, line.detail);
    }
  }
  text += fmt::format("{} of {} runs done, {} running, {} failed, {} missing", count.at("done"), lines.size(),
                      count.at("running"), count.at("failed"), count.at("missing"));
  if (left > 0) text += fmt::format("; about {} left as things go", duration_text(left));
  write_output(text + "\n");
}

int show_status(const StatusOptions& options) {
  const OutFolder out{options.folder};
  const auto lines = look_at_all(out, load_request(out), options.watch);
  std::map<std::string, int64_t> count = {{"done", 0}, {"running", 0}, {"failed", 0}, {"missing", 0}};
  for (const auto& line : lines) ++count[line.state];
  const double left = seconds_left(out, lines);
  if (options.json) {
    print_json(status_json(lines, count, left));
  } else {
    print_lines(lines, count, left);
  }
  return count["done"] == static_cast<int64_t>(lines.size()) ? kExitDone : kExitFailed;
}

}  // namespace

void add_status(CLI::App& app, Invocation& invocation) {
  auto options = std::make_shared<StatusOptions>();
  CLI::App* command = app.add_subcommand("status", "Say which runs of a folder are done, under way and missing");
  command->add_option("folder", options->folder, "The --out of bnlab reproduce")->capture_default_str();
  command->add_option("--watch", options->watch, "Seconds to watch whether those at work give a sign of life")
      ->check(CLI::Range(0.0, 3600.0))
      ->capture_default_str();
  command->add_flag("--json", options->json, "Print it as JSON");
  command->footer(
      "Example:\n  bnlab status results\nExit status 0: all runs are done; 1: not all are. It asks the folder alone, "
      "on "
      "any machine that has it.");
  command->callback([options, &invocation] { invocation.exit_status = show_status(*options); });
}

}  // namespace bnlab
