#include "bnlab/runs/data_facts.h"

#include <map>

#include "bnlab/data/dataset_list.h"

namespace bnlab {
namespace {

bool is_synthetic(const std::string& set) {
  for (const KnownDataset& known : known_datasets()) {
    if (known.name == set) return known.format == DataFormat::kSynthetic;
  }
  return false;
}

}  // namespace

DataFacts facts_of(const Dataset& dataset) {
  const auto& images = dataset.train.images;
  return {dataset.name,          dataset.title,
          dataset.digest,        {images.size(1), images.size(2), outputs_of(dataset)},
          dataset.train.count(), dataset.test.count()};
}

const DataFacts& synthetic_facts(const std::string& set) {
  static std::map<std::string, DataFacts> known;
  if (const auto it = known.find(set); it != known.end()) return it->second;
  return known[set] = facts_of(load_dataset({set}));
}

const DataFacts& facts_for(const TrainSpec& spec, const DataFacts& data) {
  return spec.data.set != data.set && is_synthetic(spec.data.set) ? synthetic_facts(spec.data.set) : data;
}

DataChoice choice_for(const TrainSpec& spec, const DataChoice& data) {
  return is_synthetic(spec.data.set) ? DataChoice{spec.data.set} : data;
}

}  // namespace bnlab
