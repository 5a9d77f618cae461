#include "bnlab/data/pool.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <stdexcept>

namespace bnlab {
namespace {

at::Tensor bytes(const std::vector<int64_t>& pixels, at::IntArrayRef shape) {
  return at::tensor(pixels, at::kLong).to(at::kByte).view(shape);
}

// Two images of one channel, 4 x 4, worked out by hand.
const std::vector<int64_t> kPixels = {0,   4,   10, 20,  //
                                      8,   12,  30, 40,  //
                                      255, 255, 1,  0,   //
                                      255, 255, 0,  0,   //
                                      1,   2,   3,  4,   //
                                      5,   6,   7,  8,   //
                                      9,   10,  11, 12,  //
                                      13,  14,  15, 16};

TEST(MeanPooled, IsTheMeanOfEachBlock) {
  const at::Tensor images = bytes(kPixels, {2, 1, 4, 4});
  const at::Tensor halved = at::tensor({6.0, 25.0, 255.0, 0.25, 3.5, 5.5, 11.5, 13.5}, at::kFloat).view({2, 1, 2, 2});
  const at::Tensor whole = at::tensor({(24 + 100 + 1020 + 1) / 16.0, 8.5}, at::kFloat).view({2, 1, 1, 1});
  for (const at::Tensor& stored : {images, images.to(at::kFloat)}) {
    EXPECT_TRUE(at::equal(mean_pooled(stored, 2), halved)) << mean_pooled(stored, 2);
    EXPECT_TRUE(at::equal(mean_pooled(stored, 4), whole)) << mean_pooled(stored, 4);
  }
}

TEST(MeanPooled, KeepsChannelsApart) {
  const at::Tensor images = bytes(kPixels, {1, 2, 4, 4});
  EXPECT_TRUE(at::equal(mean_pooled(images, 2).view({2, 1, 2, 2}), mean_pooled(bytes(kPixels, {2, 1, 4, 4}), 2)));
}

TEST(MeanPooled, HeightAndWidthMayDiffer) {
  const at::Tensor pooled = mean_pooled(bytes({0, 2, 4, 6, 8, 10, 2, 4, 6, 8, 10, 12}, {1, 1, 2, 6}), 2);
  EXPECT_TRUE(at::equal(pooled, at::tensor({2.0, 6.0, 10.0}, at::kFloat).view({1, 1, 1, 3}))) << pooled;
}

TEST(MeanPooled, OfOnePixelIsTheImagesThemselves) {
  const at::Tensor images = bytes(kPixels, {2, 1, 4, 4});
  EXPECT_TRUE(mean_pooled(images, 1).is_alias_of(images));
}

TEST(MeanPooled, RefusesWhatDoesNotDivide) {
  const at::Tensor images = bytes(kPixels, {2, 1, 4, 4});
  for (const int64_t pool : {0, 3, 8, -2}) EXPECT_THROW(mean_pooled(images, pool), std::invalid_argument) << pool;
  EXPECT_THROW(mean_pooled(bytes(kPixels, {1, 1, 2, 16}), 4), std::invalid_argument);
  EXPECT_THROW(mean_pooled(bytes(kPixels, {1, 1, 16, 2}), 4), std::invalid_argument);
  EXPECT_THROW(mean_pooled(images.to(at::kDouble), 2), std::invalid_argument);
}

TEST(MeanPooled, OfASetThatIsPooledSoAlreadyIsThatSet) {
  Dataset set;
  set.train.images = bytes(kPixels, {2, 1, 4, 4});
  set.test.images = bytes(kPixels, {2, 1, 4, 4});
  const Dataset halved = mean_pooled(set, 2);
  EXPECT_TRUE(at::equal(halved.test.images, mean_pooled(set.test.images, 2)));
  EXPECT_TRUE(mean_pooled(halved, 2).train.images.is_alias_of(halved.train.images));
  EXPECT_THROW(mean_pooled(halved, 4), std::invalid_argument);
}

}  // namespace
}  // namespace bnlab
