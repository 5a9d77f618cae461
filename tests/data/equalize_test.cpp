#include "bnlab/data/equalize.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include <cmath>
#include <limits>
#include <stdexcept>

#include "bnlab/data/random.h"
#include "tests/data/test_files.h"

namespace bnlab {
namespace {

/// Column 0 holds 10 four times, 20 three times, 40 twice, 80 once; column 1 is constant.
at::Tensor counted_table() {
  return at::tensor({10, 5, 10, 5, 10, 5, 10, 5, 20, 5, 20, 5, 20, 5, 40, 5, 40, 5, 80, 5}, at::kLong)
      .to(at::kByte)
      .view({10, 2});
}

/// cdf 4/10, 7/10, 9/10, 1; cdf_min 4/10: (cdf - 4/10) / (6/10).
const std::vector<double> kLevels = {0, 0.5, 5.0 / 6, 1};

TEST(Equalization, IsTheTextbookMap) {
  for (const at::Tensor& table : {counted_table(), counted_table().to(at::kFloat)}) {
    const Equalization fitted(table);
    ASSERT_EQ(fitted.curves().size(), 2u);
    EXPECT_EQ(fitted.curves()[0].values, (std::vector<double>{10, 20, 40, 80}));
    EXPECT_EQ(fitted.curves()[0].levels, kLevels);
    const at::Tensor levels = fitted.transform(table);
    for (int64_t row = 0; row < 10; ++row) {
      const size_t place = row < 4 ? 0 : row < 7 ? 1 : row < 9 ? 2 : 3;
      EXPECT_EQ(levels[row][0].item<float>(), static_cast<float>(kLevels[place]));
      EXPECT_EQ(levels[row][1].item<float>(), 0) << "a constant column";
    }
    EXPECT_TRUE(at::equal(fitted.inverse(levels), table.to(at::kFloat)));
  }
}

TEST(Equalization, OfAnotherTableInterpolatesAndClamps) {
  const Equalization fitted(counted_table());
  const at::Tensor other = at::tensor({15.F, 4.F, 60.F, 5.F, 9.F, 6.F, 200.F, 7.F}).view({4, 2});
  const at::Tensor levels = fitted.transform(other).select(1, 0);
  const std::vector<double> expected = {0.25, 11.0 / 12, 0, 1};
  for (int64_t i = 0; i < 4; ++i) EXPECT_FLOAT_EQ(levels[i].item<float>(), static_cast<float>(expected[i]));
  EXPECT_TRUE(at::equal(fitted.transform(other.to(at::kByte)), fitted.transform(other)));
  EXPECT_EQ(fitted.transform(other).select(1, 1).abs().max().item<float>(), 0);
}

at::Tensor normals(at::IntArrayRef shape) {
  at::Tensor values = at::empty(shape, at::kFloat);
  Random random(5);
  for (int64_t i = 0; i < values.numel(); ++i) values.data_ptr<float>()[i] = static_cast<float>(random.normal());
  return values;
}

TEST(Equalization, SpreadsValuesEvenlyAndGoesBack) {
  const at::Tensor images = normals({40, 2, 5, 5});  // 1,000 distinct values a channel: rank/999, in order
  const Equalization fitted(images);
  const at::Tensor levels = fitted.transform(images);
  for (int64_t c = 0; c < 2; ++c) {
    const at::Tensor sorted = std::get<0>(levels.select(1, c).flatten().sort());
    EXPECT_TRUE(at::allclose(sorted, at::arange(1000, at::kFloat).div(999), 0, 1e-6));
  }
  EXPECT_TRUE(at::equal(fitted.inverse(levels), images));
}

TEST(Equalization, OfVeryManyValuesKeepsSome) {
  const at::Tensor table = normals({20000, 1});
  const Equalization fitted(table);
  EXPECT_EQ(fitted.curves()[0].values.size(), 4096u);
  EXPECT_EQ(fitted.curves()[0].values.front(), table.min().item<double>());
  EXPECT_EQ(fitted.curves()[0].values.back(), table.max().item<double>());
  const at::Tensor sorted = std::get<0>(fitted.transform(table).flatten().sort());
  EXPECT_TRUE(at::allclose(sorted, at::arange(20000, at::kFloat).div(19999), 0, 1e-3));
}

TEST(Equalization, RefusesWhatIsNotFinite) {
  for (const double bad : {std::nan(""), std::numeric_limits<double>::infinity()}) {
    at::Tensor images = at::zeros({2, 2, 3, 3});
    images[1][1][2][2] = bad;
    EXPECT_THAT(testing::data_error([&] { Equalization fitted(images); }), ::testing::HasSubstr("channel 1"));
    EXPECT_THAT(testing::data_error([&] { equalized_each(images); }), ::testing::HasSubstr("channel 1"));
    const Equalization fitted(at::zeros({2, 2, 3, 3}));
    EXPECT_THAT(testing::data_error([&] { fitted.transform(images); }), ::testing::HasSubstr("only finite"));
  }
  EXPECT_THROW(Equalization(counted_table()).transform(at::zeros({4, 3})), std::invalid_argument);
}

TEST(EqualizedEach, IsEveryImagesOwnEqualization) {
  const at::Tensor images = normals({6, 2, 4, 4}).mul(9).round().clamp(-20, 20);
  const at::Tensor each = equalized_each(images);
  for (int64_t i = 0; i < 6; ++i) {
    const at::Tensor image = images.narrow(0, i, 1).contiguous();
    EXPECT_TRUE(at::equal(each.narrow(0, i, 1), Equalization(image).transform(image)));
  }
  EXPECT_EQ(equalized_each(at::full({1, 1, 2, 2}, 9, at::kByte)).abs().max().item<float>(), 0);
}

Dataset two_splits(const at::Tensor& train, const at::Tensor& test) {
  const auto split = [](const at::Tensor& images) { return Split{images, at::arange(images.size(0), at::kLong)}; };
  return {"made", "made", {}, split(train), split(test), "d"};
}

TEST(Equalized, IsFittedOnTheTrainingSplit) {
  const auto images = [](const std::vector<int64_t>& pixels) {
    return at::tensor(pixels, at::kLong).to(at::kByte).view({1, 1, 2, 2});
  };
  const Dataset set = equalized(two_splits(images({10, 10, 20, 30}), images({5, 15, 30, 99})), "equalize", 0);
  EXPECT_TRUE(at::equal(set.train.images.flatten(), at::tensor({0.F, 0.F, 0.5F, 1.F})));
  EXPECT_TRUE(at::equal(set.test.images.flatten(), at::tensor({0.F, 0.25F, 1.F, 1.F})));
  const Dataset own = equalized(two_splits(images({10, 10, 20, 30}), images({5, 15, 30, 99})), "equalize-image", 0);
  EXPECT_FLOAT_EQ(own.test.images.flatten()[1].item<float>(), 1 / 3.F);
  EXPECT_EQ(equalized(set, "equalize", 0).train.images.data_ptr(), set.train.images.data_ptr());
  EXPECT_THROW(equalized(set, "equalize-image", 0), std::invalid_argument);
  EXPECT_THROW(equalized(two_splits(images({1, 2, 3, 4}), images({1, 2, 3, 4})), "z-score", 0), std::invalid_argument);
}

TEST(Equalized, CountsTheZerosOfThePadding) {
  const at::Tensor nines = at::full({1, 1, 2, 2}, 9, at::kByte);
  for (const char* scaling : {"equalize", "equalize-image"}) {
    const at::Tensor images = equalized(two_splits(nines, nines), scaling, 5).test.images;
    ASSERT_EQ(images.sizes(), (std::vector<int64_t>{1, 1, 5, 5}));
    EXPECT_EQ(images.sum().item<float>(), 4) << "zeros are the smallest: 0, and nines 1";
    EXPECT_EQ(images[0][0].slice(0, 1, 3).slice(1, 1, 3).sum().item<float>(), 4) << "nearer to the upper left";
  }
}

}  // namespace
}  // namespace bnlab
