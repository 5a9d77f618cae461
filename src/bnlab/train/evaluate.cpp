#include "bnlab/train/evaluate.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>

#include "bnlab/train/loss_closure.h"

namespace bnlab {

int64_t count_right(const at::Tensor& logits, const at::Tensor& labels) {
  const at::Tensor finite = logits.isnan().any(1).logical_not();
  return (logits.argmax(1).eq(labels) & finite).sum().item<int64_t>();
}

Evaluation evaluate(Network& network, const TrainingData& data, bool train_split, int64_t examples) {
  constexpr int64_t kBatch = 250;
  NoTrace no_trace(network);
  at::NoGradGuard no_grad;
  network.eval();
  Loader loader = data.evaluation_loader(train_split, kBatch);
  const int64_t available = (train_split ? data.dataset().train : data.dataset().test).count();
  const int64_t wanted = examples == 0 ? available : std::min(examples, available);
  Evaluation result;
  int64_t right = 0;
  double loss = 0;
  while (result.examples < wanted) {
    const Batch all = loader.next();
    const int64_t take = std::min(all.y.size(0), wanted - result.examples);
    const at::Tensor y = all.y.narrow(0, 0, take);
    const at::Tensor logits = network.forward(all.x.narrow(0, 0, take));
    const double batch = batch_loss(logits, y).item<double>();
    if (y.is_floating_point()) {
      loss += batch;
    } else {
      right += count_right(logits, y);
      loss += batch * static_cast<double>(take);
    }
    result.examples += take;
  }
  const bool regression = data.dataset().train.labels.is_floating_point();
  result.accuracy = regression ? NAN : static_cast<double>(right) / static_cast<double>(result.examples);
  result.loss = loss / static_cast<double>(result.examples);
  return result;
}

}  // namespace bnlab
