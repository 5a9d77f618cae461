// The modes of the running statistics against closed forms.
#include "bnlab/ops/running_statistics.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

#include "bnlab/ops/batch_norm_composed.h"
#include "tests/ops/differences.h"

namespace bnlab::ops {
namespace {

constexpr std::int64_t kCount = 5, kChannels = 3;
constexpr double kUnbiased = 1.25;  // 5/4

struct Running {
  at::Tensor mean = at::zeros({kChannels}, at::kDouble), var = at::ones({kChannels}, at::kDouble);
  at::Tensor batches = at::zeros({}, at::kLong);
  OptionalTensor window_mean, window_var, skipped, step, last_step;

  void use_window(std::int64_t size) {
    window_mean = at::zeros({size, kChannels}, at::kDouble);
    window_var = at::full({size, kChannels}, -1.0, at::kDouble);
  }
  void take(const at::Tensor& batch_mean, const at::Tensor& batch_var, c10::optional<double> momentum,
            RunningUpdate* update = &update_running_statistics) {
    update(batch_mean, batch_var, kCount, momentum, mean, var, batches, window_mean, window_var, skipped, step,
           last_step);
  }
};

/// The statistics of batch number i.
at::Tensor mean_of(int i) {
  return at::tensor({1.0 + i, -2.0 * i, 0.5}, at::kDouble);
}
at::Tensor var_of(int i) {
  return at::tensor({2.0, 1.0 + i * i, 0.25 * i}, at::kDouble);
}

at::Tensor average(at::Tensor (*of)(int), int first, int last) {
  at::Tensor sum = at::zeros({kChannels}, at::kDouble);
  for (int i = first; i <= last; ++i) sum = sum + of(i);
  return sum / (last - first + 1);
}

TEST(RunningStatistics, ExponentialWeighsByMomentum) {
  Running running;
  at::Tensor mean = at::zeros({kChannels}, at::kDouble), var = at::ones({kChannels}, at::kDouble);
  for (int i = 0; i < 6; ++i) {
    running.take(mean_of(i), var_of(i), 0.25);
    mean = 0.75 * mean + 0.25 * mean_of(i);
    var = 0.75 * var + 0.25 * kUnbiased * var_of(i);
    EXPECT_TRUE(at::equal(running.mean, mean));
    expect_close(running.var, var, 1e-15, "var");
  }
  EXPECT_EQ(running.batches.item<int>(), 6);
}

TEST(RunningStatistics, WithoutMomentumTheyAreTheMeanOfAllBatches) {
  Running running;
  for (int i = 0; i < 10; ++i) {
    running.take(mean_of(i), var_of(i), c10::nullopt);
    expect_close(running.mean, average(mean_of, 0, i), 1e-14, "mean");
    expect_close(running.var, kUnbiased * average(var_of, 0, i), 1e-14, "var");
  }
}

TEST(RunningStatistics, AWindowKeepsTheLastBatches) {
  constexpr int kWindow = 4;
  Running running;
  running.use_window(kWindow);
  for (int i = 0; i < 11; ++i) {
    running.take(mean_of(i), var_of(i), 0.1);
    const int first = std::max(0, i + 1 - kWindow);
    expect_close(running.mean, average(mean_of, first, i), 1e-14, "mean");
    expect_close(running.var, kUnbiased * average(var_of, first, i), 1e-14, "var");
  }
  EXPECT_EQ(running.batches.item<int>(), 11);
}

TEST(RunningStatistics, ANewWindowStartsAtAnyNumberOfBatches) {
  Running running;
  running.batches.fill_(1001);
  running.use_window(4);
  for (int i = 0; i < 7; ++i) {
    running.take(mean_of(i), var_of(i), c10::nullopt);
    expect_close(running.mean, average(mean_of, std::max(0, i - 3), i), 1e-14, "mean");
    expect_close(running.var, kUnbiased * average(var_of, std::max(0, i - 3), i), 1e-14, "var");
  }
}

TEST(RunningStatistics, ANanStaysInTheWindowUntilItLeaves) {
  Running running;
  running.use_window(2);
  const at::Tensor bad = at::full({kChannels}, std::nan(""), at::kDouble);
  running.take(bad, bad, c10::nullopt);
  running.take(mean_of(1), var_of(1), c10::nullopt);
  EXPECT_TRUE(running.mean.isnan().all().item<bool>());
  EXPECT_TRUE(running.var.isnan().all().item<bool>());
  running.take(mean_of(2), var_of(2), c10::nullopt);
  expect_close(running.mean, average(mean_of, 1, 2), 1e-15, "mean");
}

TEST(RunningStatistics, WhatIsNotFiniteIsSkippedAndCountedWhereAsked) {
  const double infinity = std::numeric_limits<double>::infinity();
  for (const bool in_mean : {true, false}) {
    for (const double value : {infinity, -infinity, std::nan("")}) {
      for (const bool window : {false, true}) {
        Running running;
        running.skipped = at::zeros({}, at::kLong);
        if (window) running.use_window(3);
        running.take(mean_of(1), var_of(1), 0.5);
        const at::Tensor mean = running.mean.clone(), var = running.var.clone();
        const at::Tensor bad_mean = mean_of(2), bad_var = var_of(2);
        (in_mean ? bad_mean : bad_var)[1] = value;
        running.take(bad_mean, bad_var, 0.5);
        EXPECT_TRUE(at::equal(running.mean, mean));
        EXPECT_TRUE(at::equal(running.var, var));
        EXPECT_EQ(running.batches.item<int>(), 1);
        EXPECT_EQ(running.skipped->item<int>(), 1);
        running.take(mean_of(2), var_of(2), 0.5);
        EXPECT_FALSE(at::equal(running.mean, mean));
        EXPECT_EQ(running.batches.item<int>(), 2);
        EXPECT_EQ(running.skipped->item<int>(), 1);
      }
    }
  }
  Running running;  // not asked: it goes in
  running.take(at::full({kChannels}, infinity, at::kDouble), var_of(1), 0.5);
  EXPECT_TRUE(running.mean.isinf().all().item<bool>());
}

TEST(RunningStatistics, ASecondBatchOfAStepIsLeftOut) {
  for (const bool window : {false, true}) {
    Running running, once;
    if (window) running.use_window(2);
    if (window) once.use_window(2);
    once.step = at::full({}, 7, at::kLong);
    once.last_step = at::full({}, -1, at::kLong);
    for (int i = 0; i < 3; ++i) {
      running.take(mean_of(i), var_of(i), 0.25);
      once.take(mean_of(i), var_of(i), 0.25);
      once.take(mean_of(5), var_of(5), 0.25);
      once.step->add_(1);
    }
    EXPECT_TRUE(at::equal(running.mean, once.mean));
    EXPECT_TRUE(at::equal(running.var, once.var));
    EXPECT_EQ(once.batches.item<int>(), 3);
    EXPECT_EQ(once.last_step->item<int>(), 9);
  }
}

TEST(RunningStatistics, ComposedOfOperatorsTheyAreTheSameInAllModes) {
  const double infinity = std::numeric_limits<double>::infinity();
  for (const at::ScalarType type : {at::kDouble, at::kFloat, at::kBFloat16, at::kHalf}) {
    for (const int options : {0, 1, 2, 3, 4, 5, 6, 7}) {
      for (const bool momentum : {true, false}) {
        Running one, other;
        for (Running* running : {&one, &other}) {
          running->mean = running->mean.to(type);
          running->var = running->var.to(type);
          if (options & 1) running->use_window(3);
          if (options & 2) running->skipped = at::zeros({}, at::kLong);
          if (options & 4) running->step = at::full({}, 1, at::kLong);
          if (options & 4) running->last_step = at::full({}, -1, at::kLong);
        }
        for (int i = 0; i < 14; ++i) {
          const at::Tensor mean = mean_of(i), var = var_of(i) + 1;
          if (i % 5 == 3 && (options & 2)) mean[1] = infinity;
          if (i % 5 == 4 && (options & 2) && type != at::kDouble) var[2] = 1e39;
          const c10::optional<double> weight = momentum ? c10::optional<double>(0.25) : c10::nullopt;
          one.take(mean, var, weight);
          other.take(mean, var, weight, &composed::update_running_statistics);
          for (Running* running : {&one, &other}) {
            if (running->step && i % 3 != 0) running->step->add_(1);
          }
        }
        const std::string what = std::string(at::toString(type)) + ", options " + std::to_string(options);
        const double tolerance = type == at::kDouble ? 1e-14 : type == at::kFloat ? 1e-6 : 1e-2;
        expect_close(other.mean.to(at::kDouble), one.mean.to(at::kDouble), tolerance, ("mean, " + what).c_str());
        expect_close(other.var.to(at::kDouble), one.var.to(at::kDouble), tolerance, ("var, " + what).c_str());
        EXPECT_TRUE(at::equal(one.batches, other.batches)) << what;
        EXPECT_TRUE(!(options & 2) || at::equal(*one.skipped, *other.skipped)) << what;
        EXPECT_TRUE(!(options & 4) || at::equal(*one.last_step, *other.last_step)) << what;
        if (options & 1) expect_close(*other.window_mean, *one.window_mean, 1e-14, ("window, " + what).c_str());
      }
    }
  }
}

TEST(RunningStatistics, AreRoundedOnceToTheirType) {
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16, at::kHalf}) {
    Running running;
    running.mean = at::full({kChannels}, 0.7, at::kDouble).to(type);
    running.var = running.mean.clone();
    const at::Tensor before = running.mean.to(at::kDouble), batch = mean_of(3) / 7;
    running.take(batch, batch.abs(), 0.1);
    EXPECT_TRUE(at::equal(running.mean, (0.9 * before + 0.1 * batch).to(type)));
  }
}

TEST(RunningStatistics, StridedOnesAreReached) {
  Running running;
  const at::Tensor both = at::zeros({kChannels, 2}, at::kDouble);
  running.mean = both.select(1, 0);
  running.take(mean_of(1), var_of(1), 1.0);
  EXPECT_TRUE(at::equal(both.select(1, 0), mean_of(1)));
  EXPECT_TRUE(at::equal(both.select(1, 1), at::zeros({kChannels}, at::kDouble)));
}

TEST(EvaluationStatistics, AreTheRunningOnesInDouble) {
  for (const at::ScalarType type : {at::kFloat, at::kDouble, at::kBFloat16, at::kHalf}) {
    const at::Tensor both = at::rand({kChannels, 2}, at::kDouble).to(type);  // strided vectors
    const at::Tensor running_mean = both.select(1, 0), running_var = both.select(1, 1);
    const auto [mean, rstd] = evaluation_statistics(running_mean, running_var, 0.25);
    EXPECT_TRUE(at::equal(mean, running_mean.to(at::kDouble)));
    expect_close(rstd, (running_var.to(at::kDouble) + 0.25).rsqrt(), 1e-15, "rstd");
  }
  EXPECT_THROW((void)evaluation_statistics(at::zeros({3}), at::zeros({4}), 0), c10::Error);
}

TEST(RunningStatistics, AutogradSeesThatTheyChange) {
  Running running;
  const auto mean = running.mean._version(), var = running.var._version();
  running.take(mean_of(1), var_of(1), 0.1);
  EXPECT_GT(running.mean._version(), mean);
  EXPECT_GT(running.var._version(), var);
}

TEST(RunningStatistics, ThoseBeyondTheirTypeAreRefusedOrSkipped) {
  for (const auto& [type, var] :
       {std::pair{at::kFloat, 1e39}, std::pair{at::kBFloat16, 1e39}, std::pair{at::kHalf, 65505.0},
        std::pair{at::kDouble, std::numeric_limits<double>::infinity()}}) {
    for (const bool skips : {false, true}) {
      Running running;
      running.mean = at::zeros({kChannels}, type);
      running.var = at::ones({kChannels}, type);
      if (skips) running.skipped = at::zeros({}, at::kLong);
      const at::Tensor batch_var = var_of(1);
      batch_var[1] = var;
      if (skips) {
        running.take(mean_of(1), batch_var, 0.5);
        EXPECT_EQ(running.skipped->item<int>(), 1);
      } else {
        EXPECT_THROW(running.take(mean_of(1), batch_var, 0.5), c10::Error);
      }
      EXPECT_TRUE(at::equal(running.mean, at::zeros({kChannels}, type)));
      EXPECT_TRUE(at::equal(running.var, at::ones({kChannels}, type)));
      EXPECT_EQ(running.batches.item<int>(), 0);
    }
  }
}

TEST(RunningStatistics, WrongArgumentsChangeNothing) {
  const auto message = [](const auto& change) -> std::string {
    Running running;
    at::Tensor mean = mean_of(1), var = var_of(1);
    std::int64_t count = kCount;
    c10::optional<double> momentum = 0.1;
    OptionalTensor batches = running.batches;
    change(running, mean, var, count, momentum, batches);
    try {
      update_running_statistics(mean, var, count, momentum, running.mean, running.var, batches, running.window_mean,
                                running.window_var, running.skipped, c10::nullopt, c10::nullopt);
    } catch (const c10::Error& error) {
      EXPECT_TRUE(at::equal(running.batches, at::zeros({}, at::kLong)));
      return error.what_without_backtrace();
    }
    return "no error";
  };
  using testing::HasSubstr;
  EXPECT_THAT(message([](auto&, auto&, auto&, auto& count, auto&, auto&) { count = 1; }),
              HasSubstr("at least 2 values per channel, got 1"));
  EXPECT_THAT(message([](auto&, auto&, auto&, auto&, auto& momentum, auto&) { momentum = 1.5; }),
              HasSubstr("momentum from 0 to 1"));
  EXPECT_THAT(message([](auto&, auto&, auto&, auto&, auto& momentum, auto& batches) {
                momentum = c10::nullopt;
                batches = c10::nullopt;
              }),
              HasSubstr("expected num_batches_tracked"));
  EXPECT_THAT(message([](auto&, auto&, auto& var, auto&, auto&, auto&) { var = var.to(at::kFloat); }),
              HasSubstr("expected var_biased of size (3) and type Double"));
  EXPECT_THAT(message([](auto& running, auto&, auto&, auto&, auto&, auto&) { running.var = at::ones({2}); }),
              HasSubstr("expected running_var of size (3)"));
  EXPECT_THAT(message([](auto& running, auto&, auto&, auto&, auto&, auto&) {
                running.window_mean = at::zeros({2, kChannels});
              }),
              HasSubstr("or neither"));
  const auto expanded = [] { return at::ones({1}, at::kDouble).expand({kChannels}); };
  EXPECT_THAT(message([&](auto& running, auto&, auto&, auto&, auto&, auto&) { running.mean = expanded(); }),
              HasSubstr("expected running_mean with memory of its own"));
  EXPECT_THAT(message([&](auto& running, auto&, auto&, auto&, auto&, auto&) { running.var = expanded(); }),
              HasSubstr("expected running_var with memory of its own"));
  EXPECT_THAT(message([&](auto& running, auto&, auto&, auto&, auto&, auto&) {
                running.window_mean = at::zeros({2, kChannels}, at::kDouble);
                running.window_var = at::zeros({kChannels}, at::kDouble).expand({2, kChannels});
              }),
              HasSubstr("expected window_var with memory of its own"));
  EXPECT_THAT(message([](auto& running, auto&, auto&, auto&, auto&, auto&) { running.var = running.mean; }),
              HasSubstr("expected running_mean and running_var apart in memory"));
}

}  // namespace
}  // namespace bnlab::ops
