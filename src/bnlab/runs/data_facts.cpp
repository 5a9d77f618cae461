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

const DataFacts& synthetic_facts(const std::string& set, int64_t draw) {
  static std::map<std::pair<std::string, int64_t>, DataFacts> known;
  const std::pair key{set, draw};
  if (const auto it = known.find(key); it != known.end()) return it->second;
  return known[key] = facts_of(load_dataset({set, {}, draw}));
}

const DataFacts& facts_for(const TrainSpec& spec, const DataFacts& data) {
  const bool at_hand = spec.data.set == data.set && spec.data.draw == 0;
  return !at_hand && is_synthetic(spec.data.set) ? synthetic_facts(spec.data.set, spec.data.draw) : data;
}

DataChoice choice_for(const TrainSpec& spec, const DataChoice& data) {
  return is_synthetic(spec.data.set) ? DataChoice{spec.data.set, {}, spec.data.draw} : data;
}

}  // namespace bnlab
