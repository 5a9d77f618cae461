#include "bnlab/data/gaussian.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include <cmath>

#include "tests/data/test_files.h"

namespace bnlab {
namespace {

TEST(Gaussian, HasTheAskedShapesAndBalancedLabels) {
  const auto data = make_gaussian({.classes = 3, .channels = 2, .size = 5, .train_count = 31, .test_count = 7});
  EXPECT_EQ(data.train.images.sizes(), (at::IntArrayRef{31, 2, 5, 5}));
  EXPECT_EQ(data.test.images.sizes(), (at::IntArrayRef{7, 2, 5, 5}));
  EXPECT_EQ(data.train.images.scalar_type(), at::kFloat);
  EXPECT_TRUE(at::equal(data.train.labels.bincount(), at::tensor({11, 10, 10}, at::kLong)));
  EXPECT_EQ(data.class_names.size(), 3u);
}

TEST(Gaussian, ClassesHaveUnitVarianceAndTheAskedSeparation) {
  const int64_t d = 192;
  const auto data = make_gaussian(
      {.classes = 20, .channels = 3, .size = 8, .train_count = 20000, .test_count = 20000, .separation = 5.0});
  std::vector<at::Tensor> centres;
  for (int64_t k = 0; k < 20; ++k) {
    const auto members = data.train.images.index({data.train.labels == k}).reshape({-1, d}).to(at::kDouble);
    const auto unseen = data.test.images.index({data.test.labels == k}).reshape({-1, d}).to(at::kDouble);
    EXPECT_NEAR(members.var(0, true).mean().item<double>(), 1.0, 0.02);
    centres.push_back(members.mean(0));
    const double shift = (unseen.mean(0) - centres.back()).square().mean().item<double>();
    EXPECT_NEAR(shift, 2.0 / 1000, 0.0008);  // two means of 1000 points of one distribution
  }
  double squares = 0.0;
  for (size_t i = 0; i < 20; ++i) {
    for (size_t j = 0; j < i; ++j) {
      squares += (centres[i] - centres[j]).square().sum().item<double>() - 2.0 * d / 1000;
    }
  }
  EXPECT_NEAR(std::sqrt(squares / 190), 5.0, 0.35);
}

TEST(Gaussian, IsAFunctionOfItsSpecAlone) {
  const auto one = make_gaussian({});
  const auto again = make_gaussian({});
  EXPECT_TRUE(at::equal(one.train.images, again.train.images));
  EXPECT_EQ(one.digest, again.digest);
  EXPECT_NE(one.digest, make_gaussian({.seed = 2}).digest);
  EXPECT_NE(one.digest, make_gaussian({.separation = 6.5}).digest);
  const auto fewer = make_gaussian({.train_count = 1000});
  EXPECT_TRUE(at::equal(fewer.train.images, one.train.images.narrow(0, 0, 1000)));
}

TEST(Gaussian, IsPinned) {  // The same on every machine.
  EXPECT_EQ(make_gaussian({}).digest, "4c681e960b61042d");
}

TEST(Gaussian, RefusesImpossibleSpecs) {
  using ::testing::HasSubstr;
  EXPECT_THAT(testing::data_error([] { make_gaussian({.classes = 1}); }), HasSubstr("found 1 classes"));
  EXPECT_THAT(testing::data_error([] { make_gaussian({.train_count = 0}); }), HasSubstr("0 train"));
  EXPECT_THAT(testing::data_error([] { make_gaussian({.separation = std::nan("")}); }), HasSubstr("separation nan"));
}

}  // namespace
}  // namespace bnlab
