#include "bnlab/probes/output_gradients.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tests/probes/moment.h"

namespace bnlab {
namespace {

using testing::MomentTest;
using testing::small_spec;

/// (softmax - one-hot) / N of logits in double, rounded to float as the probe's are, and what the probe makes of it.
struct OutputsByHand {
  std::vector<std::vector<double>> g;
  double cosine = 0, largest_class = 0, same_answer = 0;
  int64_t without_gradient = 0;

  explicit OutputsByHand(const testing::Moment& at) {
    at::NoGradGuard no_grad;
    const at::Tensor logits = at.network->forward(at.batch.x);
    const auto n = logits.size(0), classes = logits.size(1);
    std::vector<int64_t> answers(static_cast<size_t>(classes));
    std::vector<double> by_class(static_cast<size_t>(classes));
    double all = 0;
    for (int64_t i = 0; i < n; ++i) {
      std::vector<double> z, row;
      for (int64_t c = 0; c < classes; ++c) z.push_back(logits[i][c].item<double>());
      const auto most = std::max_element(z.begin(), z.end());
      ++answers[static_cast<size_t>(most - z.begin())];
      double sum = 0;
      for (const double value : z) sum += std::exp(value - *most);
      for (size_t c = 0; c < z.size(); ++c) {
        const double p = std::exp(z[c] - *most) / sum, hit = at.batch.y[i].item<int64_t>() == static_cast<int64_t>(c);
        row.push_back(static_cast<float>(p) - hit);
        by_class[c] += row.back() * row.back();
        all += row.back() * row.back();
      }
      g.push_back(row);
    }
    largest_class = *std::max_element(by_class.begin(), by_class.end()) / all;
    same_answer = static_cast<double>(*std::max_element(answers.begin(), answers.end())) / static_cast<double>(n);
    count_pairs();
  }

 private:
  static double product(const std::vector<double>& a, const std::vector<double>& b) {
    double sum = 0;
    for (size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
    return sum;
  }
  void count_pairs() {
    double sum = 0, pairs = 0;
    for (size_t i = 0; i < g.size(); ++i) {
      without_gradient += product(g[i], g[i]) == 0;
      for (size_t j = 0; j < i; ++j) {
        const double lengths = std::sqrt(product(g[i], g[i]) * product(g[j], g[j]));
        if (lengths == 0) continue;
        sum += product(g[i], g[j]) / lengths;
        ++pairs;
      }
    }
    cosine = sum / pairs;
  }
};

// Weights far too large make a network sure of its answers: then some images have no gradient at all.
TEST_F(MomentTest, OutputGradientsAreProbabilitiesMinusLabels) {
  for (const double scale : {1.0, 20.0}) {
    TrainSpec spec = small_spec("none");
    spec.model.init_scale = scale;
    spec.divergence_loss = std::nullopt;
    if (scale > 1) spec.optimizer.lr = 1e-12;  // or the first step would end all of it
    const int64_t step = scale == 1 ? 3 : 1;
    const OutputsByHand expected(moment(spec, step));
    EXPECT_EQ(expected.without_gradient > 0, scale > 1);
    RunReader reader = probed(spec, step, "output-gradients", {{"images", 5}});
    const auto recorded = [&](const char* name) {
      return reader.scalar_at({"output-gradients", 0, name}, step).value_or(NAN);
    };
    EXPECT_NEAR(recorded("cosine"), expected.cosine, 1e-4);
    EXPECT_NEAR(recorded("largest_class"), expected.largest_class, 1e-4);
    EXPECT_EQ(recorded("same_answer"), expected.same_answer);
    const ArrayRecord shown = reader.arrays({"output-gradients", 0, "gradients"}).front();
    EXPECT_EQ(shown.shape, (std::vector<int64_t>{5, 4}));
    const std::vector<double> values = shown.as_doubles();
    for (size_t i = 0; i < values.size(); ++i) {
      EXPECT_NEAR(values[i] * static_cast<double>(spec.batch), expected.g[i / 4][i % 4], 1e-5) << i;
    }
  }
}

}  // namespace
}  // namespace bnlab
