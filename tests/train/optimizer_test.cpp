#include "bnlab/train/optimizer.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/optim/optimizer.h>

#include <cmath>

#include "bnlab/train/checkpoint.h"
#include "bnlab/train/optimizer_list.h"
#include "bnlab/train/trainer.h"
#include "tests/small_run.h"

namespace bnlab {
namespace {

using ::testing::HasSubstr;
using testing::small_dataset;
using testing::small_spec;

// Five steps on the sum of w^4/4 + c*w in PyTorch 1.13, in double:
//
//   python3 -c '
//   import torch; O = torch.optim
//   def run(make):
//       w = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64, requires_grad=True); o = make([w])
//       for _ in range(5):
//           o.zero_grad(); (w**4/4 + torch.tensor([0.5, -1.0, 2.0], dtype=torch.float64)*w).sum().backward(); o.step()
//       return w.tolist()
//   print(run(lambda p: O.SGD(p, lr=0.01, weight_decay=0.1)))
//   print(run(lambda p: O.SGD(p, lr=0.01, momentum=0.8, weight_decay=0.1)))
//   print(run(lambda p: O.SGD(p, lr=0.01, momentum=0.8, nesterov=True, weight_decay=0.1)))
//   print(run(lambda p: O.Adam(p, lr=0.01, betas=(0.8, 0.9), eps=0.001, weight_decay=0.1)))
//   print(run(lambda p: O.RMSprop(p, lr=0.01, alpha=0.8, eps=0.001, momentum=0.7, weight_decay=0.1)))
//   print(run(lambda p: O.Adadelta(p, lr=0.5, rho=0.8, eps=0.001, weight_decay=0.1)))'
struct Expected {
  const char* name;
  double lr;
  Options options;
  std::vector<double> weights;
};

const std::vector<Expected>& in_pytorch() {
  static const std::vector<Expected> all = {
      {"sgd", 0.01, {}, {0.9246019117133635, -1.628356976621906, 0.39288522282672556}},
      {"momentum", 0.01, {{"momentum", 0.8}}, {0.8274298051463339, -1.1641795070087462, 0.2528625436855189}},
      {"nesterov", 0.01, {{"momentum", 0.8}}, {0.795616660602649, -1.0895251621669135, 0.197913837313606}},
      {"adam",
       0.01,
       {{"beta1", 0.8}, {"beta2", 0.9}, {"eps", 0.001}},
       {0.9501320261800913, -1.9500722780043995, 0.45004104076589957}},
      {"rmsprop",
       0.01,
       {{"alpha", 0.8}, {"eps", 0.001}, {"momentum", 0.7}},
       {0.8356655776528122, -1.8338624399338113, 0.33117047581062126}},
      {"adadelta", 0.5, {{"rho", 0.8}, {"eps", 0.001}}, {0.8233520281692469, -1.8188715043017512, 0.3110838505299196}},
      // By the formulas: two steps of momentum 0.9 at 0.01, three of Adam at 0.005, whose moments begin then.
      {"switch",
       0.01,
       {{"first", "momentum"}, {"second", "adam"}, {"at", 2}, {"factor", 0.5}},
       {0.9390931896173141, -1.7288354669748693, 0.42210363147848046}}};
  return all;
}

OptimizerSpec spec_of(const Expected& expected) {
  OptimizerSpec spec;
  spec.name = expected.name;
  spec.lr = expected.lr;
  spec.weight_decay = 0.1;
  spec.options = expected.options;
  return spec;
}

TEST(Optimizers, StepAsInPyTorch) {
  EXPECT_EQ(in_pytorch().size(), optimizer_kinds().size());
  const at::Tensor c = at::tensor({0.5, -1.0, 2.0}, at::kDouble);
  for (const Expected& expected : in_pytorch()) {
    at::Tensor w = at::tensor({1.0, -2.0, 0.5}, at::kDouble).requires_grad_();
    const auto optimizer = make_optimizer(spec_of(expected), {w});
    for (int step = 0; step < 5; ++step) {
      optimizer->zero_grad();
      (w.pow(4) / 4 + c * w).sum().backward();
      optimizer->step();
    }
    for (int64_t i = 0; i < 3; ++i) {
      EXPECT_NEAR(w[i].item<double>(), expected.weights[static_cast<size_t>(i)], 1e-14) << expected.name << i;
    }
  }
}

TEST(Optimizers, FollowTheScheduledRate) {
  for (const OptimizerKind& kind : optimizer_kinds()) {
    OptimizerSpec spec;
    spec.name = kind.name;
    at::Tensor w = at::ones({2}, at::kDouble).requires_grad_();
    const auto optimizer = make_optimizer(spec, {w});
    w.sum().backward();
    set_learning_rate(*optimizer, 0);
    optimizer->step();
    EXPECT_TRUE(at::equal(w.detach(), at::ones({2}, at::kDouble))) << kind.name;
    set_learning_rate(*optimizer, 0.5);
    optimizer->step();
    EXPECT_FALSE(at::equal(w.detach(), at::ones({2}, at::kDouble))) << kind.name;
  }
}

/// A training that can be taken apart after each step: all that a checkpoint holds.
class SmallTraining {
 public:
  SmallTraining(const TrainSpec& spec, const TrainingData& data)
      : network_(build_network(spec, data.shape())),
        optimizer_(make_optimizer(spec.optimizer, network_->parameters())),
        loader_(data.training_loader()) {}

  void step() {
    const Batch batch = loader_.next();
    optimizer_->zero_grad();
    batch_loss(network_->forward(batch.x), batch.y).backward();
    optimizer_->step();
    ++steps_;
  }
  std::string save() { return save_checkpoint({steps_, *network_, *optimizer_, loader_, observers_}); }
  void load(const std::string& content) {
    TrainingState state{0, *network_, *optimizer_, loader_, observers_};
    steps_ = load_checkpoint(content, state);
  }
  std::vector<at::Tensor> weights() const { return network_->parameters(); }

 private:
  int64_t steps_ = 0;
  std::shared_ptr<Network> network_;
  std::unique_ptr<torch::optim::Optimizer> optimizer_;
  Loader loader_;
  std::vector<std::unique_ptr<StepObserver>> observers_;
};

TEST(Optimizers, StoppedAndResumedAtEveryStepTheyEndWithTheSameBits) {
  for (const Expected& kind : in_pytorch()) {
    TrainSpec spec = small_spec("batch");
    spec.optimizer = spec_of(kind);
    const TrainingData data(small_dataset(), spec);
    SmallTraining whole(spec, data);
    std::string checkpoint = SmallTraining(spec, data).save();
    for (int step = 0; step < 5; ++step) {
      whole.step();
      SmallTraining piece(spec, data);
      piece.load(checkpoint);
      piece.step();
      checkpoint = piece.save();
      const auto expected = whole.weights(), got = piece.weights();
      for (size_t i = 0; i < expected.size(); ++i) {
        ASSERT_TRUE(at::equal(got[i], expected[i])) << kind.name << ", step " << step << ", tensor " << i;
      }
    }
  }
}

OptimizerSpec with(const std::function<void(OptimizerSpec&)>& change) {
  OptimizerSpec spec;
  change(spec);
  return spec;
}

TEST(CompleteOptimizer, SaysTheSameInOneWay) {
  const auto normal = [](const std::function<void(OptimizerSpec&)>& change) {
    return without_defaults(complete_optimizer(with(change)));
  };
  const OptimizerSpec heavy_ball = with([](auto& s) { s.name = "momentum", s.options = {{"momentum", 0.5}}; });
  EXPECT_EQ(normal([](auto& s) { s.momentum = 0.5; }), heavy_ball);
  EXPECT_EQ(normal([](auto& s) { s.name = "momentum", s.momentum = 0.5; }), heavy_ball);
  EXPECT_EQ(normal([](auto& s) { s.name = "momentum", s.options = {{"momentum", 0.5}}; }), heavy_ball);
  EXPECT_EQ(normal([](auto& s) { s.momentum = 0.9; }), with([](auto& s) { s.name = "momentum"; }));
  EXPECT_EQ(normal([](auto& s) { s.momentum = 0; }), OptimizerSpec());
  EXPECT_EQ(normal([](auto& s) { s.name = "nesterov", s.momentum = 0; }), OptimizerSpec());
  EXPECT_EQ(normal([](auto& s) { s.schedule = "constant", s.factor = 0.3; }), OptimizerSpec());
  EXPECT_EQ(normal([](auto& s) {
              s.name = "adam", s.options = {{"beta1", 0.9}};
            }),
            with([](auto& s) { s.name = "adam"; }));
}

TEST(CompleteOptimizer, RefusesWhatDoesNotExist) {
  const auto error = [](const std::function<void(OptimizerSpec&)>& change) -> std::string {
    try {
      complete_optimizer(with(change));
    } catch (const SpecError& e) {
      return e.what();
    }
    return "accepted";
  };
  EXPECT_THAT(error([](auto& s) { s.name = "adma"; }),
              HasSubstr("optimizer: there is no optimizer \"adma\"; known: sgd"));
  EXPECT_THAT(error([](auto& s) {
                s.name = "adam", s.options = {{"beta", 0.9}};
              }),
              HasSubstr("it has beta1, beta2 or eps"));
  EXPECT_THAT(error([](auto& s) { s.name = "adam", s.options = {{"beta1", 1}}; }), HasSubstr("expected beta1 to be"));
  EXPECT_THAT(error([](auto& s) { s.name = "adam", s.momentum = 0.9; }), HasSubstr("adam has no momentum"));
  EXPECT_THAT(error([](auto& s) {
                s.name = "nesterov", s.momentum = 0.9, s.options = {{"momentum", 0.9}};
              }),
              HasSubstr("given as an option too"));
  EXPECT_THAT(error([](auto& s) { s.schedule = "cosinus"; }), HasSubstr("there is no schedule"));
  EXPECT_THAT(error([](auto& s) { s.schedule = "cosine", s.milestones = {3}; }), HasSubstr("optimizer.milestones"));
}

TEST(CompleteOptimizer, PlainStepsAreThoseOfSgdAlone) {
  for (const OptimizerKind& kind : optimizer_kinds()) {
    EXPECT_EQ(makes_plain_steps(with([&](auto& s) { s.name = kind.name; })), kind.name == "sgd");
  }
  EXPECT_FALSE(makes_plain_steps(with([](auto& s) { s.momentum = 0.9; })));
  EXPECT_FALSE(makes_plain_steps(with([](auto& s) { s.weight_decay = 1e-4; })));
  EXPECT_TRUE(makes_plain_steps(with([](auto& s) { s.milestones = {5}, s.momentum = 0; })));
}

TEST(LearningRate, OfEachSchedule) {
  const OptimizerSpec constant = with([](auto& s) { s.lr = 2, s.schedule = "constant"; });
  EXPECT_EQ(learning_rate(constant, 99, 100), 2);
  const OptimizerSpec cosine = with([](auto& s) { s.lr = 2, s.schedule = "cosine"; });
  EXPECT_EQ(learning_rate(cosine, 0, 100), 2);
  EXPECT_NEAR(learning_rate(cosine, 25, 100), 1 + std::sqrt(0.5), 1e-15);
  EXPECT_NEAR(learning_rate(cosine, 50, 100), 1, 1e-15);
  EXPECT_NEAR(learning_rate(cosine, 100, 100), 0, 1e-15);
}

}  // namespace
}  // namespace bnlab
