#include "bnlab/ranks/gradient_buckets.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <stdexcept>
#include <vector>

#include "bnlab/ranks/ranks_error.h"
#include "tests/ranks/threads.h"

namespace bnlab {
namespace {

using testing::run_ranks;

/// Parameters of several sizes and types, one channels-last; the same on each rank.
std::vector<at::Tensor> some_parameters() {
  std::vector<at::Tensor> list;
  const auto add = [&](const at::Tensor& values) { list.push_back(values.clone().set_requires_grad(true)); };
  add(at::arange(24, at::kFloat).view({2, 3, 2, 2}).contiguous(at::MemoryFormat::ChannelsLast));
  add(at::arange(5, at::kFloat));
  add(at::arange(4, at::kDouble).view({2, 2}));
  add(at::ones({}, at::kFloat));
  add(at::arange(6, at::kFloat).view({2, 3}));
  return list;
}

/// A loss whose gradient for parameter i is (i + 1) * 10^rank * its own values.
at::Tensor loss_of(const std::vector<at::Tensor>& parameters, std::int64_t rank) {
  at::Tensor loss = at::zeros({}, at::kDouble);
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    loss = loss + (parameters[i] * parameters[i]).sum().to(at::kDouble) * (0.5 * (i + 1.) * (rank == 0 ? 1 : 10));
  }
  return loss;
}

double factor(std::size_t i, std::int64_t ranks) {
  return (i + 1.) * (1 + 10. * (ranks - 1));
}

void expect_sums(const std::vector<at::Tensor>& parameters, std::int64_t ranks) {
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    ASSERT_TRUE(parameters[i].grad().defined()) << i;
    EXPECT_TRUE(at::equal(parameters[i].grad(), parameters[i].detach() * factor(i, ranks))) << i;
    EXPECT_EQ(parameters[i].grad().strides(), parameters[i].strides()) << i;
  }
}

TEST(GradientBuckets, AreThePlainSumsWhateverTheirSize) {
  for (const std::int64_t bytes : {1, 30, 100, 1 << 20}) {
    for (const std::int64_t size : {1, 2, 3}) {
      run_ranks(size, [&](Ranks& ranks) {
        const auto parameters = some_parameters();
        GradientBuckets buckets(ranks, parameters, bytes);
        if (bytes == 1) {
          EXPECT_EQ(buckets.buckets(), 5);
        } else if (bytes == 1 << 20) {
          EXPECT_EQ(buckets.buckets(), 3);  // float, double, float
        }
        for (int step = 0; step < 3; ++step) {
          const auto armed = buckets.arm();
          loss_of(parameters, ranks.rank()).backward();
          buckets.finish();
          expect_sums(parameters, size);
        }
      });
    }
  }
}

/// Counts what is begun, and in which order.
class Witness : public Ranks {
 public:
  std::int64_t rank() const override { return 0; }
  std::int64_t size() const override { return 1; }
  at::Tensor gather(const at::Tensor& values) override { return values.unsqueeze(0).clone(); }
  std::function<void()> begin_sum(at::Tensor values) override {
    begun.push_back(values.numel());
    return [] {};
  }
  void take_from_first(at::Tensor) override {}
  std::vector<std::int64_t> begun;
};

TEST(GradientBuckets, BeginDuringTheBackwardPassInTheSameOrder) {
  Witness ranks;
  auto first = at::ones({2}).set_requires_grad(true), second = at::ones({3}).set_requires_grad(true);
  auto third = at::ones({4}).set_requires_grad(true);
  GradientBuckets buckets(ranks, {first, second, third}, 1);
  std::vector<std::int64_t> seen;
  first.register_hook([&](const at::Tensor&) { seen = ranks.begun; });
  for (const bool last_first : {true, false}) {
    ranks.begun.clear();
    const auto armed = buckets.arm();
    // What is used last is reached first.
    const auto loss =
        last_first ? ((first.sum() * second).sum() * third).sum() : ((third.sum() * second).sum() * first).sum();
    loss.backward();
    buckets.finish();
    EXPECT_THAT(ranks.begun, ::testing::ElementsAre(5, 4, 3));  // each with one more that says whether it came
    EXPECT_EQ(seen.size(), last_first ? 3u : 0u);
  }
}

TEST(GradientBuckets, WithoutAGradientAParameterCountsAsZero) {
  run_ranks(2, [](Ranks& ranks) {
    auto used = at::ones({2}).set_requires_grad(true), by_one = at::ones({3}).set_requires_grad(true);
    auto unused = at::ones({3}).set_requires_grad(true), frozen = at::ones({3});
    GradientBuckets buckets(ranks, {used, by_one, unused, frozen});
    for (int step = 0; step < 2; ++step) {
      const auto armed = buckets.arm();
      auto loss = used.sum();
      if (ranks.rank() == 1) loss = loss + 5 * by_one.sum();
      loss.backward();
      buckets.finish();
      EXPECT_TRUE(at::equal(used.grad(), at::full({2}, 2.f)));
      EXPECT_TRUE(at::equal(by_one.grad(), at::full({3}, 5.f)));
      EXPECT_FALSE(unused.grad().defined());
      EXPECT_FALSE(frozen.grad().defined());
    }
  });
}

TEST(GradientBuckets, LeaveOtherBackwardPassesAlone) {
  run_ranks(2, [](Ranks& ranks) {
    const auto parameters = some_parameters();
    {
      GradientBuckets buckets(ranks, parameters);
      loss_of(parameters, 0).backward();
      expect_sums(parameters, 1);
      {
        const auto armed = buckets.arm();
        loss_of(parameters, ranks.rank()).backward();
        buckets.finish();
        for (const auto& parameter : parameters) parameter.mutable_grad().reset();
        loss_of(parameters, 0).backward();
        expect_sums(parameters, 1);
      }
      EXPECT_THROW(buckets.finish(), std::logic_error);
    }
    for (const auto& parameter : parameters) parameter.mutable_grad().reset();
    loss_of(parameters, 0).backward();
    expect_sums(parameters, 1);
  });
}

TEST(GradientBuckets, AnExceptionInTheBackwardPassLeavesThemDisarmed) {
  run_ranks(2, [](Ranks& ranks) {
    const auto parameters = some_parameters();
    GradientBuckets buckets(ranks, parameters, 1);
    bool failing = true;
    auto inner = parameters[0] * 1;
    inner.register_hook([&](const at::Tensor& gradient) {
      if (failing) throw std::out_of_range("in the middle");
      return gradient;
    });
    auto changed = parameters;
    changed[0] = inner;
    try {
      const auto armed = buckets.arm();
      loss_of(changed, ranks.rank()).backward();
      ADD_FAILURE() << "no exception";
    } catch (const std::exception&) {
    }
    for (const auto& parameter : parameters) parameter.mutable_grad().reset();
    loss_of(parameters, 0).backward();
    expect_sums(parameters, 1);
    const auto armed = buckets.arm();
    loss_of(parameters, ranks.rank()).backward();
    buckets.finish();
    expect_sums(parameters, 2);
  });
}

TEST(GradientBuckets, NotFiniteGradientsAreSummedToo) {
  run_ranks(2, [](Ranks& ranks) {
    auto parameter = at::ones({2}).set_requires_grad(true);
    GradientBuckets buckets(ranks, {parameter});
    const auto armed = buckets.arm();
    (parameter.sum() * (ranks.rank() == 0 ? std::numeric_limits<float>::quiet_NaN() : 1.f)).backward();
    buckets.finish();
    EXPECT_TRUE(parameter.grad().isnan().all().item<bool>());
  });
}

TEST(GradientBuckets, ParametersThatDifferBetweenRanksAreRefused) {
  const auto differ = [](Ranks& ranks) {
    const auto weight = at::ones({2, 2, 2, 2});
    const auto format = ranks.rank() == 0 ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous;
    GradientBuckets(ranks, {weight.contiguous(format).set_requires_grad(true)});
  };
  EXPECT_THROW(run_ranks(2, differ), RanksError);
}

}  // namespace
}  // namespace bnlab
