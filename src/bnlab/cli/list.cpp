// bnlab list: the experiments, what each reproduces, what it costs, and its state here.
#include <fmt/format.h>

#include <filesystem>
#include <map>
#include <optional>
#include <stdexcept>

#include "bnlab/cli/commands.h"
#include "bnlab/cli/common.h"
#include "bnlab/cli/output.h"
#include "bnlab/experiments/experiment_list.h"
#include "bnlab/launch/launcher.h"
#include "bnlab/launch/progress_display.h"
#include "bnlab/study/cost_shares.h"

namespace bnlab {
namespace {

struct ListOptions {
  std::string data = "fashion-mnist", out = "bnlab-out";
  int64_t seeds = 0;
  bool json = false;
};

struct AtScale {
  double seconds = 0;       ///< estimated, on this machine's cores, as if it were run alone
  double core_seconds = 0;  ///< of the runs that no experiment before it needs
  size_t runs = 0, done = 0;
  std::string state() const { return done == 0 ? "not run" : done < runs ? "partial" : "done"; }
};

AtScale at_scale(const Plan& plan, const DataFacts& facts, const OutFolder& out, CostShares& shares) {
  AtScale result;
  for (const auto& run : plan.runs()) {
    ++result.runs;
    result.seconds += core_seconds(run.spec, facts) / static_cast<double>(available_cores());
    result.done += run_ended(out.runs() / run.id);
  }
  result.core_seconds = shares.add(plan);
  return result;
}

using SharesByScale = std::map<Scale, CostShares>;

Json entry(const Experiment& experiment, const std::optional<DataFacts>& facts, const ListOptions& options,
           SharesByScale& shares) {
  Json scales = Json::object(), state = Json::object();
  for (const Scale scale : all_scales()) {
    if (!facts) continue;
    const auto seeds = first_seeds(options.seeds > 0 ? options.seeds : default_seeds(scale));
    const Plan plan = experiment.plan({scale, *facts, seeds});
    const AtScale at = at_scale(plan, *facts, {options.out}, shares.try_emplace(scale, *facts).first->second);
    scales[to_string(scale)] = {
        {"estimated_seconds", at.seconds}, {"core_seconds", at.core_seconds}, {"runs", at.runs}};
    state[to_string(scale)] = at.state();
  }
  return {{"name", experiment.name},
          {"title", experiment.title},
          {"rows", experiment.rows},
          {"source", experiment.source},
          {"figure", experiment.figure},
          {"question", experiment.question},
          {"scales", scales},
          {"state", state}};
}

void print_entry(const Json& entry) {
  fmt::print("{}  {}\n  {}\n  {}, {}\n", entry["name"].get<std::string>(), entry["title"].get<std::string>(),
             entry["question"].get<std::string>(), entry["source"].get<std::string>(),
             entry["figure"].get<std::string>());
  for (const Scale scale : all_scales()) {
    const std::string name = to_string(scale);
    if (!entry["scales"].contains(name)) continue;
    fmt::print("    {:<9} {:>4} runs  about {:<16} {}\n", name, entry["scales"][name]["runs"].get<size_t>(),
               duration_text(entry["scales"][name]["estimated_seconds"]), entry["state"][name].get<std::string>());
  }
}

void list(const ListOptions& options) {
  if (std::filesystem::exists(options.out) && !std::filesystem::is_directory(options.out)) {
    throw std::runtime_error(options.out + ": is no folder; give the one that was the --out of bnlab reproduce");
  }
  std::optional<DataFacts> facts;
  try {
    facts = load_facts(parse_data_choice(options.data));
  } catch (const DataError& error) {
    say(fmt::format("costs and states are left out: {}\n", error.what()));
  }
  Json entries = Json::array();
  SharesByScale shares;
  for (const auto& experiment : experiments()) entries.push_back(entry(experiment, facts, options, shares));
  if (options.json) {
    print_json(entries);
    return;
  }
  for (const auto& entry : entries) print_entry(entry);
}

}  // namespace

void add_list(CLI::App& app, Invocation&) {
  auto options = std::make_shared<ListOptions>();
  CLI::App* command = app.add_subcommand("list", "The experiments, what each reproduces, its cost and its state here");
  command->add_option("--data", options->data, "Data set for costs and states")->capture_default_str();
  command->add_option("--out", options->out, "Folder whose runs count as done")->capture_default_str();
  command->add_option("--seeds", options->seeds, "Seeds per arm (default: 5; 1 at smoke)")->check(CLI::Range(1, 1000));
  command->add_flag("--json", options->json, "An array with name, rows, source, figure, question, scales, state");
  command->footer("Example:\n  bnlab list --json");
  command->callback([options] { list(*options); });
}

}  // namespace bnlab
