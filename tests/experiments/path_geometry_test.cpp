// Paths whose shape is known.
#include "bnlab/experiments/ours/path_geometry.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <numbers>

#include "tests/temp_folder.h"

namespace bnlab {
namespace {

/// A run whose gradients are gradient(t) in two dimensions, at rate 0.5.
PathGeometry path_of(const std::filesystem::path& folder, int64_t steps,
                     const std::function<std::pair<double, double>(int64_t)>& gradient) {
  AnalysisSpec spec;
  spec.analysis = "made-up";
  create_run(folder, spec);
  {
    RunWriter writer(folder, "test");
    for (int64_t t = 0; t < steps; ++t) {
      const auto [x, y] = gradient(t);
      writer.array(t, {"gradient-sketch", 0, "sketch"},
                   std::vector<float>{static_cast<float>(x), static_cast<float>(y), 0});
      writer.scalar(t, {"gradient-sketch", 0, "norm"}, std::hypot(x, y));
      writer.scalar(t, {"gradient-sketch", 0, "rate"}, 0.5);
    }
    writer.finish(0, "", -1);
  }
  RunReader reader(folder);
  return PathGeometry(reader);
}

TEST(PathGeometry, AStraightLine) {
  const testing::TempFolder temp;
  const PathGeometry path = path_of(temp / "run", 10, [](int64_t) { return std::pair{3.0, 4.0}; });
  EXPECT_EQ(path.steps(), 10);
  EXPECT_NEAR(path.mean_cosine(1, 0, 10), 1, 1e-6);
  EXPECT_NEAR(path.tortuosity(0, 10), 1, 1e-6);
  EXPECT_NEAR(path.cosine_to_end(3), 1, 1e-6);
  EXPECT_NEAR(std::abs(path.projected().back().first - path.projected().front().first), 10 * 0.5 * 5, 1e-5);
}

TEST(PathGeometry, AZigzag) {
  const testing::TempFolder temp;
  const PathGeometry path = path_of(temp / "run", 20, [](int64_t t) {
    return std::pair{1.0, t % 2 == 0 ? 2.0 : -2.0};
  });
  EXPECT_NEAR(path.mean_cosine(1, 0, 20), -0.6, 1e-6);  // (1 - 4) / 5
  EXPECT_NEAR(path.mean_cosine(2, 0, 20), 1, 1e-6);
  EXPECT_NEAR(path.tortuosity(0, 20), std::sqrt(5), 1e-6);
}

TEST(PathGeometry, ACircle) {
  const testing::TempFolder temp;
  const PathGeometry path = path_of(temp / "run", 48, [](int64_t t) {
    const double angle = static_cast<double>(t) * std::numbers::pi / 12;
    return std::pair{std::cos(angle), std::sin(angle)};
  });
  EXPECT_NEAR(path.mean_cosine(1, 0, 48), std::cos(std::numbers::pi / 12), 1e-5);
  EXPECT_NEAR(path.mean_cosine(12, 0, 48), -1, 1e-5) << "half a turn later";
  EXPECT_GT(path.tortuosity(0, 23), 20);
}

TEST(PathGeometry, NothingIsNotANumber) {
  const testing::TempFolder temp;
  const PathGeometry path = path_of(temp / "run", 2, [](int64_t) { return std::pair{1.0, 0.0}; });
  EXPECT_TRUE(std::isnan(path.tortuosity(1, 5)));
  EXPECT_TRUE(std::isnan(path.mean_cosine(2, 0, 2)));
}

}  // namespace
}  // namespace bnlab
