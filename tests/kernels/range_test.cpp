// Standard deviations beyond what the arithmetic serves are reported, and none within.
#include "bnlab/kernels/range.h"

#include <gtest/gtest.h>

#include "tests/kernels/batch_case.h"
#include "tests/kernels/expectations.h"
#include "tests/kernels/forced_instruction_set.h"

namespace bnlab::kernels {
namespace {

template <class E>
class Range : public testing::Test {
 public:
  using T = Compute<E>;
  static constexpr int kExponent = std::is_same_v<T, double> ? 400 : 40;
  static constexpr double kLargest = std::numeric_limits<T>::max();
  static constexpr double kLargestConstant = std::is_same_v<T, double> ? 1e300 : kStorage<E>.beyond / 2;

  /// A batch whose last channel is +-scale around 0, eps = 0.
  static BatchCase<E> with_scale(const Shape& shape, double scale) {
    BatchCase<E> t(shape, Fusion::kRelu, 0.5);
    double sign = 1;
    oracle::for_channel(t.places(), shape.c - 1, [&](std::size_t at) {
      t.x[at] = static_cast<E>(sign * scale);
      sign = -sign;
    });
    return t;
  }

  static Status train(BatchCase<E>& t, double eps = 0) {
    SerialTaskRunner runner;
    auto forward = t.forward();
    forward.eps = eps;
    return forward_training(forward, runner);
  }

  static std::vector<Shape> shapes() {
    return {Shape{4, 5, 9}, Shape{4, 5, 9, Layout::kChannelsLast}, Shape{64, 5, 1}, Shape{300, 65, 2}};
  }
};
TYPED_TEST_SUITE(Range, ElementTypes);

TYPED_TEST(Range, DeviationsBeyondItAreReported) {
  constexpr double most = kStorage<TypeParam>.beyond / 2, least = kStorage<TypeParam>.least;
  for (const char* name : instruction_sets()) {
    const ForcedInstructionSet forced(name);
    for (const Shape& shape : this->shapes()) {
      for (const auto& [scale, served] :
           {std::pair{std::min(std::ldexp(1, this->kExponent - 1), most), true},
            std::pair{std::max(std::ldexp(1, 1 - this->kExponent), least), true},
            std::pair{std::ldexp(1, this->kExponent + 1), false}, std::pair{std::ldexp(1, -1 - this->kExponent), false},
            std::pair{std::sqrt(this->kLargest) * 8, false}, std::pair{this->kLargest / 1.1, false},
            std::pair{std::sqrt(std::numeric_limits<double>::min()) / 4, false}}) {
        SCOPED_TRACE(std::string(name) + ", " + name_of(shape) + ", " + std::to_string(std::log2(scale)));
        auto t = this->with_scale(shape, scale);
        const double stored = t.x.doubles()[t.places().index(0, shape.c - 1, 0)];
        if (stored == 0 || std::isinf(stored)) continue;  // no number of the type is so small, or so large
        EXPECT_EQ(this->train(t), served ? Status::kOk : Status::kOutOfRange);
      }
    }
  }
}

TYPED_TEST(Range, ConstantChannelsNanAndInfinitiesAreServed) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  for (const Shape& shape : this->shapes()) {
    for (const double value : {0.0, this->kLargestConstant, std::numeric_limits<double>::quiet_NaN(), kInfinity}) {
      for (const double eps : {0.0, 1e-300, 1e-5}) {
        auto t = this->with_scale(shape, 1);
        oracle::for_channel(t.places(), shape.c - 1, [&](std::size_t at) { t.x[at] = static_cast<TypeParam>(value); });
        EXPECT_EQ(this->train(t, eps), Status::kOk) << value << ' ' << eps;
        EXPECT_EQ(std::isnan(t.rstd[static_cast<std::size_t>(shape.c) - 1]), !std::isfinite(value));
      }
    }
  }
}

TYPED_TEST(Range, GivenStatisticsBeyondItAreReported) {
  SerialTaskRunner runner;
  const double most = std::ldexp(1, this->kExponent), infinity = std::numeric_limits<double>::infinity();
  for (const auto& [mean, rstd, served] :
       {std::tuple{0.0, most, true}, std::tuple{0.0, 1 / most, true}, std::tuple{0.0, 0.0, true},
        std::tuple{0.0, infinity, true}, std::tuple{std::nan(""), 1.0, true}, std::tuple{0.0, most * 2, false},
        std::tuple{0.0, 0.5 / most, false}, std::tuple{this->kLargest / 2, 1.0, false}}) {
    SCOPED_TRACE(std::to_string(mean) + ", " + std::to_string(rstd));
    auto t = this->with_scale({4, 5, 9}, 1);
    ASSERT_EQ(this->train(t, kEps), Status::kOk);
    t.mean[2] = mean;
    t.rstd[2] = rstd;
    const Status expected = served ? Status::kOk : Status::kOutOfRange;
    EXPECT_EQ(backward_training(t.backward(), runner), expected);
    EXPECT_EQ(backward_evaluation(t.backward(), runner), expected);
    EXPECT_EQ(second_derivative_training(t.second(), runner), expected);
    EXPECT_EQ(second_derivative_evaluation(t.second(), runner), expected);
    EXPECT_EQ(forward_evaluation(t.evaluation(), runner), expected);
  }
}

}  // namespace
}  // namespace bnlab::kernels
