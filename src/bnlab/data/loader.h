// Batches of a split: shuffled anew each epoch for training, in order for evaluation.
//
// The order of an epoch is a function of (seed, epoch), and the augmentation of an example of (seed, epoch, its place
// in the epoch). So {epoch, position} is the loader's whole state, and a loader that seeks to it goes on with the same
// bits.
//
//     Loader train(data.train, {.batch = 128, .seed = 7, .pad_to = 32, .scale =
//     ChannelScale::z_score(data.train.images)}); Batch batch = train.next();
//
//     Loader test(data.test, evaluation_options(train.options()));
//     for (int64_t i = 0; i < test.batches_per_epoch(); ++i) { use(test.next()); }
#pragma once
#include <cstdint>
#include <optional>
#include <vector>

#include "bnlab/data/batch_writer.h"
#include "bnlab/data/dataset.h"
#include "bnlab/data/scale.h"

namespace bnlab {

struct LoaderOptions {
  int64_t batch = 128;
  uint64_t seed = 0;
  bool shuffle = true;
  bool flip_crop = false;   ///< mirror half of the images, and cut each out of itself padded by crop_margin
  int64_t crop_margin = 4;  ///< as usual for CIFAR
  int64_t pad_to = 0;       ///< height and width of x; 0: as stored. See BatchWriter
  std::optional<ChannelScale> scale = std::nullopt;  ///< none: pixels as stored (0 to 255 for uint8)
  bool channels_last = true;                         ///< memory format of x
  bool drop_last = true;  ///< leave out the last examples of an epoch if they do not fill a batch
};

/// The same data in order, whole, unaugmented: for measuring on what `training` describes.
LoaderOptions evaluation_options(LoaderOptions training);

struct Batch {
  at::Tensor x;                  ///< (B,C,H,W) float32, freshly allocated
  at::Tensor y;                  ///< (B) int64, or targets (B,outputs) float32
  std::vector<int64_t> indices;  ///< (B), into the split
};

/// `position` is the number of examples of epoch `epoch` that have been handed out.
struct LoaderPosition {
  int64_t epoch = 0;
  int64_t position = 0;
  bool operator==(const LoaderPosition&) const = default;
};

class Loader {
 public:
  /// Shares the split's memory. std::invalid_argument: images and labels that are no split, a batch below 1, or above
  /// the number of examples with drop_last, or what BatchWriter refuses.
  Loader(const Split& split, LoaderOptions options);

  /// The next batch; after an epoch's last one, the next epoch's first. One thread; the bits do not depend on thread
  /// counts.
  Batch next();

  /// With and without drop_last: count / batch, rounded down or up.
  int64_t batches_per_epoch() const;

  /// Where next() goes on. After an epoch's last batch, {epoch + 1, 0}.
  LoaderPosition position() const { return position_; }

  /// Makes next() go on there, as a position() of a loader with these options said.
  /// std::invalid_argument: a position that this loader cannot be at.
  void seek(LoaderPosition position);

  const LoaderOptions& options() const { return options_; }

 private:
  void order_epoch();
  Placement draw_placement(int64_t place) const;

  LoaderOptions options_;
  at::Tensor labels_;
  BatchWriter writer_;
  LoaderPosition position_;
  std::vector<int64_t> order_;  // of position_.epoch
};

}  // namespace bnlab
