#include "bnlab/study/measures.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/small_run.h"
#include "tests/temp_folder.h"

namespace bnlab {
namespace {

using ::testing::HasSubstr;
using testing::small_spec;

TEST(Measures, ClosedForms) {
  EXPECT_DOUBLE_EQ(spearman({1, 2, 3}, {10, 1000, 2000}), 1);
  EXPECT_DOUBLE_EQ(spearman({1, 2, 3}, {9, 4, 1}), -1);
  EXPECT_DOUBLE_EQ(spearman({1, 2, 2, 4}, {1, 3, 2, 4}), std::sqrt(0.9));  // scipy.stats.spearmanr: 0.9486833
  EXPECT_TRUE(std::isnan(spearman({1, 2}, {5, 5})));
  EXPECT_TRUE(std::isnan(spearman({1, NAN, 3}, {1, 2, 3})));
  EXPECT_DOUBLE_EQ(wasserstein1({0, 1, 2}, {1, 2, 3}), 1);
  EXPECT_DOUBLE_EQ(wasserstein1({0, 0}, {-1, 3}), 2);
  EXPECT_TRUE(std::isnan(wasserstein1({0}, {1, 2})));
  EXPECT_DOUBLE_EQ(mean_over({1, 2, 3, 4}, {1, 3}), 2.5);
  EXPECT_TRUE(std::isnan(mean_over({1, 2}, {1, 3})));
  EXPECT_THAT(smoothed({1, 3, 5, 7}, 2), ::testing::ElementsAre(1, 2, 4, 6));
}

TEST(Measures, PseudoValues) {
  const std::vector<double> data = {1, 2, 4, 9};
  const auto mean = [&](const std::vector<size_t>& places) {
    double sum = 0;
    for (const size_t place : places) sum += data[place];
    return sum / static_cast<double>(places.size());
  };
  const auto biased_variance = [&](const std::vector<size_t>& places) {
    double squares = 0;
    for (const size_t place : places) squares += std::pow(data[place] - mean(places), 2);
    return squares / static_cast<double>(places.size());
  };
  EXPECT_THAT(pseudo_values(4, mean), ::testing::Pointwise(::testing::DoubleEq(), data));
  EXPECT_NEAR(mean_of(pseudo_values(4, biased_variance)), 38.0 / 3, 1e-12);  // the unbiased variance: the bias is gone
  EXPECT_TRUE(pseudo_values(0, mean).empty());
}

TEST(Measures, AnArmOnItsPlateauHasNotLearned) {
  EXPECT_TRUE(have_learned("n", {{"a", {0.5, 0.3}}}, 10).holds);
  EXPECT_FALSE(have_learned("n", {{"a", {0.5, 0.15}}}, 10).holds);
  EXPECT_FALSE(have_learned("n", {{"a", {0.5, NAN}}}, 10).holds);
  EXPECT_THAT(have_learned("n", {{"the arm", {0.5, 0.15}}}, 10).detail, HasSubstr("the arm"));
}

TEST(Measures, ADivergedRunGuessesFromThereOn) {
  testing::TempFolder temp(testing::memory_or_disk());
  const TrainSpec spec = small_spec("none", 5);
  create_run(temp / "run", spec);
  {
    RunWriter writer(temp / "run", "f");
    for (int64_t step = 0; step < 3; ++step) {
      writer.scalar(step, {"train", 0, "accuracy"}, 0.9);
      writer.scalar(step, {"train", 0, "loss"}, step < 2 ? 0.5 : INFINITY);
    }
    writer.finish(2, "x", 2);
  }
  RunReader reader(temp / "run");
  EXPECT_THAT(training_accuracy(reader, 4), ::testing::ElementsAre(0.9, 0.9, 0.25, 0.25, 0.25));
  EXPECT_THAT(training_loss(reader, 4), ::testing::ElementsAre(0.5, 0.5, std::log(4.0), std::log(4.0), std::log(4.0)));
}

}  // namespace
}  // namespace bnlab
