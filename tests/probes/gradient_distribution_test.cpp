#include "bnlab/probes/gradient_distribution.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <string>

#include "bnlab/probes/layer_weights.h"
#include "tests/probes/moment.h"

namespace bnlab {
namespace {

using testing::MomentTest;
using testing::small_dataset;
using testing::small_spec;

std::vector<double> elements_of(const at::Tensor& tensor) {
  const at::Tensor flat = tensor.to(at::kDouble).contiguous().flatten();
  return {flat.data_ptr<double>(), flat.data_ptr<double>() + flat.numel()};
}

double central_moment(const std::vector<double>& values, double mean, int power) {
  double sum = 0;
  for (const double value : values) sum += std::pow(value - mean, power);
  return sum / static_cast<double>(values.size());
}

TEST_F(MomentTest, GradientDistributionIsTheTextbooks) {
  for (const char* norm : {"none", "batch"}) {
    const TrainSpec spec = small_spec(norm);
    const testing::Moment at = moment(spec, 2);
    const auto gradients = at.gradients();
    const auto places = layer_parameters(*at.network);
    RunReader reader = probed(spec, 2, "gradient-distribution",
                              {{"layers", {1, 3, 8}}, {"per_mille", {50, 200}}, {"quantiles", 100000}});
    for (const int64_t layer : {1, 3, 8}) {
      SCOPED_TRACE(std::string(norm) + " " + std::to_string(layer));
      const auto recorded = [&](const char* name) {
        return reader.scalar_at({"gradient-distribution", layer, name}, 2).value_or(NAN);
      };
      std::vector<double> g = elements_of(gradients[places[static_cast<size_t>(layer - 1)].weight]);
      const double mean = central_moment(g, 0, 1), variance = central_moment(g, mean, 2);
      EXPECT_NEAR(recorded("norm") / std::sqrt(central_moment(g, 0, 2) * static_cast<double>(g.size())), 1, 1e-5);
      EXPECT_NEAR(recorded("deviation") / std::sqrt(variance), 1, 1e-5);
      EXPECT_NEAR(recorded("kurtosis"), central_moment(g, mean, 4) / (variance * variance) - 3, 1e-3);

      std::sort(g.begin(), g.end());
      const auto quantiles = reader.arrays({"gradient-distribution", layer, "quantiles"}).front().as_doubles();
      ASSERT_EQ(quantiles.size(), g.size());
      for (size_t i = 0; i < g.size(); ++i) EXPECT_NEAR(quantiles[i], g[i], 1e-5 * std::abs(g.back()));

      for (double& value : g) value = std::abs(value);
      std::sort(g.begin(), g.end(), std::greater<>());
      for (const int share : {50, 200}) {
        const size_t k = g.size() * static_cast<size_t>(share) / 1000;
        ASSERT_GE(k, 1u);
        double sum = 0;  // of ln of the k largest, in falling order, over the next
        for (size_t i = 0; i < k; ++i) sum += std::log(g[i]) - std::log(g[k]);
        EXPECT_NEAR(recorded(share == 50 ? "hill_50" : "hill_200"), sum / static_cast<double>(k), 1e-4) << share;
      }
    }
  }
}

TEST_F(MomentTest, GradientDistributionKeepsTheEndsOfLongLists) {
  RunReader all = probed(small_spec("batch"), 1, "gradient-distribution", {{"layers", {4}}, {"quantiles", 100000}});
  RunReader few = probed(small_spec("batch"), 1, "gradient-distribution", {{"layers", {4}}, {"quantiles", 5}});
  const auto every = all.arrays({"gradient-distribution", 4, "quantiles"}).front().as_doubles(),
             five = few.arrays({"gradient-distribution", 4, "quantiles"}).front().as_doubles();
  ASSERT_EQ(five.size(), 5u);
  for (size_t i = 0; i < 5; ++i) EXPECT_EQ(five[i], every[i * (every.size() - 1) / 4]) << i;
  EXPECT_EQ(five.back(), *std::max_element(every.begin(), every.end()));
}

TEST(GradientDistributionParameters, AreCompletedAndChecked) {
  const TrainSpec spec = small_spec("batch");
  const ProbeSetting setting = testing::probe_setting(spec, TrainingData(small_dataset(), spec));
  const ProbeKind kind = gradient_distribution_probe();
  EXPECT_EQ(kind.complete(Json::object(), "p", setting),
            (Json{{"layers", {1, 2, 3, 4, 5, 6, 7, 8}}, {"per_mille", {10, 20, 50, 100}}, {"quantiles", 1025}}));
  for (const char* wrong : {R"({"per_mille": [0]})", R"({"per_mille": [1000]})", R"({"quantiles": 1})"}) {
    EXPECT_THROW(kind.complete(Json::parse(wrong), "p", setting), SpecError) << wrong;
  }
}

}  // namespace
}  // namespace bnlab
