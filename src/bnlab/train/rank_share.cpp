#include "bnlab/train/rank_share.h"

#include <ATen/ATen.h>
#include <ATen/Context.h>

#include <cstring>

#include "bnlab/data/random.h"
#include "bnlab/nn/batch_norm.h"

namespace bnlab {
namespace {

constexpr int64_t kNone = -1;

void synchronize(Network& network, const std::shared_ptr<Ranks>& ranks) {
  for (const auto& module : network.modules()) {
    if (auto* norm = dynamic_cast<BatchNorm*>(module.get())) norm->synchronize(ranks);
  }
}

}  // namespace

RankShare::RankShare(std::shared_ptr<Ranks> ranks, const TrainSpec& spec, Network& network)
    : ranks_(std::move(ranks)),
      seed_(static_cast<uint64_t>(spec.seed)),
      batch_(static_cast<double>(spec.batch)),
      buckets_(*ranks_, network.parameters()) {
  if (spec.rank_statistics == "synchronized") synchronize(network, ranks_);
}

std::optional<std::string> RankShare::agree_on_start(const std::optional<std::string>& own) {
  const at::Tensor size = at::full({1}, own ? static_cast<int64_t>(own->size()) : kNone, at::kLong);
  ranks_->take_from_first(size);
  const auto bytes = size.item<int64_t>();
  if (bytes == kNone) return std::nullopt;
  const at::Tensor content = at::empty({bytes}, at::kByte);
  if (ranks_->rank() == 0) std::memcpy(content.data_ptr(), own->data(), own->size());
  ranks_->take_from_first(content);
  return std::string(static_cast<const char*>(content.data_ptr()), static_cast<size_t>(bytes));
}

Batch RankShare::part(const Batch& batch) const {
  const int64_t count = batch.x.size(0), rank = ranks_->rank(), size = ranks_->size();
  const int64_t begin = count * rank / size, end = count * (rank + 1) / size;
  return {batch.x.narrow(0, begin, end - begin),
          batch.y.narrow(0, begin, end - begin),
          {batch.indices.begin() + begin, batch.indices.begin() + end}};
}

void RankShare::begin_step(int64_t step) const {
  at::manual_seed(mix(seed_, "noise of a rank", step, ranks_->rank()));
}

/// Of a part's loss in that of the batch: a mean over examples, or a sum.
double RankShare::weight(const Batch& part) const {
  return part.y.is_floating_point() ? 1 : static_cast<double>(part.x.size(0)) / batch_;
}

RankShare::Totals RankShare::totals(double loss, int64_t right, bool stop, const Batch& part) {
  const at::Tensor all = ranks_->gather(at::tensor({loss * weight(part), static_cast<double>(right), stop ? 1. : 0.}));
  Totals totals;
  for (int64_t rank = 0; rank < ranks_->size(); ++rank) {
    const auto* of_rank = all[rank].data_ptr<double>();
    totals.loss += of_rank[0];
    totals.right += static_cast<int64_t>(of_rank[1]);
    totals.stop |= of_rank[2] > 0;
  }
  return totals;
}

void RankShare::backward(const at::Tensor& loss, const Batch& part) {
  const auto armed = buckets_.arm();
  (loss * weight(part)).backward();
  buckets_.finish();
}

}  // namespace bnlab
