#include "bnlab/data/loader.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <stdexcept>

#include "bnlab/data/random.h"

namespace bnlab {
namespace {

void check(const Split& split, const LoaderOptions& options) {
  const bool classes = split.labels.dim() == 1 && split.labels.scalar_type() == at::kLong;
  const bool targets = split.labels.dim() == 2 && split.labels.scalar_type() == at::kFloat;
  if ((!classes && !targets) || split.images.dim() != 4 || split.images.size(0) != split.labels.size(0) ||
      split.labels.size(0) == 0) {
    throw std::invalid_argument(
        "a loader needs images (N,C,H,W) and labels (N) int64 or targets (N,outputs) float32 of the same N > 0");
  }
  const int64_t most = options.drop_last ? split.count() : options.batch;
  if (options.batch < 1 || options.batch > most) {
    throw std::invalid_argument(
        fmt::format("a batch of {} from {} examples: choose 1 to {}", options.batch, split.count(), split.count()));
  }
}

}  // namespace

LoaderOptions evaluation_options(LoaderOptions training) {
  training.shuffle = false;
  training.flip_crop = false;
  training.drop_last = false;
  return training;
}

Loader::Loader(const Split& split, LoaderOptions options)
    : options_((check(split, options), std::move(options))),
      labels_(split.labels.contiguous()),
      writer_(split.images, options_.pad_to, options_.scale, options_.channels_last) {
  order_epoch();
}

void Loader::order_epoch() {
  const int64_t count = labels_.size(0);
  if (options_.shuffle) {
    order_ = random_permutation(count, mix(options_.seed, "shuffle", position_.epoch));
  } else if (order_.empty()) {
    order_.resize(count);
    std::iota(order_.begin(), order_.end(), int64_t{0});
  }
}

Placement Loader::draw_placement(int64_t place) const {
  if (!options_.flip_crop) {
    return {};
  }
  Random random(mix(options_.seed, "flip-crop", position_.epoch, place));
  const int64_t margin = options_.crop_margin;
  const auto shifts = static_cast<uint64_t>(2 * margin + 1);
  Placement placement;
  placement.down = static_cast<int64_t>(random.below(shifts)) - margin;
  placement.right = static_cast<int64_t>(random.below(shifts)) - margin;
  placement.flip = random.below(2) == 1;
  return placement;
}

int64_t Loader::batches_per_epoch() const {
  const int64_t count = labels_.size(0);
  return options_.drop_last ? count / options_.batch : (count + options_.batch - 1) / options_.batch;
}

Batch Loader::next() {
  const int64_t begin = position_.position;
  const int64_t end = std::min(begin + options_.batch, labels_.size(0));
  Batch batch;
  batch.indices.assign(order_.begin() + begin, order_.begin() + end);
  std::vector<Placement> placements;
  for (int64_t place = begin; place < end; ++place) {
    placements.push_back(draw_placement(place));
  }
  batch.x = writer_.write(batch.indices, placements);
  batch.y = labels_.index_select(0, at::tensor(batch.indices, at::kLong));
  const int64_t in_epoch = std::min(batches_per_epoch() * options_.batch, labels_.size(0));
  position_.position = end;
  if (end == in_epoch) {
    position_ = {position_.epoch + 1, 0};
    order_epoch();
  }
  return batch;
}

void Loader::seek(LoaderPosition position) {
  const bool reachable = position.epoch >= 0 && position.position >= 0 && position.position % options_.batch == 0 &&
                         position.position / options_.batch < batches_per_epoch();
  if (!reachable) {
    throw std::invalid_argument(fmt::format(
        "epoch {}, example {} is not where a loader of {} examples in batches of {} can be; the position comes from "
        "another data set or batch size",
        position.epoch, position.position, labels_.size(0), options_.batch));
  }
  position_ = position;
  order_epoch();
}

}  // namespace bnlab
