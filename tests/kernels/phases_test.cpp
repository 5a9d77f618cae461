// The phases of a batch that several processes hold parts of, against the oracle on the whole and against the kernels
// that do all at once.
#include <gtest/gtest.h>

#include <cmath>

#include "bnlab/kernels/batch_norm.h"
#include "bnlab/kernels/moments.h"
#include "tests/kernels/oracle_checks.h"
#include "tests/kernels/shapes.h"
#include "tests/kernels/thread_runner.h"

namespace bnlab::kernels {
namespace {

template <class E>
struct Part {
  Part(BatchCase<E>& whole_case, std::int64_t first_sample, std::int64_t samples)
      : whole(whole_case),
        shape{samples, whole_case.shape.c, whole_case.shape.s, whole_case.shape.layout},
        first(first_sample * whole_case.shape.c * whole_case.shape.s),
        mask(static_cast<std::int64_t>(relu_mask_bytes(shape))),
        sum_dz(shape.c),
        sum_dz_xhat(shape.c) {}

  E* at(Values<E>& values) { return values.size() > 0 ? values.data() + first : nullptr; }
  std::uint8_t* mask_or_null() { return whole.fusion == Fusion::kNone ? nullptr : mask.data(); }

  std::vector<Moments> moments(TaskRunner& runner) {
    std::vector<Moments> all(static_cast<std::size_t>(shape.c));
    EXPECT_EQ(channel_moments<E>(shape, at(whole.x), all.data(), runner), Status::kOk);
    return all;
  }

  void forward(TaskRunner& runner) {
    const ForwardEvaluation<E> args{.shape = shape,
                                    .x = at(whole.x),
                                    .gamma = whole.gamma.data(),
                                    .beta = whole.beta.data(),
                                    .mean = whole.mean.data(),
                                    .rstd = whole.rstd.data(),
                                    .fusion = whole.fusion,
                                    .addend = at(whole.addend),
                                    .y = at(whole.y),
                                    .relu_mask = mask_or_null()};
    ASSERT_EQ(forward_evaluation(args, runner), Status::kOk);
  }

  void sums(TaskRunner& runner) {
    const BackwardSums<E> args{.shape = shape,
                               .x = at(whole.x),
                               .dy = at(whole.dy),
                               .mean = whole.mean.data(),
                               .rstd = whole.rstd.data(),
                               .relu_mask = mask_or_null(),
                               .sum_dz = sum_dz.data(),
                               .sum_dz_xhat = sum_dz_xhat.data()};
    ASSERT_EQ(backward_sums(args, runner), Status::kOk);
  }

  Status gradient(const Values<double>& all_dz, const Values<double>& all_dz_xhat, std::int64_t count,
                  TaskRunner& runner) {
    const BackwardBySums<E> args{.shape = shape,
                                 .x = at(whole.x),
                                 .dy = at(whole.dy),
                                 .gamma = whole.gamma.data(),
                                 .mean = whole.mean.data(),
                                 .rstd = whole.rstd.data(),
                                 .relu_mask = mask_or_null(),
                                 .sum_dz = all_dz.data(),
                                 .sum_dz_xhat = all_dz_xhat.data(),
                                 .count = count,
                                 .dx = at(whole.dx),
                                 .daddend = at(whole.daddend)};
    return backward_by_sums(args, runner);
  }

  BatchCase<E>& whole;
  Shape shape;
  std::int64_t first;
  Values<std::uint8_t> mask;
  Values<double> sum_dz, sum_dz_xhat;
};

/// The whole pass by phases over parts of these numbers of samples; its results are the case's.
template <class E>
void run_by_parts(BatchCase<E>& t, const std::vector<std::int64_t>& samples, TaskRunner& runner) {
  std::vector<Part<E>> parts;
  std::int64_t first = 0;
  for (const std::int64_t n : samples) {
    parts.emplace_back(t, first, n);
    first += n;
  }
  ASSERT_EQ(first, t.shape.n);
  std::vector<Moments> moments(static_cast<std::size_t>(t.shape.c));
  for (Part<E>& part : parts) {
    const std::vector<Moments> more = part.moments(runner);
    for (std::size_t c = 0; c < more.size(); ++c) moments[c] = merge(moments[c], more[c]);
  }
  for (std::size_t c = 0; c < moments.size(); ++c) {
    t.mean[c] = moments[c].mean;
    t.var_biased[c] = moments[c].m2 / static_cast<double>(moments[c].count);
    t.rstd[c] = 1 / std::sqrt(t.var_biased[c] + kEps);
  }
  Values<double> sum_dz(t.shape.c), sum_dz_xhat(t.shape.c);
  for (Part<E>& part : parts) {
    part.forward(runner);
    part.sums(runner);
    for (std::size_t c = 0; c < sum_dz.size(); ++c) {
      sum_dz[c] += part.sum_dz[c];
      sum_dz_xhat[c] += part.sum_dz_xhat[c];
    }
  }
  for (Part<E>& part : parts) {
    ASSERT_EQ(part.gradient(sum_dz, sum_dz_xhat, t.shape.count(), runner), Status::kOk);
  }
  for (std::size_t c = 0; c < sum_dz.size(); ++c) {
    t.dgamma[c] = static_cast<Compute<E>>(sum_dz_xhat[c]);
    t.dbeta[c] = static_cast<Compute<E>>(sum_dz[c]);
  }
}

const std::vector<Shape>& shapes_in_parts() {
  static const std::vector<Shape> shapes = [] {
    std::vector<Shape> all;
    for (const Layout layout : kLayouts) {
      for (const Shape& shape : {Shape{9, 3, 49, layout}, Shape{40, 65, 1, layout}, Shape{16, 17, 63, layout},
                                 Shape{20, 5, 400, layout}, Shape{5, 300, 17, layout}}) {
        all.push_back(shape);
      }
    }
    return all;
  }();
  return shapes;
}

template <class E>
class Phases : public testing::Test {};
TYPED_TEST_SUITE(Phases, ElementTypes);

TYPED_TEST(Phases, OverUnevenAndEmptyPartsAgreeWithTheOracle) {
  SerialTaskRunner runner;
  std::size_t turn = 0;
  for (const Shape& shape : shapes_in_parts()) {
    for (const Fusion fusion : kFusions) {
      const std::vector<std::int64_t> cuts[] = {{1, shape.n - 1}, {0, 2, shape.n - 2}, {shape.n - 3, 1, 0, 2}};
      const std::vector<std::int64_t>& samples = cuts[turn++ / 2 % std::size(cuts)];
      SCOPED_TRACE(name_of(shape) + ", " + name_of(fusion) + ", " + std::to_string(samples.size()) + " parts");
      BatchCase<TypeParam> t(shape, fusion);
      run_by_parts(t, samples, runner);
      check_statistics(t);
      check_forward(t);
      check_backward(t, true);
      ASSERT_TRUE(t.guarded());
      if (testing::Test::HasFatalFailure()) return;
    }
  }
}

TYPED_TEST(Phases, OfOnePartGiveTheBitsOfTheWholePass) {
  SerialTaskRunner runner;
  ThreadRunner pool(3);
  for (const Shape& shape : shapes_in_parts()) {
    for (const Fusion fusion : kFusions) {
      SCOPED_TRACE(name_of(shape) + ", " + name_of(fusion));
      BatchCase<TypeParam> at_once(shape, fusion), alone(shape, fusion), threads(shape, fusion);
      ASSERT_EQ(forward_training(at_once.forward(), runner), Status::kOk);
      ASSERT_EQ(backward_training(at_once.backward(), runner), Status::kOk);
      run_by_parts(alone, {shape.n}, runner);
      run_by_parts(threads, {shape.n}, pool);
      for (const auto* t : {&alone, &threads}) {
        ASSERT_TRUE(same_bits(t->y, at_once.y) && same_bits(t->dx, at_once.dx) && same_bits(t->mean, at_once.mean));
        ASSERT_TRUE(same_bits(t->dgamma, at_once.dgamma) && same_bits(t->dbeta, at_once.dbeta));
        ASSERT_TRUE(same_bits(t->daddend, at_once.daddend));
      }
    }
  }
}

TEST(PhasesEdges, RefuseACountThatIsLessThanTheirOwn) {
  SerialTaskRunner runner;
  BatchCase<float> t(Shape{4, 2, 3, Layout::kChannelsFirst});
  ASSERT_EQ(forward_training(t.forward(), runner), Status::kOk);
  Part<float> part(t, 0, 4);
  const Values<double> sums(2);
  EXPECT_EQ(part.gradient(sums, sums, 11, runner), Status::kBadShape);
  EXPECT_EQ(part.gradient(sums, sums, 12, runner), Status::kOk);
}

TEST(PhasesEdges, ANaNStaysInItsChannel) {
  SerialTaskRunner runner;
  BatchCase<float> t(Shape{4, 2, 3, Layout::kChannelsLast});
  t.dy[0] = std::numeric_limits<float>::quiet_NaN();  // of channel 0
  run_by_parts(t, {1, 3}, runner);
  for (std::size_t i = 0; i < t.dx.size(); ++i) EXPECT_EQ(std::isnan(t.dx[i]), i % 2 == 0) << i;
  EXPECT_TRUE(std::isnan(t.dgamma[0]) && std::isfinite(t.dgamma[1]));
}

}  // namespace
}  // namespace bnlab::kernels
