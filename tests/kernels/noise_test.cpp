// Noise against Philox's published answers, a reading of its definition in double, and the distributions it claims.
#include "bnlab/kernels/noise.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numbers>
#include <vector>

#include "tests/kernels/forced_instruction_set.h"
#include "tests/kernels/thread_runner.h"

namespace bnlab::kernels {
namespace {

constexpr PhiloxKey kKey = {0x12345678, 0x9ABCDEF0};

// The lines "philox4x32 10" of tests/kat_vectors in Random123, the library of Philox's authors.
TEST(Philox, GivesThePublishedAnswers) {
  constexpr std::uint32_t kOnes = 0xffffffff;
  EXPECT_EQ(philox({0, 0, 0, 0}, {0, 0}), (PhiloxCounter{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox({kOnes, kOnes, kOnes, kOnes}, {kOnes, kOnes}),
            (PhiloxCounter{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (PhiloxCounter{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

/// A batch in logical order (n, c, s) with its noise's parameters.
struct NoiseCase {
  explicit NoiseCase(const Shape& sizes) : shape(sizes), x(static_cast<std::size_t>(sizes.elements())) {
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i % 37) / 16 - 1;
    for (std::int64_t c = 0; c < shape.c; ++c) {
      scale.push_back(1 + static_cast<float>(c) / 8);
      mean.push_back(static_cast<float>(c) / 4 - 2);
    }
  }

  std::int64_t place(std::int64_t n, std::int64_t c, std::int64_t s) const {
    const bool last = shape.layout == Layout::kChannelsLast;
    return n * shape.c * shape.s + (last ? s * shape.c + c : c * shape.s + s);
  }

  std::vector<float> noisy(TaskRunner& runner, bool shift = true) const {
    std::vector<float> in(x.size()), out(x.size() + 1, -77), logical(x.size());
    for_each([&](std::int64_t n, std::int64_t c, std::int64_t s, std::size_t i) {
      in[static_cast<std::size_t>(place(n, c, s))] = x[i];
    });
    const AffineNoise args{.shape = shape,
                           .x = in.data(),
                           .scale = scale.data(),
                           .mean = shift ? mean.data() : nullptr,
                           .scale_spread = scale_spread,
                           .mean_spread = mean_spread,
                           .key = kKey,
                           .y = out.data()};
    EXPECT_EQ(affine_noise(args, runner), Status::kOk);
    EXPECT_EQ(out.back(), -77) << "writes behind the end";
    for_each([&](std::int64_t n, std::int64_t c, std::int64_t s, std::size_t i) {
      logical[i] = out[static_cast<std::size_t>(place(n, c, s))];
    });
    return logical;
  }

  template <class Visit>
  void for_each(const Visit& visit) const {
    std::size_t i = 0;
    for (std::int64_t n = 0; n < shape.n; ++n) {
      for (std::int64_t c = 0; c < shape.c; ++c) {
        for (std::int64_t s = 0; s < shape.s; ++s) visit(n, c, s, i++);
      }
    }
  }

  Shape shape;
  std::vector<float> x, scale, mean;
  float scale_spread = 0.1F, mean_spread = 0.2F;
};

/// The definition in noise.h, in double: both normals and uniforms of a counter.
struct Draws {
  double z[2], u[2];
};

Draws draws_of(std::int64_t n, std::int64_t place) {
  const PhiloxCounter words =
      philox({static_cast<std::uint32_t>(place), static_cast<std::uint32_t>(n / 2), 0, 0}, kKey);
  const double radius = std::sqrt(-2 * std::log((static_cast<double>(words[0] >> 1) + 0.5) * 0x1p-31));
  const double angle = static_cast<std::int32_t>(words[1]) * 0x1p-31 * std::numbers::pi / 4;
  double z[2] = {(words[1] & 2 ? -1 : 1) * std::cos(angle), std::sin(angle)};
  if (words[1] & 1) std::swap(z[0], z[1]);
  return {{radius * z[0], radius * z[1]},
          {static_cast<std::int32_t>(words[2]) * 0x1p-31, static_cast<std::int32_t>(words[3]) * 0x1p-31}};
}

std::vector<Shape> shapes() {
  std::vector<Shape> all;
  for (const Layout layout : {Layout::kChannelsFirst, Layout::kChannelsLast}) {
    for (const std::int64_t n : {1, 2, 3, 8}) {
      all.push_back({n, 3, 5, layout});
      all.push_back({n, 16, 1, layout});
      all.push_back({n, 17, 64, layout});
    }
    all.push_back({3, 20, 1000, layout});  // several tasks a sample
  }
  return all;
}

TEST(AffineNoise, IsItsDefinitionOnEveryInstructionSet) {
  for (const char* name : instruction_sets()) {
    const ForcedInstructionSet forced(name);
    for (const Shape& shape : shapes()) {
      const NoiseCase t(shape);
      SerialTaskRunner runner;
      const std::vector<float> y = t.noisy(runner), scaled = t.noisy(runner, /*shift=*/false);
      double worst = 0;
      t.for_each([&](std::int64_t n, std::int64_t c, std::int64_t s, std::size_t i) {
        const Draws draws = draws_of(n, c * shape.s + s);
        const double factor = t.scale[c] + double{t.scale_spread} * draws.z[n % 2];
        const double m = t.mean[c] + double{t.mean_spread} * draws.u[n % 2];
        worst = std::max({worst, std::abs(scaled[i] - factor * t.x[i]), std::abs(y[i] - (factor * t.x[i] + m))});
      });
      EXPECT_TRUE(worst <= 4e-6) << name << ", N " << shape.n << ", C " << shape.c << ", S " << shape.s << ": "
                                 << worst;
    }
  }
}

TEST(AffineNoise, HasTheSameBitsForEveryInstructionSetLayoutAndNumberOfThreads) {
  NoiseCase t({9, 24, 700, Layout::kChannelsFirst});
  SerialTaskRunner serial;
  const std::vector<float> y = t.noisy(serial);
  for (const char* name : instruction_sets()) {
    const ForcedInstructionSet forced(name);
    for (const Layout layout : {Layout::kChannelsFirst, Layout::kChannelsLast}) {
      t.shape.layout = layout;
      for (int threads = 1; threads <= 4; ++threads) {
        ThreadRunner runner(threads);
        EXPECT_EQ(t.noisy(runner), y) << name << ", threads: " << threads;
      }
    }
  }
}

/// Of 4 million standard normals or uniforms from -1 to 1: scale 0 or mean 0 and a spread of 1.
std::vector<float> many(bool normals) {
  NoiseCase t({4000, 10, 100, Layout::kChannelsFirst});
  std::fill(t.x.begin(), t.x.end(), normals ? 1.0F : 0.0F);
  std::fill(t.scale.begin(), t.scale.end(), 0.0F);
  std::fill(t.mean.begin(), t.mean.end(), 0.0F);
  t.scale_spread = t.mean_spread = 1;
  SerialTaskRunner runner;
  return t.noisy(runner, /*shift=*/!normals);
}

/// sqrt(n) times the largest distance to the distribution function: above 1.95 once in a thousand (Kolmogorov).
template <class Cdf>
double kolmogorov(std::vector<float> values, const Cdf& cdf) {
  std::sort(values.begin(), values.end());
  const auto n = static_cast<double>(values.size());
  double worst = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double f = cdf(static_cast<double>(values[i])), at = static_cast<double>(i) / n;
    worst = std::max({worst, f - at, at + 1 / n - f});
  }
  return worst * std::sqrt(n);
}

double normal_cdf(double z) {
  return std::erfc(-z / std::numbers::sqrt2) / 2;
}

TEST(AffineNoise, DrawsNormals) {
  const std::vector<float> z = many(true);
  const auto n = static_cast<double>(z.size());
  double moments[5] = {};
  for (const double value : z) {
    for (int k = 1; k <= 4; ++k) moments[k] += std::pow(value, k) / n;
  }
  const double error = 4 / std::sqrt(n);  // four standard errors, times the deviation of each power
  EXPECT_NEAR(moments[1], 0, error);
  EXPECT_NEAR(moments[2], 1, error * std::sqrt(2));
  EXPECT_NEAR(moments[3], 0, error * std::sqrt(15));
  EXPECT_NEAR(moments[4], 3, error * std::sqrt(96));
  for (const double far : {2.0, 3.0, 4.0, 5.0}) {
    const double expected = n * 2 * normal_cdf(-far);
    const auto found =
        static_cast<double>(std::count_if(z.begin(), z.end(), [&](float v) { return std::abs(v) > far; }));
    EXPECT_NEAR(found, expected, 4 * std::sqrt(expected) + 1) << "beyond " << far;
  }
  EXPECT_LT(kolmogorov(z, normal_cdf), 1.95);
}

TEST(AffineNoise, DrawsUniforms) {
  const std::vector<float> u = many(false);
  const auto [least, most] = std::minmax_element(u.begin(), u.end());
  EXPECT_TRUE(*least >= -1 && *least < -0.99999) << *least;
  EXPECT_TRUE(*most <= 1 && *most > 0.99999) << *most;
  EXPECT_LT(kolmogorov(u, [](double x) { return (x + 1) / 2; }), 1.95);
}

TEST(AffineNoise, ValuesAreIndependentOfTheirNeighboursAndPartners) {
  const std::vector<float> z = many(true), u = many(false);
  constexpr std::size_t kSample = 1000;
  const double bound = 4 / std::sqrt(static_cast<double>(z.size()));
  const auto correlation = [&](const std::vector<float>& a, const std::vector<float>& b, std::size_t lag) {
    double sum = 0;
    for (std::size_t i = 0; i + lag < a.size(); ++i) sum += double{a[i]} * b[i + lag];
    return sum / static_cast<double>(a.size());
  };
  std::vector<float> squares;
  for (const float value : z) squares.push_back((value * value - 1) / std::numbers::sqrt2_v<float>);
  for (const std::size_t lag : {std::size_t{1}, std::size_t{16}, kSample}) {  // kSample: half of them share a counter
    EXPECT_NEAR(correlation(z, z, lag), 0, bound) << lag;
    EXPECT_NEAR(correlation(squares, squares, lag), 0, bound) << lag;
    EXPECT_NEAR(correlation(u, u, lag), 0, bound) << lag;
  }
  EXPECT_NEAR(correlation(z, u, 0), 0, bound);
  EXPECT_NEAR(correlation(squares, u, 0), 0, bound);
}

TEST(AffineNoise, RefusesBadShapesAndTakesEmptyOnes) {
  SerialTaskRunner runner;
  EXPECT_EQ(affine_noise({.shape = {-1, 2, 3, {}}}, runner), Status::kBadShape);
  EXPECT_EQ(affine_noise({.shape = {1, std::int64_t{1} << 20, std::int64_t{1} << 13, {}}}, runner), Status::kBadShape);
  EXPECT_EQ(affine_noise({.shape = {0, 2, 3, {}}}, runner), Status::kOk);
}

}  // namespace
}  // namespace bnlab::kernels
