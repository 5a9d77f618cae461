// Paths whose shape is known.
#include "bnlab/experiments/ours/path_geometry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <numbers>
#include <numeric>

#include "tests/temp_folder.h"

namespace bnlab {
namespace {

using ::testing::HasSubstr;

using Gradient = std::function<std::pair<double, double>(int64_t)>;
using Steps = std::vector<int64_t>;

Steps first_steps(int64_t count) {
  Steps steps(static_cast<size_t>(count));
  std::iota(steps.begin(), steps.end(), 0);
  return steps;
}

/// Records gradient(t) in two dimensions at rate 0.5: the sketches of some steps, the norms of others.
PathGeometry path_of(const std::filesystem::path& folder, const RunSpec& spec, const Steps& sketches,
                     const Steps& norms, const Gradient& gradient, int64_t diverged_at = -1) {
  create_run(folder, spec);
  {
    RunWriter writer(folder, "test");
    for (const int64_t t : sketches) {
      const auto [x, y] = gradient(t);
      writer.array(t, {"gradient-sketch", 0, "sketch"},
                   std::vector<float>{static_cast<float>(x), static_cast<float>(y), 0});
      writer.scalar(t, {"gradient-sketch", 0, "rate"}, 0.5);
    }
    for (const int64_t t : norms) {
      const auto [x, y] = gradient(t);
      writer.scalar(t, {"gradient-sketch", 0, "norm"}, std::hypot(x, y));
    }
    writer.finish(0, "", diverged_at);
  }
  RunReader reader(folder);
  return PathGeometry(reader);
}

AnalysisSpec made_up() {
  AnalysisSpec spec;
  spec.analysis = "made-up";
  return spec;
}

PathGeometry path_of(const std::filesystem::path& folder, int64_t steps, const Gradient& gradient) {
  return path_of(folder, made_up(), first_steps(steps), first_steps(steps), gradient);
}

std::pair<double, double> ahead(int64_t) {
  return {1, 0};
}

TEST(PathGeometry, AStraightLine) {
  const testing::TempFolder temp(testing::memory_or_disk());
  const PathGeometry path = path_of(temp / "run", 10, [](int64_t) { return std::pair{3.0, 4.0}; });
  EXPECT_EQ(path.steps(), 10);
  EXPECT_NEAR(path.mean_cosine(1, 0, 10), 1, 1e-6);
  EXPECT_NEAR(path.tortuosity(0, 10), 1, 1e-6);
  EXPECT_NEAR(path.cosine_to_end(3), 1, 1e-6);
  EXPECT_NEAR(std::abs(path.projected().back().first - path.projected().front().first), 10 * 0.5 * 5, 1e-5);
}

TEST(PathGeometry, AZigzag) {
  const testing::TempFolder temp(testing::memory_or_disk());
  const PathGeometry path = path_of(temp / "run", 20, [](int64_t t) {
    return std::pair{1.0, t % 2 == 0 ? 2.0 : -2.0};
  });
  EXPECT_NEAR(path.mean_cosine(1, 0, 20), -0.6, 1e-6);  // (1 - 4) / 5
  EXPECT_NEAR(path.mean_cosine(2, 0, 20), 1, 1e-6);
  EXPECT_NEAR(path.tortuosity(0, 20), std::sqrt(5), 1e-6);
}

TEST(PathGeometry, ACircle) {
  const testing::TempFolder temp(testing::memory_or_disk());
  const PathGeometry path = path_of(temp / "run", 48, [](int64_t t) {
    const double angle = static_cast<double>(t) * std::numbers::pi / 12;
    return std::pair{std::cos(angle), std::sin(angle)};
  });
  EXPECT_NEAR(path.mean_cosine(1, 0, 48), std::cos(std::numbers::pi / 12), 1e-5);
  EXPECT_NEAR(path.mean_cosine(12, 0, 48), -1, 1e-5) << "half a turn later";
  EXPECT_GT(path.tortuosity(0, 23), 20);
}

TEST(PathGeometry, NothingIsNotANumber) {
  const testing::TempFolder temp(testing::memory_or_disk());
  const PathGeometry path = path_of(temp / "run", 2, [](int64_t) { return std::pair{1.0, 0.0}; });
  EXPECT_TRUE(std::isnan(path.tortuosity(1, 5)));
  EXPECT_TRUE(std::isnan(path.mean_cosine(2, 0, 2)));
}

TEST(PathGeometry, TwoNearlyEqualMainVariancesAreToldApart) {
  // Places all around an ellipse whose variances have the ratio 1.0001, its long axis at 30 degrees.
  constexpr int64_t kPlaces = 25;
  const double longer = std::sqrt(1.0001), turn = std::numbers::pi / 6;
  const auto angle = [](int64_t t) { return 2 * std::numbers::pi * static_cast<double>(t) / kPlaces; };
  const auto place = [&](int64_t t) {
    const double u = longer * std::cos(angle(t)), v = std::sin(angle(t));
    return std::pair{std::cos(turn) * u - std::sin(turn) * v, std::sin(turn) * u + std::cos(turn) * v};
  };
  const testing::TempFolder temp(testing::memory_or_disk());
  const auto projected = path_of(temp / "run", kPlaces - 1, [&](int64_t t) {
                           const auto [x0, y0] = place(t);
                           const auto [x1, y1] = place(t + 1);
                           return std::pair{-(x1 - x0) / 0.5, -(y1 - y0) / 0.5};
                         }).projected();
  ASSERT_EQ(projected.size(), kPlaces);
  double least = 0, most = 0;
  for (int64_t t = 0; t < kPlaces; ++t) {
    const auto [first, second] = projected[static_cast<size_t>(t)];
    EXPECT_NEAR(first, longer * std::cos(angle(t)), 5e-3) << t;  // its largest entry, at the start, is positive
    EXPECT_NEAR(std::abs(second), std::abs(std::sin(angle(t))), 5e-3) << t;
    least = std::min(least, second);
    most = std::max(most, second);
  }
  EXPECT_GE(most, -least - 1e-6);
}

TEST(PathGeometry, AMissingStepIsRefused) {
  const testing::TempFolder temp(testing::memory_or_disk());
  const auto refused = [&](const char* name, const Steps& sketches, const Steps& norms) {
    try {
      path_of(temp / name, made_up(), sketches, norms, ahead);
    } catch (const StoreError& error) {
      return std::string(error.what());
    }
    return std::string("not refused");
  };
  EXPECT_EQ(refused("whole", {0, 1, 2}, {0, 1, 2}), "not refused");
  EXPECT_THAT(refused("hole", {0, 2, 3}, {0, 2, 3}), HasSubstr("the sketch that"));
  EXPECT_THAT(refused("late", {1, 2}, {1, 2}), HasSubstr("lacks step 0"));
  EXPECT_THAT(refused("short norms", {0, 1, 2}, {0, 1}), HasSubstr("the norm that"));
  EXPECT_THAT(refused("short sketches", {0, 1}, {0, 1, 2}), HasSubstr("lacks step 2"));
}

TEST(PathGeometry, ATrainedRunNeedsAllItsSteps) {
  const testing::TempFolder temp(testing::memory_or_disk());
  TrainSpec spec;
  spec.steps = 4;
  const auto path = [&](const char* name, int64_t steps, int64_t diverged_at) {
    return path_of(temp / name, spec, first_steps(steps), first_steps(steps), ahead, diverged_at);
  };
  EXPECT_EQ(path("finished", 4, -1).steps(), 4);
  EXPECT_THROW(path("finished early", 3, -1), StoreError);
  EXPECT_EQ(path("diverged", 2, 2).steps(), 2);
  EXPECT_THROW(path("diverged later", 2, 3), StoreError);
}

}  // namespace
}  // namespace bnlab
