#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include "tests/probes/moment.h"

namespace bnlab {
namespace {

using testing::ProbesTest;
using testing::small_dataset;
using testing::small_spec;

TEST_F(ProbesTest, AccuracyIsTheShareOfRightAnswersInEvaluationMode) {
  const TrainSpec spec = small_spec("batch", 8);
  const auto folder = run(spec, {{"accuracy", 0, 100, true, {{"split", "test"}, {"examples", 30}}}});
  const auto network = trained(folder, spec);
  network->eval();
  at::NoGradGuard no_grad;
  const Batch batch = TrainingData(small_dataset(), spec).evaluation_loader(false, 30).next();
  const at::Tensor logits = network->forward(batch.x);
  int64_t right = 0;
  double loss = 0;
  for (int64_t i = 0; i < 30; ++i) {
    right += logits[i].argmax().item<int64_t>() == batch.y[i].item<int64_t>();
    loss -= logits[i].log_softmax(0)[batch.y[i].item<int64_t>()].item<double>() / 30;
  }
  RunReader reader(folder);
  EXPECT_DOUBLE_EQ(*reader.scalar_at({"accuracy", 0, "test_accuracy"}, 8), static_cast<double>(right) / 30);
  EXPECT_NEAR(*reader.scalar_at({"accuracy", 0, "test_loss"}, 8), loss, 1e-5);
}

}  // namespace
}  // namespace bnlab
