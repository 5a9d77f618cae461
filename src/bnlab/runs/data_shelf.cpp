#include "bnlab/runs/data_shelf.h"

namespace bnlab {

const Dataset& DataShelf::dataset(const TrainSpec& spec) {
  const DataChoice choice = choice_for(spec, at_hand_);
  if (const auto it = sets_.find(choice.name); it != sets_.end()) return it->second;
  return sets_[choice.name] = load_dataset(choice);
}

}  // namespace bnlab
