#include "bnlab/data/loader.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <set>
#include <tuple>

#include "bnlab/data/random.h"

namespace bnlab {
namespace {

// `count` images of (3,h,h) random bytes; the label of example i is i.
Split numbered_split(int64_t count, int64_t side = 6) {
  Split split{at::empty({count, 3, side, side}, at::kByte), at::arange(count, at::kLong)};
  Random random(23);
  for (int64_t i = 0; i < split.images.numel(); ++i) {
    split.images.data_ptr<uint8_t>()[i] = static_cast<uint8_t>(random.below(256));
  }
  return split;
}

LoaderOptions augmented(int64_t batch) {
  return {.batch = batch, .seed = 4, .flip_crop = true, .pad_to = 8};
}

std::vector<int64_t> epoch_indices(Loader& loader) {
  std::vector<int64_t> all;
  for (int64_t i = 0; i < loader.batches_per_epoch(); ++i) {
    const auto batch = loader.next();
    all.insert(all.end(), batch.indices.begin(), batch.indices.end());
  }
  return all;
}

bool same(const Batch& a, const Batch& b) {
  return a.indices == b.indices && at::equal(a.y, b.y) && at::equal(a.x, b.x);
}

TEST(Loader, ShowsEveryExampleOnceAnEpochInANewOrder) {
  Loader loader(numbered_split(103), {.batch = 10, .drop_last = false});
  std::set<std::vector<int64_t>> orders;
  for (int epoch = 0; epoch < 4; ++epoch) {
    auto indices = epoch_indices(loader);
    orders.insert(indices);
    std::sort(indices.begin(), indices.end());
    std::vector<int64_t> all(103);
    std::iota(all.begin(), all.end(), 0);
    EXPECT_EQ(indices, all);
    EXPECT_EQ(loader.position(), (LoaderPosition{epoch + 1, 0}));
  }
  EXPECT_EQ(orders.size(), 4u);
}

TEST(Loader, GivesTheLabelsAndPixelsOfItsIndices) {
  const auto split = numbered_split(50);
  Loader loader(split, {.batch = 16});
  const auto batch = loader.next();
  ASSERT_EQ(batch.x.sizes(), (at::IntArrayRef{16, 3, 6, 6}));
  for (int b = 0; b < 16; ++b) {
    EXPECT_EQ(batch.y[b].item<int64_t>(), batch.indices[b]);
    EXPECT_TRUE(at::equal(batch.x[b], split.images[batch.indices[b]].to(at::kFloat)));
  }
}

TEST(Loader, DropLastLeavesOutWhatDoesNotFillABatch) {
  Loader loader(numbered_split(103), {.batch = 10});
  EXPECT_EQ(loader.batches_per_epoch(), 10);
  EXPECT_EQ(epoch_indices(loader).size(), 100u);
  EXPECT_EQ(loader.position(), (LoaderPosition{1, 0}));
  EXPECT_EQ(loader.next().x.size(0), 10);
}

TEST(Loader, EvaluatesInOrderAndKeepsThePartialBatch) {
  Loader loader(numbered_split(23), evaluation_options(augmented(10)));
  EXPECT_EQ(loader.batches_per_epoch(), 3);
  std::vector<int64_t> sizes, seen;
  for (int i = 0; i < 3; ++i) {
    const auto batch = loader.next();
    sizes.push_back(batch.x.size(0));
    seen.insert(seen.end(), batch.indices.begin(), batch.indices.end());
  }
  EXPECT_EQ(sizes, (std::vector<int64_t>{10, 10, 3}));
  EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end()));
  EXPECT_EQ(seen.size(), 23u);
}

TEST(Loader, IsAFunctionOfItsSeed) {
  const auto split = numbered_split(64);
  Loader a(split, augmented(8)), b(split, augmented(8));
  auto other_options = augmented(8);
  other_options.seed = 5;
  Loader other(split, other_options);
  for (int i = 0; i < 20; ++i) {
    const auto batch = a.next();
    EXPECT_TRUE(same(batch, b.next()));
    EXPECT_FALSE(same(batch, other.next()));
  }
}

TEST(Loader, OrderIsPinned) {  // The same on every machine: run ids promise it.
  Loader loader(numbered_split(40), {.batch = 8, .seed = 1});
  EXPECT_EQ(loader.next().indices, (std::vector<int64_t>{17, 19, 24, 34, 25, 36, 32, 9}));
}

TEST(Loader, SeekGoesOnWithTheSameBits) {
  const auto split = numbered_split(37);
  Loader loader(split, augmented(5));
  std::vector<LoaderPosition> positions;
  std::vector<Batch> batches;
  for (int i = 0; i < 30; ++i) {
    positions.push_back(loader.position());
    batches.push_back(loader.next());
  }
  for (const size_t start : {0, 1, 6, 7, 13, 20}) {
    Loader resumed(split, augmented(5));
    resumed.seek(positions[start]);
    EXPECT_EQ(resumed.position(), positions[start]);
    for (size_t i = start; i < batches.size(); ++i) {
      ASSERT_TRUE(same(resumed.next(), batches[i])) << "from " << start << " at " << i;
    }
  }
}

TEST(Loader, RefusesPositionsItCannotBeAt) {
  Loader loader(numbered_split(37), {.batch = 5});
  for (const LoaderPosition position : {LoaderPosition{-1, 0}, {0, -5}, {0, 3}, {0, 35}, {2, 40}}) {
    EXPECT_THROW(loader.seek(position), std::invalid_argument) << position.position;
  }
  loader.seek({1000000, 30});
  EXPECT_EQ(loader.next().indices.size(), 5u);
}

TEST(Loader, RefusesImpossibleBatches) {
  const auto split = numbered_split(10);
  EXPECT_THROW(Loader(split, {.batch = 0}), std::invalid_argument);
  EXPECT_THROW(Loader(split, {.batch = 11}), std::invalid_argument);
  EXPECT_EQ(Loader(split, {.batch = 11, .drop_last = false}).next().x.size(0), 10);
  EXPECT_THROW(Loader({split.images, split.labels.narrow(0, 0, 9)}, {.batch = 2}), std::invalid_argument);
}

TEST(Loader, BitsDoNotDependOnThreadsOrMemoryFormat) {
  const auto split = numbered_split(64);
  const int threads = at::get_num_threads();
  at::set_num_threads(1);
  Loader one(split, augmented(16));
  const auto expected = one.next();
  at::set_num_threads(4);
  Loader four(split, augmented(16));
  EXPECT_TRUE(same(expected, four.next()));
  at::set_num_threads(threads);
  auto planar_options = augmented(16);
  planar_options.channels_last = false;
  Loader planar(split, planar_options);
  const auto batch = planar.next();
  EXPECT_TRUE(batch.x.is_contiguous());
  EXPECT_TRUE(same(expected, batch));
}

// One image, all of whose pixels differ, tells by what it has become how it was placed.
TEST(Loader, FlipsAndCropsAreUniform) {
  const int64_t count = 8100;
  const auto image = at::arange(1, 101, at::kByte).reshape({1, 1, 10, 10});
  const Split split{image.expand({count, 1, 10, 10}), at::zeros({count}, at::kLong)};
  Loader loader(split, {.batch = count, .seed = 2, .shuffle = false, .flip_crop = true});
  const auto x = loader.next().x;
  std::map<std::tuple<int, int, bool>, int> counts;
  for (int64_t i = 0; i < count; ++i) {
    const int left = x[i][0][5][4].item<int>() - 1,
              right = x[i][0][5][5].item<int>() - 1;  // the middle two: never padding
    counts[{left / 10 - 5, std::max(left, right) % 10 - 5, right < left}]++;
  }
  EXPECT_EQ(counts.size(), 162u);
  double chi_squared = 0.0;
  for (const auto& [placement, n] : counts) {
    EXPECT_LE(std::abs(std::get<0>(placement)), 4);
    EXPECT_LE(std::abs(std::get<1>(placement)), 4);
    chi_squared += (n - 50.0) * (n - 50.0) / 50.0;
  }
  EXPECT_LT(chi_squared, 219.0);  // 161 degrees of freedom, p = 0.0015
  loader.seek({1, 0});
  EXPECT_FALSE(at::equal(loader.next().x, x));  // a new epoch, a new augmentation
}

TEST(Loader, ScaledTrainingDataHasMeanZeroAndDeviationOne) {
  const auto split = numbered_split(400);
  for (const int64_t pad_to : {0, 8}) {
    const auto scale = ChannelScale::z_score(split.images, pad_to);
    Loader loader(split, {.batch = 400, .pad_to = pad_to, .scale = scale});
    const auto x = loader.next().x.to(at::kDouble).transpose(0, 1).flatten(1);
    EXPECT_LE(x.mean(1).abs().max().item<double>(), 1e-7);
    EXPECT_LE(x.std(1, false).sub(1.0).abs().max().item<double>(), 1e-7);
  }
}

}  // namespace
}  // namespace bnlab
