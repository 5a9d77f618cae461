// What specs, plans and costs need to know of a data set without holding it.
#pragma once

#include <string>

#include "bnlab/data/data_choice.h"
#include "bnlab/nn/task_shape.h"
#include "bnlab/record/run_spec.h"

namespace bnlab {

struct Dataset;

struct DataFacts {
  std::string set;    ///< e.g. "cifar10"
  std::string title;  ///< for people
  std::string digest;
  TaskShape shape;  ///< as stored, neither pooled nor padded
  int64_t train_count = 0;
  int64_t test_count = 0;
};
DataFacts facts_of(const Dataset& dataset);
/// Of the set, which is read or made for it. Throws DataError.
DataFacts load_facts(const DataChoice& choice);

/// Of a draw of a set that needs no files, by its name, e.g. "linear". Made once.
const DataFacts& synthetic_facts(const std::string& set, int64_t draw = 0);

/// What `spec` is about: the data at hand, or the synthetic set that it names.
const DataFacts& facts_for(const TrainSpec& spec, const DataFacts& at_hand);

/// Where to load what `spec` is about, `at_hand` being the user's choice.
DataChoice choice_for(const TrainSpec& spec, const DataChoice& at_hand);

}  // namespace bnlab
