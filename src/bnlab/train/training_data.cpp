#include "bnlab/train/training_data.h"

#include <fmt/format.h>

#include <algorithm>

#include "bnlab/data/equalize.h"
#include "bnlab/data/pool.h"
#include "bnlab/data/random.h"

namespace bnlab {

TrainingData::TrainingData(Dataset dataset, const TrainSpec& spec) : dataset_(std::move(dataset)) {
  if (dataset_.digest != spec.data.digest) {
    throw DataError(
        fmt::format("the data set at hand ({}, digest {}) is not the one that this run was specified with ({}, digest "
                    "{}); give the "
                    "same data with --data, or choose another --out",
                    dataset_.title, dataset_.digest, spec.data.set, spec.data.digest));
  }
  const int64_t all = dataset_.train.count();
  const int64_t examples = spec.data.train_examples > 0 ? std::min(spec.data.train_examples, all) : all;
  if (spec.batch > examples) {
    throw DataError(
        fmt::format("a batch of {} is larger than the training split of {} ({} images); choose a smaller one",
                    spec.batch, dataset_.title, examples));
  }
  dataset_ = mean_pooled(std::move(dataset_), spec.data.pool);
  const std::string& scaling = spec.data.scaling;
  if (is_equalization(scaling)) dataset_ = equalized(std::move(dataset_), scaling, spec.data.pad_to);
  options_.batch = spec.batch;
  options_.seed = mix(static_cast<uint64_t>(spec.seed), "loader");
  options_.flip_crop = spec.data.augment == "flip-crop";
  options_.crop_margin = std::max<int64_t>(1, options_.crop_margin / spec.data.pool);
  options_.pad_to = spec.data.pad_to;
  options_.channels_last = spec.memory_format == "channels-last";
  if (scaling == "z-score") options_.scale = ChannelScale::z_score(dataset_.train.images, spec.data.pad_to);
  if (scaling == "min-max") options_.scale = ChannelScale::min_max(dataset_.train.images, spec.data.pad_to);
  dataset_.train = {dataset_.train.images.slice(0, 0, examples), dataset_.train.labels.slice(0, 0, examples)};
}

TaskShape TrainingData::shape() const {
  const auto& images = dataset_.train.images;
  return {images.size(1), std::max(images.size(2), options_.pad_to), classes()};
}

Loader TrainingData::training_loader() const {
  return Loader(dataset_.train, options_);
}

Loader TrainingData::evaluation_loader(bool train_split, int64_t batch) const {
  LoaderOptions options = evaluation_options(options_);
  options.batch = batch;
  return Loader(train_split ? dataset_.train : dataset_.test, options);
}

}  // namespace bnlab
