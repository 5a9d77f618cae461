#include "bnlab/serve/run_summary.h"

#include <fmt/format.h>

namespace bnlab {
namespace {

template <class T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json();
}

}  // namespace

Json to_json(const RunSummary& summary) {
  return {{"id", summary.id},
          {"title", summary.title},
          {"kind", summary.kind},
          {"state", summary.state},
          {"step", or_null(summary.step)},
          {"steps", or_null(summary.steps)},
          {"loss", or_null(summary.loss)},
          {"rate", or_null(summary.rate)},
          {"left_seconds", or_null(summary.left_seconds)},
          {"diverged_at", or_null(summary.diverged_at)},
          {"seconds", or_null(summary.seconds)},
          {"threads", summary.threads},
          {"error", summary.error}};
}

std::string title_of_spec(const RunSpec& spec) {
  if (const auto* analysis = std::get_if<AnalysisSpec>(&spec)) {
    return fmt::format("{}, seed {}", analysis->analysis, analysis->seed);
  }
  const auto& train = std::get<TrainSpec>(spec);
  const std::string& norm = train.model.norm.kind;
  return fmt::format("{}{}, {} {}, batch {}, seed {}", train.model.name, norm == "none" ? "" : " " + norm,
                     train.optimizer.name, train.optimizer.lr, train.batch, train.seed);
}

RunSummary summary_of_spec(const std::string& id, const RunSpec& spec) {
  RunSummary summary;
  summary.id = id;
  summary.title = title_of_spec(spec);
  summary.kind = kind_of(spec);
  summary.state = "waiting";
  summary.threads = threads_of(spec);
  if (const auto* train = std::get_if<TrainSpec>(&spec)) summary.steps = train->steps;
  return summary;
}

Series update_from_record(RunSummary& summary, RunReader& reader) {
  summary.state = to_string(reader.state());
  if (!reader.begun()) return {};
  if (const double seconds = reader.cpu_seconds().value_or(reader.seconds()); seconds > 0) summary.seconds = seconds;
  if (const int64_t step = reader.diverged_at(); step >= 0) summary.diverged_at = step;
  Series loss = reader.scalars({"train", 0, "loss"});
  if (loss.steps.empty()) return loss;
  size_t known = 0;
  // A run that was killed begins anew from an earlier checkpoint: what was known beyond it is gone.
  while (summary.step && loss.steps.back() >= *summary.step && known < loss.steps.size() &&
         loss.steps[known] <= *summary.step) {
    ++known;
  }
  summary.step = loss.steps.back();
  summary.loss = loss.values.back();
  return {{loss.steps.begin() + static_cast<int64_t>(known), loss.steps.end()},
          {loss.values.begin() + static_cast<int64_t>(known), loss.values.end()}};
}

}  // namespace bnlab
