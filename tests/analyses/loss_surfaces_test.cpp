#include "bnlab/analyses/loss_surfaces.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include <cmath>

#include "bnlab/train/checkpoint.h"
#include "tests/small_run.h"
#include "tests/temp_folder.h"

namespace bnlab {
namespace {

using testing::small_dataset;
using testing::small_spec;

constexpr int64_t kImages = 24, kSide = 7;

/// Runs of one network by four optimizers, and what the analysis records of them.
class LossSurfaces : public ::testing::Test {
 protected:
  void SetUp() override { at::manual_seed(1); }

  void train_run(const std::string& name, const std::string& optimizer, double rate, const std::string& norm = "batch",
                 int64_t seed = 0) {
    TrainSpec spec = small_spec(norm, 12);
    spec.optimizer.name = optimizer;
    spec.optimizer.lr = rate;
    spec.seed = seed;
    create_run(temp_ / name, spec);
    RunWriter writer(temp_ / name, "test");
    train(writer, data_of(spec), {}, {});
    inputs_.push_back(name);
    specs_.push_back(spec);
  }

  RunReader analyse(const Json& parameters) {
    const AnalysisSpec spec{"loss-surfaces", parameters, inputs_, 0, 1};
    create_run(temp_ / "analysis", spec);
    RunWriter writer(temp_ / "analysis", "test");
    Recorder recorder(writer, "loss-surfaces");
    std::vector<std::unique_ptr<RunReader>> readers;
    for (const auto& name : inputs_) readers.push_back(std::make_unique<RunReader>(temp_ / name));
    const auto data = [](const TrainSpec& input) { return data_of(input); };
    loss_surfaces_analysis().compute({spec, readers, data, recorder, {}});
    writer.finish(0, "", -1);
    return RunReader(temp_ / "analysis");
  }

  static TrainingData data_of(const TrainSpec& spec) { return TrainingData(small_dataset(), spec); }

  std::shared_ptr<Network> network(size_t input, bool at_start = false) const {
    auto network = build_network(specs_[input], data_of(specs_[input]).shape());
    if (!at_start) load_network(read_file(RunPaths{temp_ / inputs_[input]}.checkpoint()), *network);
    return network;
  }

  /// Loss and accuracy of the sum of networks with these weights, its layers normalized by the batch at hand.
  std::pair<double, double> at(const std::vector<std::pair<double, std::shared_ptr<Network>>>& terms) const {
    at::NoGradGuard no_grad;
    const auto sum = build_network(specs_[0], data_of(specs_[0]).shape());
    const auto parameters = sum->parameters();
    for (size_t i = 0; i < parameters.size(); ++i) {
      parameters[i].zero_();
      for (const auto& [weight, term] : terms) parameters[i].add_(term->parameters()[i], weight);
    }
    const Batch batch = data_of(specs_[0]).evaluation_loader(true, kImages).next();
    const at::Tensor logits = sum->forward(batch.x), log_p = logits.log_softmax(1);
    double loss = 0, right = 0;
    for (int64_t n = 0; n < kImages; ++n) {
      const int64_t label = batch.y[n].item<int64_t>();
      loss -= log_p[n][label].item<double>() / kImages;
      right += logits[n].argmax().item<int64_t>() == label ? 1 : 0;
    }
    return {loss, right / kImages};
  }

  static std::vector<double> values(RunReader& run, int64_t layer, const std::string& name) {
    const auto records = run.arrays({"loss-surfaces", layer, name});
    return records.empty() ? std::vector<double>() : records.front().as_doubles();
  }

  testing::TempFolder temp_;
  std::vector<std::string> inputs_;
  std::vector<TrainSpec> specs_;
};

TEST_F(LossSurfaces, AreTheLossOfNetworksBetweenTheRuns) {
  train_run("a", "sgd", 0.05);
  train_run("b", "adam", 0.003);
  RunReader run = analyse({{"images", kImages}, {"parts", 4}});
  const auto line = values(run, 1, "to_2_loss"), accuracy = values(run, 1, "to_2_accuracy"),
             from_start = values(run, 2, "from_start_loss");
  ASSERT_EQ(line.size(), 5u);
  ASSERT_EQ(from_start.size(), 7u);  // t = 0 to 1.5
  for (int k = 0; k <= 4; ++k) {
    const auto [loss, right] = at({{1 - k / 4.0, network(0)}, {k / 4.0, network(1)}});
    EXPECT_NEAR(line[k], loss, 1e-5 * loss);
    EXPECT_DOUBLE_EQ(accuracy[k], right);
  }
  for (int k = 0; k <= 6; ++k) {
    const double expected = at({{1 - k / 4.0, network(1, true)}, {k / 4.0, network(1)}}).first;
    EXPECT_NEAR(from_start[k], expected, 1e-5 * expected);
  }
  EXPECT_GT(std::abs(line[0] - line[4]), 1e-3);  // the ends can be told apart
}

TEST_F(LossSurfaces, DistancesAndNormsAreEuclidean) {
  train_run("a", "sgd", 0.05);
  train_run("b", "adam", 0.003);
  RunReader run = analyse({{"images", kImages}, {"parts", 2}});
  const auto flat = [](const std::shared_ptr<Network>& of) {
    std::vector<at::Tensor> parts;
    for (const at::Tensor& parameter : of->parameters()) parts.push_back(parameter.detach().flatten());
    return at::cat(parts).to(at::kDouble);
  };
  const auto recorded = [&](int64_t layer, const char* name) {
    return *run.scalar_at({"loss-surfaces", layer, name}, 0);
  };
  const at::Tensor a = flat(network(0)), b = flat(network(1)), start = flat(network(0, true));
  EXPECT_NEAR(recorded(1, "to_2_distance"), (a - b).norm().item<double>(), 1e-9);
  EXPECT_NEAR(recorded(2, "norm"), b.norm().item<double>(), 1e-9);
  EXPECT_NEAR(recorded(2, "travelled"), (b - start).norm().item<double>(), 1e-9);
}

TEST_F(LossSurfaces, PlanesHaveTheirCornersWhereTheRunsAre) {
  for (const auto& [name, optimizer, rate] : std::vector<std::tuple<std::string, std::string, double>>{
           {"a", "sgd", 0.05}, {"b", "adam", 0.003}, {"c", "rmsprop", 0.001}, {"d", "momentum", 0.02}}) {
    train_run(name, optimizer, rate);
  }
  RunReader run = analyse({{"images", kImages}, {"parts", 2}, {"hubs", 1}, {"side", kSide}});
  const auto triangle = values(run, 0, "triangle_loss"), patch = values(run, 0, "patch_loss");
  ASSERT_EQ(patch.size(), static_cast<size_t>(kSide * kSide));
  const auto cell = [](const std::vector<double>& plane, int s, int t) {  // -0.25, 0, 0.25 … 1.25
    return plane[static_cast<size_t>((1 + 4 * t) * kSide + 1 + 4 * s)];
  };
  const auto end = [&](size_t input) { return at({{1, network(input)}}).first; };
  EXPECT_NEAR(cell(triangle, 0, 0), at({{1, network(0, true)}}).first, 1e-5);
  EXPECT_NEAR(cell(triangle, 1, 0), end(0), 1e-5);
  EXPECT_NEAR(cell(triangle, 0, 1), end(1), 1e-5);
  EXPECT_NEAR(cell(patch, 0, 0), end(0), 1e-5);
  EXPECT_NEAR(cell(patch, 1, 0), end(1), 1e-5);
  EXPECT_NEAR(cell(patch, 0, 1), end(2), 1e-5);
  EXPECT_NEAR(cell(patch, 1, 1), end(3), 1e-5);
  EXPECT_NEAR(patch[0],
              at({{1.5625, network(0)}, {-0.3125, network(1)}, {-0.3125, network(2)}, {0.0625, network(3)}}).first,
              1e-4);
  EXPECT_EQ(values(run, 1, "to_4_loss").size(), 3u);
  EXPECT_TRUE(values(run, 2, "to_3_loss").empty());  // no hub
}

TEST_F(LossSurfaces, OfADivergedRunThereAreNone) {
  train_run("a", "sgd", 0.05, "none");
  train_run("b", "sgd", 1e6, "none");
  RunReader run = analyse(Json::object());
  EXPECT_EQ(run.state(), RunState::kFinished);
  EXPECT_EQ(run.dump_rows(), "");
}

TEST_F(LossSurfaces, RefusesRunsOfAnotherNetwork) {
  train_run("a", "sgd", 0.05);
  train_run("b", "sgd", 0.05, "none");
  EXPECT_THROW(analyse(Json::object()), SpecError);
}

TEST(LossSurfacesSpec, IsCompletedAndChecked) {
  const auto complete = [](const Json& parameters, const std::vector<std::string>& inputs) {
    return loss_surfaces_analysis().complete({"loss-surfaces", parameters, inputs, 0, 1});
  };
  EXPECT_EQ(complete(Json::object(), {"a", "b"}), (Json{{"images", 500}, {"parts", 10}, {"hubs", 0}, {"side", 0}}));
  EXPECT_THROW(complete(Json::object(), {"a"}), SpecError);
  for (const Json& wrong : {Json{{"images", 1}}, Json{{"parts", 3}}, Json{{"side", 8}}, Json{{"side", 1}},
                            Json{{"hubs", -1}}, Json{{"points", 3}}}) {
    EXPECT_THROW(complete(wrong, {"a", "b"}), SpecError) << wrong;
  }
}

}  // namespace
}  // namespace bnlab
