// The analyses: work on finished runs. A new one is its own file, one line in analysis_list.cpp, and a test.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "bnlab/record/run_store.h"
#include "bnlab/train/trainer.h"
#include "bnlab/train/training_data.h"

namespace bnlab {

/// What an analysis works with. It keeps no state of its own: an interrupted one begins again.
struct AnalysisView {
  const AnalysisSpec& spec;
  const std::vector<std::unique_ptr<RunReader>>& inputs;    ///< finished or diverged, in the order of spec.inputs
  std::function<TrainingData(const TrainSpec& spec)> data;  ///< the data of an input
  Recorder& recorder;
  const ExecutionOptions& options;
};

struct AnalysisKind {
  std::string name;     ///< as in a run spec
  std::string meaning;  ///< what it computes, in one sentence
  /// Checks the spec's parameters and number of inputs, and fills in defaults. Throws SpecError.
  std::function<Json(const AnalysisSpec& spec)> complete;
  std::function<RunOutcome(const AnalysisView& view)> compute;
};

const std::vector<AnalysisKind>& analysis_kinds();

/// Throws SpecError if the spec does not have exactly one input.
void check_one_input(const AnalysisSpec& spec);

/// Null if there is no such analysis.
const AnalysisKind* find_analysis_kind(const std::string& name);

}  // namespace bnlab
