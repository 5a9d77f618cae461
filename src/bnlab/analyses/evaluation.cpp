#include "bnlab/analyses/evaluation.h"

#include <cmath>

#include "bnlab/train/checkpoint.h"
#include "bnlab/train/evaluate.h"

namespace bnlab {
namespace {

std::string parse_split(const AnalysisSpec& spec) {
  std::string split = "test";
  JsonFields fields(spec.parameters, "parameters");
  fields.optional("split", split).check(split == "test" || split == "train", "split", "\"test\" or \"train\"");
  fields.finish();
  check_one_input(spec);
  return split;
}

RunOutcome compute_evaluation(const AnalysisView& view) {
  RunReader& input = *view.inputs.front();
  const auto* spec = std::get_if<TrainSpec>(&input.spec());
  if (!spec) throw SpecError("inputs", "the analysis \"evaluation\" takes a train run, not an analysis");
  const TrainingData data = view.data(*spec);
  const auto classes = static_cast<double>(data.classes());
  Evaluation result{std::log(classes), 1 / classes, 0};
  if (input.state() == RunState::kFinished) {
    const auto network = build_network(*spec, data.shape());
    load_network(read_file(input.paths().checkpoint()), *network);
    result = evaluate(*network, data, parse_split(view.spec) == "train", 0);
  }
  view.recorder.scalar(0, 0, "accuracy", result.accuracy);
  view.recorder.scalar(0, 0, "loss", result.loss);
  return RunOutcome::kDone;
}

}  // namespace

AnalysisKind evaluation_analysis() {
  return {"evaluation", "a finished network's loss and accuracy on a whole split, in evaluation mode",
          [](const AnalysisSpec& spec) {
            return Json{{"split", parse_split(spec)}};
          },
          compute_evaluation};
}

}  // namespace bnlab
