#include "bnlab/analyses/finished_network.h"

#include "bnlab/train/checkpoint.h"

namespace bnlab {

const TrainSpec& only_input(const AnalysisView& view, const std::string& norm) {
  const auto* spec = std::get_if<TrainSpec>(&view.inputs.front()->spec());
  const bool fits = spec && spec->model.norm.kind == norm && spec->data.set != "linear" &&
                    (norm == "none" || spec->model.norm.place == "before-activation");
  if (fits) return *spec;
  throw SpecError("inputs", "the analysis \"" + view.spec.analysis + "\" takes a train run on images " +
                                (norm == "none" ? "without normalization" : "with BN in front of the activations"));
}

std::shared_ptr<SequentialNetwork> finished_network(const RunReader& run, const TrainSpec& spec,
                                                    const TrainingData& data) {
  auto network = std::dynamic_pointer_cast<SequentialNetwork>(build_network(spec, data.shape()));
  if (!network) {
    throw SpecError("inputs", "the analysis takes a model whose layers stand one behind the other, not \"" +
                                  spec.model.name + "\"");
  }
  load_network(read_file(run.paths().checkpoint()), *network);
  network->train();
  return network;
}

BatchNorm& norm_of(Network& network, int64_t layer) {
  return dynamic_cast<BatchNorm&>(*network.layer(layer).named_children()["norm"]);
}

int64_t parse_images(const AnalysisSpec& spec) {
  int64_t images = 128;
  JsonFields fields(spec.parameters, "parameters");
  fields.optional("images", images).check(images >= 2, "images", "at least 2");
  fields.finish();
  check_one_input(spec);
  return images;
}

}  // namespace bnlab
