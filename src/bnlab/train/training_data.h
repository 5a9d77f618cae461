// A data set prepared as a run spec asks: pooled, scaled, padded, served by loaders.
#pragma once

#include "bnlab/data/dataset.h"
#include "bnlab/data/loader.h"
#include "bnlab/nn/model_list.h"
#include "bnlab/record/run_spec.h"

namespace bnlab {

class TrainingData {
 public:
  /// Pools the images, then fits the scaling on the training split; equalizes them, unless they are. Throws DataError
  /// if `dataset` is not the one that `spec` names (by digest), std::invalid_argument if its images cannot be pooled
  /// so.
  TrainingData(Dataset dataset, const TrainSpec& spec);

  /// Its images are pooled, and not yet scaled and padded; but if they are equalized, padded and equalized.
  const Dataset& dataset() const { return dataset_; }
  TaskShape shape() const;
  int64_t classes() const { return outputs_of(dataset_); }

  /// Shuffled batches for training, as the spec says.
  Loader training_loader() const;
  /// In order, unaugmented, the last batch may be smaller. `train_split`: of the training images, else of the test
  /// images.
  Loader evaluation_loader(bool train_split, int64_t batch) const;

 private:
  Dataset dataset_;
  LoaderOptions options_;
};

}  // namespace bnlab
