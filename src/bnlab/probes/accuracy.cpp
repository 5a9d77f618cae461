#include "bnlab/probes/accuracy.h"

#include <algorithm>

#include "bnlab/probes/probe.h"
#include "bnlab/train/evaluate.h"

namespace bnlab {
namespace {

struct AccuracyParameters {
  std::string split = "test";
  int64_t examples = 0;
};

AccuracyParameters parse_accuracy(const Json& json, const std::string& where) {
  AccuracyParameters parameters;
  JsonFields fields(json, where);
  fields.optional("split", parameters.split).optional("examples", parameters.examples);
  fields.check(parameters.split == "test" || parameters.split == "train", "split", "\"test\" or \"train\"");
  fields.check(parameters.examples >= 0, "examples", "at least 0 (0: all)");
  fields.finish();
  return parameters;
}

class Accuracy : public Probe {
 public:
  explicit Accuracy(const ProbeSpec& spec) : Probe(spec), parameters_(parse_accuracy(spec.parameters, "parameters")) {}
  void observe(const StepView& view) override { record(view); }
  void observe_end(const NetworkView& view) override { record(view); }

 private:
  void record(const NetworkView& view) {
    const Evaluation result = evaluate(view.network, view.data, parameters_.split == "train", parameters_.examples);
    view.recorder.scalar(view.step, 0, parameters_.split + "_accuracy", result.accuracy);
    view.recorder.scalar(view.step, 0, parameters_.split + "_loss", result.loss);
  }

  AccuracyParameters parameters_;
};

}  // namespace

ProbeKind accuracy_probe() {
  return {"accuracy",
          "accuracy and loss on the first images of a split, in evaluation mode",
          [](const Json& json, const std::string& where, const ProbeSetting&) {
            const AccuracyParameters parameters = parse_accuracy(json, where);
            return Json{{"split", parameters.split}, {"examples", parameters.examples}};
          },
          [](const ProbeSpec& spec, const ProbeSetting&) { return std::make_unique<Accuracy>(spec); },
          [](const Json& json, const ProbeSetting& setting) {
            const AccuracyParameters parameters = parse_accuracy(json, "parameters");
            const int64_t all = parameters.split == "train" ? setting.train_count : setting.test_count;
            return forward_cost(parameters.examples == 0 ? all : std::min(parameters.examples, all), setting);
          },
          "split",
          /*thinnable=*/true,
          /*plain_steps_only=*/false,
          /*of_the_batch=*/false};
}

}  // namespace bnlab
