#include "bnlab/study/report_data.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <set>

#include "bnlab/record/curve.h"
#include "bnlab/record/parse_json.h"
#include "bnlab/train/fingerprint.h"
#include "bnlab/version.h"

namespace bnlab {
namespace {

constexpr int kSchemaVersion = 2;
constexpr size_t kPointsOfRun = 60;  // of a thousand runs each: a megabyte

/// What a finished run says of itself. Throws if its record cannot be read.
void add_record(Json& entry, const std::filesystem::path& folder) {
  const RunState state = run_state(folder);
  entry["state"] = to_string(state);
  if (state != RunState::kFinished && state != RunState::kDiverged) return;
  RunReader reader(folder);
  entry["seconds"] = reader.seconds();
  if (const auto seconds = reader.cpu_seconds()) entry["cpu_seconds"] = *seconds;
  if (reader.diverged_at() >= 0) entry["diverged_at"] = reader.diverged_at();
  if (const Curve curve = loss_curve(reader, kPointsOfRun); curve.of > 0) entry["curve"] = to_json(curve);
  if (const std::string costs = reader.meta("probe_seconds"); !costs.empty())
    entry["probe_seconds"] = parse_json(costs, "probe_seconds of the run");
}

Json run_entry(const PlannedRun& run, const std::filesystem::path& runs_folder, const RunErrors& errors) {
  Json entry = {{"id", run.id},
                {"title", run.title},
                {"kind", kind_of(run.spec)},
                {"steps", nullptr},
                {"diverged_at", nullptr},
                {"cpu_seconds", nullptr},
                {"seconds", nullptr},
                {"threads", threads_of(run.spec)},
                {"error", nullptr},
                {"probe_seconds", nullptr},
                {"spec", Json::parse(canonical_json(run.spec))},
                {"curve", nullptr}};
  if (const auto* train = std::get_if<TrainSpec>(&run.spec)) entry["steps"] = train->steps;
  try {
    add_record(entry, runs_folder / run.id);
  } catch (const std::exception& error) {
    entry["state"] = "failed";
    entry["error"] = error.what();
  }
  if (const auto it = errors.find(run.id); it != errors.end()) {
    entry["state"] = "failed";
    entry["error"] = it->second;
  }
  return entry;
}

/// What an experiment says of itself and of its runs, as it stands in the report.
struct Section {
  std::vector<std::string> what_was_run;
  Findings findings;
  Json claims = Json::array(), figures = Json::array();
  std::string error;  ///< why there are no findings, or ""
};

void fill(Section& section, const PlannedExperiment& planned, const std::filesystem::path& runs_folder) {
  const std::string& name = planned.experiment.name;
  section.what_was_run = planned.experiment.what_was_run(planned.setting);
  Results results(planned.plan, runs_folder);
  section.findings = planned.experiment.findings(planned.setting, results);
  for (const auto& judged : judge(section.findings.claims)) section.claims.push_back(to_json(judged, name));
  for (const auto& figure : section.findings.figures) {
    section.figures.push_back({{"experiment", name},
                               {"id", figure.id},
                               {"title", figure.title},
                               {"caption", figure.caption},
                               {"spec", figure.spec}});
  }
}

/// An error costs the findings of this experiment alone.
Section section_of(const PlannedExperiment& planned, const std::filesystem::path& runs_folder) {
  Section section;
  try {
    fill(section, planned, runs_folder);
  } catch (const std::exception& error) {
    section = {section.what_was_run, {}, Json::array(), Json::array(), error.what()};
  }
  return section;
}

/// The command that a reader may go on with.
std::string try_next(const PlannedExperiment& planned) {
  const Experiment& experiment = planned.experiment;
  if (!experiment.stop.try_next.empty()) return experiment.stop.try_next;
  const Scale next = planned.setting.scale == Scale::kSmoke ? Scale::kQuick : Scale::kStandard;
  return fmt::format("bnlab reproduce --only {} --scale {} --out more", experiment.name, to_string(next));
}

Json experiment_entry(const PlannedExperiment& planned, const Section& section,
                      const std::map<std::string, Json>& runs) {
  const Experiment& experiment = planned.experiment;
  double seconds = 0, cpu_seconds = 0, probe_seconds = 0;
  bool all_have_cpu_seconds = true;
  std::map<std::string, double> by_probe;
  int64_t ended = 0, failed = 0;
  for (const auto& run : planned.plan.runs()) {
    const Json& entry = runs.at(run.id);
    if (entry["state"] == "failed") ++failed;
    if (!entry["seconds"].is_number()) continue;
    ++ended;
    seconds += entry["seconds"].get<double>();
    if (entry["cpu_seconds"].is_number()) {
      cpu_seconds += entry["cpu_seconds"].get<double>();
    } else {
      all_have_cpu_seconds = false;
    }
    if (entry["probe_seconds"].is_object()) {
      for (const auto& probe : entry["probe_seconds"].items()) {
        probe_seconds += probe.value().get<double>();
        by_probe[probe.key()] += probe.value().get<double>();
      }
    }
  }
  const auto total = static_cast<int64_t>(planned.plan.runs().size());
  Json numbers = Json::array(), notes = Json::array();
  for (const auto& number : section.findings.paper_numbers) {
    numbers.push_back(
        {{"quantity", number.quantity}, {"paper", number.paper}, {"ours", number.ours}, {"note", number.note}});
  }
  if (!section.error.empty()) {
    notes.push_back("What the runs of this experiment say could not be worked out: " + section.error +
                    ". The rest of the report stands.");
  }
  if (ended < total)
    notes.push_back(fmt::format("{} of {} runs have no result yet{}.", total - ended, total,
                                failed > 0 ? fmt::format(", {} of them failed", failed) : ""));
  const double cost = all_have_cpu_seconds ? cpu_seconds : seconds;
  if (probe_seconds > 0 && cost > 0) {
    std::string shares;
    for (const auto& [probe, of_probe] : by_probe) {
      shares += fmt::format("{}{} {:.1f} %", shares.empty() ? "" : ", ", probe, 100 * of_probe / cost);
    }
    notes.push_back(fmt::format("Probes took {:.1f} % of the computing time: {}.", 100 * probe_seconds / cost, shares));
  }
  if (const int64_t n = planned.setting.probe_thinning; n > 1) {
    notes.push_back(fmt::format(
        "A probe budget was asked for: in all runs alike, probes saw one of {} of the steps that they ask for.", n));
  }
  return {{"name", experiment.name},
          {"title", experiment.title},
          {"question", experiment.question},
          {"source", experiment.source},
          {"figure", experiment.figure},
          {"rows", experiment.rows},
          {"chapter", title_of(experiment.stop.chapter)},
          {"plainly", experiment.stop.plainly},
          {"headline", experiment.stop.headline},
          {"in_short", experiment.stop.in_short},
          {"try_next", try_next(planned)},
          {"answer", section.findings.answer},
          {"what_was_run", section.what_was_run},
          {"paper_numbers", numbers},
          {"cost",
           {{"runs", total},
            {"cpu_seconds", all_have_cpu_seconds ? Json(cpu_seconds) : Json()},
            {"seconds", seconds},
            {"probe_seconds", probe_seconds}}},
          {"state", failed > 0 || !section.error.empty() ? "failed"
                    : ended < total                      ? "partial"
                                                         : "complete"},
          {"error", section.error.empty() ? Json() : Json(section.error)},
          {"notes", notes}};
}

void append(Json& list, const Json& more) {
  list.insert(list.end(), more.begin(), more.end());
}

std::string utc_now() {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr)));
}

}  // namespace

Json make_report(const std::vector<PlannedExperiment>& experiments, const std::filesystem::path& runs_folder,
                 const RunErrors& errors) {
  Json claims = Json::array(), figures = Json::array(), entries = Json::array(), run_list = Json::array();
  std::map<std::string, Json> runs;
  bool complete = true;
  for (const auto& planned : experiments) {
    for (const auto& run : planned.plan.runs()) {
      if (runs.count(run.id)) continue;
      runs[run.id] = run_entry(run, runs_folder, errors);
      run_list.push_back(runs[run.id]);
    }
    const Section section = section_of(planned, runs_folder);
    append(claims, section.claims);
    append(figures, section.figures);
    entries.push_back(experiment_entry(planned, section, runs));
    complete = complete && entries.back()["state"] == "complete";
  }
  const Setting& setting = experiments.front().setting;
  Json machine = fingerprint();
  machine.erase("bnlab");  // the report says it itself
  return {{"schema_version", kSchemaVersion},
          {"bnlab", kVersion},
          {"scale", to_string(setting.scale)},
          {"data", setting.data.set},
          {"data_title", setting.data.title},
          {"created", utc_now()},
          {"state", complete ? "complete" : "partial"},
          {"fingerprint", machine},
          {"claims", claims},
          {"figures", figures},
          {"experiments", entries},
          {"runs", run_list}};
}

}  // namespace bnlab
