#include "bnlab/cli/common.h"

#include <signal.h>

#include <numeric>

#include "bnlab/experiments/experiment_list.h"
#include "bnlab/launch/worker_process.h"
#include "bnlab/record/parse_json.h"
#include "bnlab/runs/probe_cost.h"

namespace bnlab {
namespace {

std::atomic<bool> stop{false};
static_assert(std::atomic<bool>::is_always_lock_free);

// The handler stays in place until the second signal: SIGINT after SIGTERM is a second one, too.
void end_at_second(int signal_number) {
  if (!stop.exchange(true)) return;
  kill_all_workers();
  signal(signal_number, SIG_DFL);
  raise(signal_number);
}

void only_note(int) {
  stop = true;
}

}  // namespace

const std::atomic<bool>& stop_requested() {
  return stop;
}

void install_stop_handler(SecondSignal second) {
  for (const int signal_number : {SIGINT, SIGTERM}) {
    struct sigaction action {};
    action.sa_handler = second == SecondSignal::kIgnored ? only_note : end_at_second;
    action.sa_flags = SA_RESTART;
    sigaction(signal_number, &action, nullptr);
  }
}

std::vector<PlannedExperiment> plan_experiments(const Request& request) {
  const Setting setting{request.scale, request.facts, request.seeds, request.probe_thinning};
  std::vector<PlannedExperiment> planned;
  for (const auto& experiment : select_experiments(request.only)) {
    planned.push_back({experiment, setting, experiment.plan(setting)});
  }
  return planned;
}

void choose_thinning(Request& request) {
  request.probe_thinning = 1;
  if (!request.probe_budget) return;
  std::vector<RunSpec> specs;
  for (const auto& experiment : plan_experiments(request)) {
    for (const auto& run : experiment.plan.runs()) specs.push_back(run.spec);
  }
  request.probe_thinning = thinning_for(*request.probe_budget, specs, request.facts);
}

void save_request(const OutFolder& out, const Request& request) {
  const DataFacts& facts = request.facts;
  const Json json = {{"only", request.only},
                     {"scale", to_string(request.scale)},
                     {"data", request.data},
                     {"seeds", request.seeds},
                     {"probe_budget", request.probe_budget ? Json(*request.probe_budget) : Json()},
                     {"probe_thinning", request.probe_thinning},
                     {"facts",
                      {{"set", facts.set},
                       {"title", facts.title},
                       {"digest", facts.digest},
                       {"channels", facts.shape.channels},
                       {"size", facts.shape.size},
                       {"classes", facts.shape.classes},
                       {"train_count", facts.train_count},
                       {"test_count", facts.test_count}}}};
  std::string text;
  try {
    text = json.dump(2);
  } catch (const Json::type_error&) {
    throw std::invalid_argument("--data: the path holds bytes that are not UTF-8, which " + out.request().string() +
                                " cannot hold; give a link to it with a plain name");
  }
  write_file_atomically(out.request(), text);
}

Request load_request(const OutFolder& out) {
  if (!std::filesystem::exists(out.request())) {
    throw std::runtime_error(
        out.path.string() +
        ": holds no results of bnlab reproduce (there is no request.json in it); give the folder that "
        "was its --out");
  }
  try {
    const Json json = parse_json(read_file(out.request()), "request.json");
    const Json& facts = json.at("facts");
    const auto scale = parse_scale(json.at("scale"));
    if (!scale) throw std::runtime_error("unknown scale");
    const Json budget = json.value("probe_budget", Json());
    return {json.at("only"),
            *scale,
            json.at("data"),
            {facts.at("set"),
             facts.at("title"),
             facts.at("digest"),
             {facts.at("channels"), facts.at("size"), facts.at("classes")},
             facts.at("train_count"),
             facts.at("test_count")},
            json.at("seeds"),
            budget.is_null() ? std::nullopt : std::optional(budget.get<double>()),
            json.value("probe_thinning", int64_t{1})};
  } catch (const std::exception& error) {
    throw std::runtime_error(out.request().string() + ": is damaged (" + error.what() +
                             "); run bnlab reproduce with the same --out to write it anew, finished runs are kept");
  }
}

double parse_percent(const std::string& flag, const std::string& text) {
  try {
    size_t used = 0;
    const double percent = std::stod(text, &used);
    if ((used == text.size() || text.substr(used) == "%") && percent > 0 && percent <= 100) return percent / 100;
  } catch (const std::exception&) {
  }
  throw SpecError(flag, "expected a percentage above 0 and at most 100, e.g. 5%, got \"" + text + "\"");
}

int64_t default_seeds(Scale scale) {
  return scale == Scale::kSmoke ? 1 : 5;
}

std::vector<int64_t> first_seeds(int64_t n, int64_t first) {
  std::vector<int64_t> seeds(static_cast<size_t>(n));
  std::iota(seeds.begin(), seeds.end(), first);
  return seeds;
}

std::string file_url(const std::filesystem::path& path) {
  return "file://" + std::filesystem::absolute(path).string();
}

}  // namespace bnlab
