#include "bnlab/analyses/scaled_inputs.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "bnlab/analyses/values.h"
#include "bnlab/data/equalize.h"
#include "bnlab/data/random.h"
#include "bnlab/data/ten_people.h"

namespace bnlab {
namespace {

constexpr int64_t kScaledImages = 2000, kSamples = 4000;

Json complete_scaled_inputs(const AnalysisSpec& spec) {
  JsonFields(spec.parameters, "parameters").finish();
  check_one_input(spec);
  return Json::object();
}

void record_values(Recorder& recorder, const std::vector<double>& values, int64_t seed) {
  double sum = 0, squares = 0;
  for (const double value : values) sum += value;
  const double mean = sum / static_cast<double>(values.size());
  for (const double value : values) squares += (value - mean) * (value - mean);
  const auto [least, most] = std::minmax_element(values.begin(), values.end());
  recorder.scalar(0, 0, "mean", mean);
  recorder.scalar(0, 0, "std", std::sqrt(squares / static_cast<double>(values.size())));
  recorder.scalar(0, 0, "least", *least);
  recorder.scalar(0, 0, "most", *most);
  Random random(mix(static_cast<uint64_t>(seed), "scaled-inputs"));
  std::vector<double> samples;
  for (int64_t i = 0; i < kSamples; ++i) samples.push_back(values[random.below(values.size())]);
  std::sort(samples.begin(), samples.end());
  recorder.array(0, 0, "samples", samples);
}

void record_images(Recorder& recorder, const Batch& batch, int64_t classes) {
  for (int64_t label = 0; label < classes; ++label) {
    const at::Tensor of_label = batch.y.eq(label);
    if (!of_label.any().item<bool>()) continue;
    const at::Tensor image = batch.x[of_label.to(at::kInt).argmax().item<int64_t>()].mean(0);
    recorder.array(label, 0, "image", doubles(image), {image.size(0), image.size(1)});
  }
}

/// (rows, columns), scaled as fitted on itself.
at::Tensor scaled_table(const at::Tensor& table, const std::string& scaling) {
  if (scaling == "z-score") return ChannelScale::z_score(table).transform(table);
  if (scaling == "min-max") return ChannelScale::min_max(table).transform(table);
  if (scaling == "equalize") return Equalization(table).transform(table);
  return table;
}

void record_table(Recorder& recorder, const std::string& scaling) {
  if (scaling == "equalize-image") return;
  const CsvTable people = ten_people();
  const auto columns = static_cast<int64_t>(people.columns.size());
  const at::Tensor table = scaled_table(at::tensor(people.values).to(at::kFloat).view({people.rows, columns}), scaling);
  for (int64_t c = 0; c < columns; ++c) recorder.array(0, c + 1, "table", doubles(table.select(1, c)));
}

RunOutcome compute_scaled_inputs(const AnalysisView& view) {
  const auto* spec = std::get_if<TrainSpec>(&view.inputs.front()->spec());
  if (!spec) throw SpecError("inputs", "the analysis \"scaled-inputs\" takes a train run, for its data");
  const TrainingData data = view.data(*spec);
  const Batch batch = data.evaluation_loader(/*train_split=*/true, kScaledImages).next();
  if (batch.y.is_floating_point()) {
    throw SpecError("inputs", "the analysis \"scaled-inputs\" takes a run on images with labels");
  }
  record_values(view.recorder, doubles(batch.x), view.spec.seed);
  record_images(view.recorder, batch, data.classes());
  record_table(view.recorder, spec->data.scaling);
  return RunOutcome::kDone;
}

}  // namespace

AnalysisKind scaled_inputs_analysis() {
  return {"scaled-inputs", "what a run's scaling makes of its images, and of a small table", complete_scaled_inputs,
          compute_scaled_inputs};
}

}  // namespace bnlab
