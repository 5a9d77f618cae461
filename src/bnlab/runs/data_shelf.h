// Data sets, read and decoded once for all runs of a process.
#pragma once

#include <map>
#include <string>
#include <tuple>

#include "bnlab/runs/data_facts.h"
#include "bnlab/train/training_data.h"

namespace bnlab {

class DataShelf {
 public:
  /// `at_hand`: the user's choice, which a spec may pass over for a synthetic set.
  explicit DataShelf(DataChoice at_hand) : at_hand_(std::move(at_hand)) {}

  /// What `spec` is about. Read at the first call. Throws DataError.
  const Dataset& dataset(const TrainSpec& spec);

  /// The same, prepared as `spec` asks; it shares its images with all that are pooled, and equalized, alike. Throws
  /// DataError.
  TrainingData training_data(const TrainSpec& spec);

 private:
  const Dataset& stored(const DataChoice& choice);

  DataChoice at_hand_;
  // By name, draw, pool, and, if they are equalized, how and padded to which size.
  std::map<std::tuple<std::string, int64_t, int64_t, std::string, int64_t>, Dataset> sets_;
};

}  // namespace bnlab
