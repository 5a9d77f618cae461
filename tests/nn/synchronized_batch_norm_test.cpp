// Parts of a batch on several ranks against ATen's batch normalization of the whole batch.
#include "bnlab/nn/synchronized_batch_norm.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <map>
#include <numeric>
#include <string>
#include <vector>

#include "bnlab/nn/batch_norm.h"
#include "tests/ranks/threads.h"

namespace bnlab {
namespace {

constexpr double kAdded = 1e-5;
constexpr int64_t kShared = 5;

std::shared_ptr<Ranks> borrowed(Ranks& ranks) {
  return {&ranks, [](Ranks*) {}};
}

double gap(const at::Tensor& a, const at::Tensor& b) {
  return (a.to(at::kDouble) - b.to(at::kDouble)).abs().max().item<double>();
}

/// A layer's inputs, and the cotangent of its output.
struct Case {
  at::Tensor x, gamma, beta, addend, dy;
  bool relu = false;
};

struct Passes {
  at::Tensor y, mean, var_biased, dx, daddend, dgamma, dbeta;
};

Case make_case(int64_t examples, at::ScalarType type, at::MemoryFormat format, bool relu, bool addend) {
  const auto random = [&] {
    return (at::randn({examples, kShared, 3, 2}, at::kDouble) * 2 + 1).to(type).contiguous(format);
  };
  return {random(),
          at::randn({kShared}, at::kDouble).to(type),
          at::randn({kShared}, at::kDouble).to(type),
          addend ? random() : at::Tensor(),
          random(),
          relu};
}

at::Tensor leaf(const at::Tensor& tensor) {
  return tensor.defined() ? tensor.detach().clone(at::MemoryFormat::Preserve).requires_grad_() : at::Tensor();
}

/// Of the whole batch, in double, by ATen.
Passes expected(const Case& whole) {
  const auto as_double = [](const at::Tensor& t) { return t.defined() ? leaf(t.to(at::kDouble)) : at::Tensor(); };
  const at::Tensor x = as_double(whole.x), gamma = as_double(whole.gamma), beta = as_double(whole.beta),
                   addend = as_double(whole.addend);
  at::Tensor y = at::batch_norm(x, gamma, beta, {}, {}, /*training=*/true, 0.1, kAdded, false);
  if (addend.defined()) y = y + addend;
  if (whole.relu) y = y.relu();
  y.backward(whole.dy.to(at::kDouble));
  const std::vector<int64_t> over = {0, 2, 3};
  return {y.detach(),
          x.detach().mean(over),
          x.detach().var(over, /*unbiased=*/false),
          x.grad(),
          addend.defined() ? addend.grad() : at::Tensor(),
          gamma.grad(),
          beta.grad()};
}

/// Of one rank's rows.
Passes of_part(Ranks& ranks, const Case& whole, int64_t begin, int64_t count) {
  const auto rows = [&](const at::Tensor& t) { return t.defined() ? leaf(t.narrow(0, begin, count)) : at::Tensor(); };
  const at::Tensor x = rows(whole.x), addend = rows(whole.addend), gamma = leaf(whole.gamma), beta = leaf(whole.beta);
  const auto [out, all] = synchronized_batch_norm(borrowed(ranks), x, gamma, beta, kAdded, {whole.relu, addend});
  EXPECT_EQ(all, whole.x.numel() / kShared);
  EXPECT_TRUE(out.y.is_contiguous(whole.x.suggest_memory_format()) || count == 0);
  out.y.backward(whole.dy.narrow(0, begin, count));
  return {out.y.detach(), out.mean,   out.var_biased, x.grad(), addend.defined() ? addend.grad() : at::Tensor(),
          gamma.grad(),   beta.grad()};
}

std::vector<Passes> of_all(const Case& whole, const std::vector<int64_t>& counts) {
  std::vector<Passes> passes(counts.size());
  bnlab_test::run_ranks(static_cast<int64_t>(counts.size()), [&](Ranks& ranks) {
    const auto rank = static_cast<size_t>(ranks.rank());
    const int64_t begin = std::accumulate(counts.begin(), counts.begin() + ranks.rank(), int64_t{0});
    passes[rank] = of_part(ranks, whole, begin, counts[rank]);
  });
  return passes;
}

at::Tensor joined(const std::vector<Passes>& parts, at::Tensor Passes::*member) {
  std::vector<at::Tensor> all;
  for (const auto& part : parts) all.push_back(part.*member);
  return at::cat(all);
}

at::Tensor sum(const std::vector<Passes>& parts, at::Tensor Passes::*member) {
  at::Tensor total = at::zeros({kShared}, at::kDouble);
  for (const auto& part : parts) total += (part.*member).to(at::kDouble);
  return total;
}

void expect_the_whole_batch(const Case& whole, const std::vector<int64_t>& counts, double bound) {
  const Passes right = expected(whole);
  const std::vector<Passes> parts = of_all(whole, counts);
  EXPECT_LE(gap(joined(parts, &Passes::y), right.y), bound);
  EXPECT_LE(gap(joined(parts, &Passes::dx), right.dx), bound);
  if (whole.addend.defined()) {
    EXPECT_LE(gap(joined(parts, &Passes::daddend), right.daddend), bound);
  }
  EXPECT_LE(gap(sum(parts, &Passes::dgamma), right.dgamma), 20 * bound);
  EXPECT_LE(gap(sum(parts, &Passes::dbeta), right.dbeta), 20 * bound);
  for (const Passes& part : parts) {
    EXPECT_LE(gap(part.mean, right.mean), 1e-6);
    EXPECT_LE(gap(part.var_biased, right.var_biased), 1e-6);
    EXPECT_TRUE(at::equal(part.mean, parts[0].mean)) << "the statistics differ between ranks";
    EXPECT_TRUE(at::equal(part.var_biased, parts[0].var_biased));
  }
}

const std::vector<std::vector<int64_t>> kShards = {{7}, {4, 3}, {6, 0, 1}, {1, 2, 0, 4}};

TEST(SynchronizedBatchNorm, IsThatOfTheWholeBatch) {
  for (const auto& counts : kShards) {
    for (const auto format : {at::MemoryFormat::Contiguous, at::MemoryFormat::ChannelsLast}) {
      for (const auto type : {at::kDouble, at::kFloat}) {
        const double bound = type == at::kDouble ? 1e-12 : 1e-5;
        expect_the_whole_batch(make_case(7, type, format, false, false), counts, bound);
        expect_the_whole_batch(make_case(7, type, format, true, false), counts, bound);
        expect_the_whole_batch(make_case(7, type, format, true, true), counts, bound);
      }
    }
  }
}

TEST(SynchronizedBatchNorm, HasTheSameBitsFromRunToRun) {
  const Case whole = make_case(7, at::kFloat, at::MemoryFormat::ChannelsLast, true, false);
  for (const auto& counts : kShards) {
    const auto once = of_all(whole, counts), again = of_all(whole, counts);
    for (size_t rank = 0; rank < once.size(); ++rank) {
      EXPECT_TRUE(at::equal(once[rank].y, again[rank].y));
      EXPECT_TRUE(at::equal(once[rank].dx, again[rank].dx));
      EXPECT_TRUE(at::equal(once[rank].dgamma, again[rank].dgamma));
    }
  }
}

TEST(SynchronizedBatchNorm, TheLayersRunningStatisticsAreThoseOfTheWholeBatch) {
  const Case whole = make_case(7, at::kDouble, at::MemoryFormat::Contiguous, false, false);
  BatchNorm alone({.channels = kShared});
  (void)alone.forward(whole.x.to(at::kFloat));
  bnlab_test::run_ranks(3, [&](Ranks& ranks) {
    BatchNorm layer({.channels = kShared});
    layer.synchronize(borrowed(ranks));
    const at::Tensor x = whole.x.to(at::kFloat), part = x.narrow(0, ranks.rank() * 2, ranks.rank() == 2 ? 3 : 2);
    (void)layer.forward(part);
    EXPECT_LE(gap(layer.running_mean(), alone.running_mean()), 1e-6);
    EXPECT_LE(gap(layer.running_var(), alone.running_var()), 1e-6);
    layer.eval();  // of its own, without the others
    if (ranks.rank() == 0) {
      EXPECT_TRUE(at::isfinite(layer.forward(part)).all().item<bool>());
    }
  });
}

TEST(SynchronizedBatchNorm, RefusesOneValuePerChannelInAll) {
  EXPECT_THROW(bnlab_test::run_ranks(2,
                                     [&](Ranks& ranks) {
                                       const at::Tensor x = at::randn({ranks.rank() == 0 ? 1 : 0, kShared});
                                       (void)synchronized_batch_norm(borrowed(ranks), x, {}, {}, kAdded);
                                     }),
               c10::Error);
}

TEST(SynchronizedBatchNorm, RefusesSecondDerivatives) {
  EXPECT_THROW(bnlab_test::run_ranks(2,
                                     [&](Ranks& ranks) {
                                       const at::Tensor x = at::randn({4, kShared}).requires_grad_();
                                       const auto out = synchronized_batch_norm(borrowed(ranks), x, {}, {}, kAdded);
                                       (void)torch::autograd::grad({out.of_rank.y.square().sum()}, {x}, {},
                                                                   /*retain_graph=*/true, /*create_graph=*/true);
                                     }),
               c10::Error);
}

}  // namespace
}  // namespace bnlab
