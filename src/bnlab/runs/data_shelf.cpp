#include "bnlab/runs/data_shelf.h"

namespace bnlab {

const Dataset& DataShelf::dataset(const TrainSpec& spec) {
  const DataChoice choice = choice_for(spec, at_hand_);
  const std::pair key{choice.name, choice.draw};
  if (const auto it = sets_.find(key); it != sets_.end()) return it->second;
  return sets_[key] = load_dataset(choice);
}

}  // namespace bnlab
