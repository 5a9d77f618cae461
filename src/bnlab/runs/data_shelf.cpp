#include "bnlab/runs/data_shelf.h"

#include "bnlab/data/equalize.h"
#include "bnlab/data/load.h"
#include "bnlab/data/pool.h"

namespace bnlab {

const Dataset& DataShelf::stored(const DataChoice& choice) {
  const std::tuple key{choice.name, choice.draw, int64_t{1}, std::string(), int64_t{0}};
  if (const auto it = sets_.find(key); it != sets_.end()) return it->second;
  return sets_[key] = load_dataset(choice);
}

const Dataset& DataShelf::dataset(const TrainSpec& spec) {
  return stored(choice_for(spec, at_hand_));
}

TrainingData DataShelf::training_data(const TrainSpec& spec) {
  const DataChoice choice = choice_for(spec, at_hand_);
  const Dataset& whole = stored(choice);
  if (whole.digest != spec.data.digest) return {whole, spec};  // which refuses it
  const DataSpec& as = spec.data;
  const bool equalize = is_equalization(as.scaling);
  const std::tuple key{choice.name, choice.draw, as.pool, equalize ? as.scaling : "", equalize ? as.pad_to : 0};
  auto it = sets_.find(key);
  if (it == sets_.end()) {
    Dataset pooled = mean_pooled(whole, as.pool);
    it = sets_.emplace(key, equalize ? equalized(std::move(pooled), as.scaling, as.pad_to) : pooled).first;
  }
  return {it->second, spec};
}

}  // namespace bnlab
