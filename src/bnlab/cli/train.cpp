// bnlab train: one run of one's own, in this process, with any probes.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <vector>

#include "bnlab/cli/commands.h"
#include "bnlab/cli/common.h"
#include "bnlab/cli/environment.h"
#include "bnlab/launch/progress_display.h"
#include "bnlab/nn/model_list.h"
#include "bnlab/nn/norm_list.h"
#include "bnlab/probes/probe_list.h"
#include "bnlab/runs/completion.h"
#include "bnlab/runs/execution.h"

namespace bnlab {
namespace {

constexpr char kDefaultProbes[] = "default";

struct TrainOptions {
  std::string data = "fashion-mnist", out = "bnlab-out", spec_file, model = "vgg11", norm = "batch";
  std::string place = "before-activation", init = "glorot-uniform", augment = "none", scaling = "z-score",
              precision = "f32";
  std::vector<std::string> model_options, norm_options, probes;
  double width = 0.25, lr = 0.1, momentum = 0, weight_decay = 0, factor = 0.1, checkpoint_seconds = 20;
  std::vector<int64_t> milestones;
  int64_t batch = 128, steps = 400, seed = 0, threads = 0, pad_to = 0;
  std::string keep = "none";
  int64_t keep_every = 1;
  std::string probe_budget;
  bool force = false, json = false, print_spec = false;
};

/// "key=value" with a numeric value.
std::pair<std::string, double> parse_option(const std::string& flag, const std::string& text) {
  const size_t equals = text.find('=');
  try {
    size_t used = 0;
    const double value = std::stod(text.substr(equals + 1), &used);
    if (equals != std::string::npos && equals + 1 + used == text.size()) return {text.substr(0, equals), value};
  } catch (const std::exception&) {
  }
  throw SpecError(flag, "expected NAME=NUMBER, got \"" + text + "\"");
}

/// "name" or "name:key=value,key=value"; every, from and at_end are the schedule's, the rest are parameters, whose
/// values are JSON (or plain words): "activations:every=20,layers=[2,7]".
Json parse_probe(const std::string& text) {
  const size_t colon = text.find(':');
  Json probe = {{"name", text.substr(0, colon)}, {"parameters", Json::object()}};
  if (colon == std::string::npos) return probe;
  size_t begin = colon + 1;
  while (begin < text.size()) {
    int depth = 0;
    size_t end = begin;
    for (; end < text.size() && (depth > 0 || text[end] != ','); ++end)
      depth += text[end] == '[' ? 1 : text[end] == ']' ? -1 : 0;
    const std::string item = text.substr(begin, end - begin);
    const size_t equals = item.find('=');
    if (equals == std::string::npos) throw SpecError("--probe", "expected NAME:KEY=VALUE,…, got \"" + text + "\"");
    const std::string key = item.substr(0, equals), word = item.substr(equals + 1);
    Json value = Json::parse(word, nullptr, /*allow_exceptions=*/false);
    if (value.is_discarded()) value = word;
    const bool schedule = key == "every" || key == "from" || key == "at_end";
    (schedule ? probe[key] : probe["parameters"][key]) = value;
    begin = end + 1;
  }
  return probe;
}

Json spec_from_flags(const TrainOptions& o, const DataFacts& facts) {
  Json model_options = {{"width", o.width}}, norm_options = Json::object(), probes = Json::array();
  for (const auto& text : o.model_options) {
    const auto [name, value] = parse_option("--model-option", text);
    model_options[name] = value;
  }
  for (const auto& text : o.norm_options) {
    const auto [name, value] = parse_option("--norm-option", text);
    norm_options[name] = value;
  }
  for (const auto& text : o.probes) probes.push_back(text == kDefaultProbes ? Json(text) : parse_probe(text));
  const int64_t pad_to = o.pad_to > 0 ? o.pad_to : std::max<int64_t>(32, facts.shape.size);
  return {{"kind", "train"},
          {"data",
           {{"set", facts.set},
            {"digest", facts.digest},
            {"scaling", o.scaling},
            {"pad_to", pad_to},
            {"augment", o.augment}}},
          {"model",
           {{"name", o.model},
            {"options", model_options},
            {"init", o.init},
            {"norm", {{"kind", o.norm}, {"place", o.place}, {"options", norm_options}}}}},
          {"optimizer",
           {{"name", "sgd"},
            {"lr", o.lr},
            {"momentum", o.momentum},
            {"weight_decay", o.weight_decay},
            {"milestones", o.milestones},
            {"factor", o.factor}}},
          {"batch", o.batch},
          {"steps", o.steps},
          {"seed", o.seed},
          {"threads", o.threads},
          {"precision", o.precision},
          {"probes", probes},
          {"probe_budget", o.probe_budget.empty() ? Json() : Json(parse_percent("--probe-budget", o.probe_budget))},
          {"trajectory", {{"keep", o.keep}, {"every", o.keep_every}}}};
}

Json read_spec_file(const std::string& file) {
  try {
    return Json::parse(read_file(file));
  } catch (const Json::exception& error) {
    throw SpecError(file, std::string("is not JSON: ") + error.what());
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

/// The complete spec that the flags or the file ask for.
TrainSpec read_spec(const TrainOptions& options, const DataFacts& facts) {
  Json json = options.spec_file.empty() ? spec_from_flags(options, facts) : read_spec_file(options.spec_file);
  const bool with_default_probes = take_default_probes(json);
  RunSpec spec = complete_run_spec(parse_run_spec(json), facts);
  auto* train = std::get_if<TrainSpec>(&spec);
  if (!train) throw SpecError("kind", "bnlab train runs specs of kind \"train\"");
  if (!with_default_probes) return *train;
  for (auto& probe : default_probes(train->steps, network_facts(*train, facts).layers)) train->probes.push_back(probe);
  return std::get<TrainSpec>(complete_run_spec(spec, facts));
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
    for (const auto& [probe, seconds] : Json::parse(costs).get<std::map<std::string, double>>()) probes += seconds;
    if (probes > 0) result["probe_overhead"] = probes / (cost - probes);
  }
  const Series test = run.scalars({"accuracy", 0, "test_accuracy"});
  if (!test.values.empty()) result["test_accuracy"] = test.values.back();
  if (run.diverged_at() >= 0) result["diverged_at"] = run.diverged_at();
  return result;
}

/// Median time between successive steps, in seconds.
double median_step(const std::vector<std::chrono::steady_clock::time_point>& starts) {
  std::vector<double> seconds;
  for (size_t i = 1; i < starts.size(); ++i) {
    seconds.push_back(std::chrono::duration<double>(starts[i] - starts[i - 1]).count());
  }
  std::nth_element(seconds.begin(), seconds.begin() + static_cast<int64_t>(seconds.size() / 2), seconds.end());
  return seconds[seconds.size() / 2];
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

int train_one(const TrainOptions& options) {
  const DataChoice data = parse_data_choice(options.data);
  const DataFacts facts = load_facts(data);
  const RunSpec spec = read_spec(options, facts);
  if (options.print_spec) {
    fmt::print("{}\n", to_json(spec).dump(2));
    return kExitDone;
  }
  require_threads("--threads", threads_of(spec));
  const std::string id = run_id(spec);
  const auto folder = OutFolder{options.out}.runs() / id;
  if (options.force) remove_run(folder);
  create_run(folder, spec);
  ProgressDisplay display;
  ExecutionOptions execution;
  execution.stop = &stop_requested();
  execution.checkpoint_interval = std::chrono::duration<double>(options.checkpoint_seconds);
  const auto start = std::chrono::steady_clock::now();
  int64_t first = -1;
  std::vector<std::chrono::steady_clock::time_point> step_starts;
  execution.progress = [&](int64_t step, int64_t steps, double loss) {
    if (first < 0) first = step;
    step_starts.push_back(std::chrono::steady_clock::now());
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    display.update(
        static_cast<double>(step) / static_cast<double>(steps),
        fmt::format("step {} of {}, {:.1f} steps/s, loss {:.3f}", step, steps, (step - first) / seconds, loss));
  };
  DataShelf shelf(data);
  const auto outcome =
      execute_run(folder, shelf, execution, [&](const std::string& text) { display.print("note: " + text); });
  if (outcome == RunOutcome::kInterrupted) {
    display.print("stopped; the same command goes on where it was");
    return kExitStopped;
  }
  RunReader run(folder);
  Json result = summary(run, id);
  if (step_starts.size() > 2) result["median_step_seconds"] = median_step(step_starts);
  display.print("");
  if (options.json) {
    fmt::print("{}\n", result.dump(2));
  } else {
    print_summary(result);
  }
  return kExitDone;
}

template <class Kind>
std::string names(const std::vector<Kind>& kinds, std::string Kind::*name) {
  std::vector<std::string> all;
  for (const auto& kind : kinds) all.push_back(kind.*name);
  return join_or(all);
}

void add_flags(CLI::App& command, TrainOptions& o) {
  command.add_option("--data", o.data, "Data set, NAME or NAME:PATH (see bnlab data list)")->capture_default_str();
  command.add_option("--spec", o.spec_file, "A run spec as JSON, instead of the flags below")->check(CLI::ExistingFile);
  command.add_option("--model", o.model, "Model: " + names(model_kinds(), &ModelKind::name))->capture_default_str();
  command.add_option("--width", o.width, "Channels relative to the original's")->capture_default_str();
  command.add_option("--model-option", o.model_options, "Further options of the model, NAME=NUMBER");
  command.add_option("--norm", o.norm, "Normalization: " + names(norm_kinds(), &NormKind::kind))->capture_default_str();
  command.add_option("--place", o.place, "before-activation or after-activation")->capture_default_str();
  command.add_option("--norm-option", o.norm_options, "Options of the normalization, NAME=NUMBER, e.g. eps=1e-3");
  command.add_option("--init", o.init, "glorot-uniform or glorot-normal")->capture_default_str();
  command.add_option("--scaling", o.scaling, "none or z-score")->capture_default_str();
  command.add_option("--augment", o.augment, "none or flip-crop")->capture_default_str();
  command.add_option("--pad-to", o.pad_to, "Pad images to this size (default: at least 32)");
  command.add_option("--lr", o.lr, "Learning rate")->capture_default_str();
  command.add_option("--momentum", o.momentum, "Momentum")->capture_default_str();
  command.add_option("--weight-decay", o.weight_decay, "Weight decay")->capture_default_str();
  command.add_option("--milestones", o.milestones, "Steps at which the rate is multiplied by --factor")->delimiter(',');
  command.add_option("--factor", o.factor, "See --milestones")->capture_default_str();
  command.add_option("--batch", o.batch, "Batch size")->capture_default_str();
  command.add_option("--steps", o.steps, "Training steps")->capture_default_str();
  command.add_option("--seed", o.seed, "Seed of everything")->capture_default_str();
  command.add_option("--threads", o.threads, "Threads (0: by rule from the network's size)")->capture_default_str();
  command
      .add_option(
          "--probe", o.probes,
          "NAME[:KEY=VALUE,…], may be repeated, e.g. accuracy:every=50,examples=1000; \"default\": activations and "
          "moment-changes of all layers at 32 to 63 steps")
      ->excludes("--spec");
  command
      .add_option("--probe-budget", o.probe_budget,
                  "Most that probes may cost, in percent of the time without them, e.g. 5%: they then see fewer steps")
      ->excludes("--spec");
  command.add_option("--keep", o.keep, "Trajectory: none, weights or projection")->capture_default_str();
  command.add_option("--keep-every", o.keep_every, "Steps between kept points")->capture_default_str();
  command.add_option("--out", o.out, "Folder; the run goes to OUT/runs/ID")->capture_default_str();
  command.add_option("--checkpoint-seconds", o.checkpoint_seconds, "Time between checkpoints")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command.add_flag("--force", o.force, "Compute the run again if it is finished");
  command.add_flag("--print-spec", o.print_spec, "Print the complete run spec and stop");
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
    invocation.exit_status = train_one(*options);
  });
}

}  // namespace bnlab
