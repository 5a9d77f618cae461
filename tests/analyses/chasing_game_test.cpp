// The game against ATen: gradients by autograd, least squares by LAPACK.
#include "bnlab/analyses/chasing_game.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>

#include "bnlab/data/random.h"
#include "tests/temp_folder.h"

namespace bnlab {
namespace {

constexpr int64_t kPoints = 40, kSteps = 6;
constexpr double kRate = 0.05;

AnalysisSpec game(bool bn, bool frozen) {
  return {"chasing-game",
          {{"bn", bn}, {"frozen", frozen}, {"points", kPoints}, {"steps", kSteps}, {"rate", kRate}},
          {},
          7,
          1};
}

std::unique_ptr<RunReader> play(const std::filesystem::path& folder, const AnalysisSpec& spec) {
  create_run(folder, spec);
  RunWriter writer(folder, "test");
  Recorder recorder(writer, "chasing-game");
  EXPECT_EQ(chasing_game_analysis().compute({spec, {}, {}, recorder, {}}), RunOutcome::kDone);
  writer.finish(0, "", -1);
  return std::make_unique<RunReader>(folder);
}

/// The task and the weights of a seed, as chasing_game.h says, and plain training of them.
struct ByHand {
  at::Tensor s = at::empty({kPoints, 6}, at::kDouble), labels = at::empty({kPoints}, at::kDouble),
             w = at::empty({2, 6}, at::kDouble), c = at::zeros({2}, at::kDouble), gamma = at::ones({2}, at::kDouble),
             beta = at::zeros({2}, at::kDouble), line = at::zeros({3}, at::kDouble);
  bool bn;

  ByHand(uint64_t seed, bool with_bn) : bn(with_bn) {
    Random random(mix(seed, "chasing-game", 0)), weights(mix(seed, "chasing-game", 1));
    at::Tensor across = at::empty({6}, at::kDouble);
    for (int64_t d = 0; d < 6; ++d) across[d] = random.normal();
    across = across / across.norm();
    for (int64_t i = 0; i < kPoints; ++i) {
      const double noise = kNoiseOfLabels * random.normal();
      for (int64_t d = 0; d < 6; ++d) s[i][d] = kMeanOfPoints + random.normal();
      labels[i] = (s[i] - kMeanOfPoints).dot(across).item<double>() + noise > 0 ? 1 : -1;
    }
    for (int64_t k = 0; k < 2; ++k) {
      for (int64_t d = 0; d < 6; ++d) w[k][d] = weights.normal() * std::sqrt(2.0 / 8);
    }
    for (int64_t k = 0; k < 2; ++k) line[k] = weights.normal() * std::sqrt(0.5);
  }

  at::Tensor cloud() const {
    const at::Tensor y = s.matmul(w.t()) + c;
    if (!bn) return y;
    const at::Tensor off = y - y.mean(0);
    return gamma * off / off.square().mean(0).sqrt() + beta;
  }
  at::Tensor loss() const { return (outputs(line) - labels).square().mean(); }
  at::Tensor outputs(const at::Tensor& of) const { return cloud().matmul(of.narrow(0, 0, 2)) + of[2]; }
  at::Tensor target() const { return fitted(cloud()); }
  double least() const {
    const at::Tensor plane = fitted(s);
    return (s.matmul(plane.narrow(0, 0, 6)) + plane[6] - labels).square().mean().item<double>();
  }
  void step(bool frozen) {
    std::vector<at::Tensor*> all = {&line};
    if (!frozen) all.insert(all.end(), {&w, &c});
    if (!frozen && bn) all.insert(all.end(), {&gamma, &beta});
    std::vector<at::Tensor> leaves;
    for (at::Tensor* tensor : all) leaves.push_back(tensor->requires_grad_());
    const auto gradients = torch::autograd::grad({loss()}, leaves);
    at::NoGradGuard no_grad;
    for (size_t i = 0; i < all.size(); ++i) *all[i] = (leaves[i] - kRate * gradients[i]).detach();
  }

 private:
  static constexpr double kMeanOfPoints = 1, kNoiseOfLabels = 0.3;

  at::Tensor fitted(const at::Tensor& x) const {
    const at::Tensor rows = at::cat({x.detach(), at::ones({kPoints, 1}, at::kDouble)}, 1);
    return std::get<0>(at::linalg_lstsq(rows, labels.unsqueeze(1), c10::nullopt, "gelsd")).squeeze(1);
  }
};

double root_mean_square(const at::Tensor& values) {
  return values.square().mean().sqrt().item<double>();
}

void expect_values(const std::vector<double>& found, const at::Tensor& expected, const std::string& what) {
  const at::Tensor flat = expected.detach().contiguous().flatten();
  ASSERT_EQ(found.size(), static_cast<size_t>(flat.numel())) << what;
  for (size_t i = 0; i < found.size(); ++i) {
    const double value = flat.data_ptr<double>()[i];
    EXPECT_NEAR(found[i], value, 1e-8 * (1 + std::abs(value))) << what << " " << i;
  }
}

TEST(ChasingGame, IsWhatAutogradAndLeastSquaresGive) {
  const testing::TempFolder temp;
  for (const auto& [bn, frozen] : {std::pair{false, false}, std::pair{true, false}, std::pair{false, true}}) {
    const std::string what = std::string(bn ? "BN " : "no BN ") + (frozen ? "frozen " : "");
    const auto reader = play(temp.path() / what, game(bn, frozen));
    const auto scalar = [&](const char* name, int64_t step) {
      return reader->scalar_at({"chasing-game", 0, name}, step).value_or(NAN);
    };
    const auto array = [&](const char* name, int64_t step) {
      return reader->arrays({"chasing-game", 0, name}).at(static_cast<size_t>(step)).as_doubles();
    };
    ByHand network(7, bn);
    expect_values(array("labels", 0), network.labels, what + "labels");
    const double first = network.loss().item<double>(), least = network.least();
    double travel = 0;
    for (int64_t step = 0; step <= kSteps; ++step) {
      const at::Tensor cloud = network.cloud().detach(), target = network.target();
      expect_values(array("cloud", step), cloud, what + "cloud");
      expect_values(array("line", step), network.line, what + "line");
      expect_values(array("target", step), target, what + "target");
      const at::Tensor best = network.outputs(target).detach();
      EXPECT_NEAR(scalar("travel", step), travel, 1e-8) << what << step;
      EXPECT_NEAR(scalar("distance", step), root_mean_square(network.outputs(network.line) - best), 1e-8) << what;
      EXPECT_NEAR(scalar("left", step), (network.loss().item<double>() - least) / (first - least), 1e-8) << what;
      if (step == kSteps) break;
      network.step(frozen);
      const at::Tensor next = network.target();
      const at::Tensor moved = cloud.matmul((next - target).narrow(0, 0, 2)) + (next - target)[2];
      EXPECT_NEAR(scalar("target_move", step), root_mean_square(moved), 1e-8) << what;
      const at::Tensor way = (network.cloud().detach().mean(0) - cloud.mean(0)) / cloud.std(0, /*unbiased=*/false);
      travel += way.norm().item<double>();
    }
    EXPECT_EQ(scalar("travel", kSteps) == 0, frozen) << what;
  }
}

TEST(ChasingGame, RunsOfASeedShareTheirPointsAndWeights) {
  const testing::TempFolder temp;
  const auto plain = play(temp.path() / "plain", game(false, false)),
             frozen = play(temp.path() / "frozen", game(false, true));
  for (const char* name : {"cloud", "line", "labels"}) {
    EXPECT_EQ(plain->arrays({"chasing-game", 0, name}).front().as_doubles(),
              frozen->arrays({"chasing-game", 0, name}).front().as_doubles());
  }
}

TEST(ChasingGame, RefusesWhatItCannotPlay) {
  AnalysisSpec spec = game(false, false);
  EXPECT_EQ(chasing_game_analysis().complete(spec)["points"], kPoints);
  spec.inputs = {"00112233aabbccdd"};
  EXPECT_THROW(chasing_game_analysis().complete(spec), SpecError);
  for (const char* parameter : {R"({"rate": 0})", R"({"steps": 0})", R"({"points": 9})", R"({"speed": 1})"}) {
    spec = {"chasing-game", Json::parse(parameter), {}, 7, 1};
    EXPECT_THROW(chasing_game_analysis().complete(spec), SpecError) << parameter;
  }
}

}  // namespace
}  // namespace bnlab
