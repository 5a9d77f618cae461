// What the page says of a run in one line.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "bnlab/record/run_store.h"

namespace bnlab {

struct RunSummary {
  std::string id, title, kind, state, error;
  int64_t threads = 0;
  std::optional<int64_t> step, steps, diverged_at;
  std::optional<double> loss, rate, left_seconds, seconds;

  bool ended() const { return state == "finished" || state == "diverged"; }
  bool operator==(const RunSummary&) const = default;
};

Json to_json(const RunSummary& summary);

/// What its specification tells of a run that has not begun: its state is "waiting".
RunSummary summary_of_spec(const std::string& id, const RunSpec& spec);

/// "vgg11 batch, sgd 0.1, batch 128, seed 1": for runs that no experiment has named.
std::string title_of_spec(const RunSpec& spec);

/// Brings state, step, loss, divergence and cost up to what the record says; the state of a run that has not ended is
/// left as "unfinished". Returns the points of the training loss beyond the step known so far.
Series update_from_record(RunSummary& summary, RunReader& reader);

}  // namespace bnlab
