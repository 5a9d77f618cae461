#include "bnlab/analyses/least_squares_start.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <cmath>

#include "bnlab/data/random.h"
#include "bnlab/record/statistics.h"

namespace bnlab {
namespace {

constexpr int64_t kImages = 2000;
constexpr int64_t kCells = 8;  // a side

int64_t parse_starts(const AnalysisSpec& spec) {
  int64_t starts = 100;
  JsonFields fields(spec.parameters, "parameters");
  fields.optional("starts", starts).check(starts >= 1, "starts", "at least 1");
  fields.finish();
  check_one_input(spec);
  return starts;
}

at::Tensor centred(const at::Tensor& values) {
  return values - values.mean(0, /*keepdim=*/true);
}

/// x in coordinates in which its columns are independent: cells may be the same in all images, and then the optima
/// would be a whole plane.
at::Tensor of_full_rank(const at::Tensor& x) {
  const auto [u, s, vh] = at::linalg_svd(x, /*full_matrices=*/false);
  const auto rank = s.gt(1e-10 * s.max()).sum().item<int64_t>();
  return x.matmul(vh.narrow(0, 0, rank).t());
}

double squared(const at::Tensor& vector) {
  return vector.square().sum().item<double>();
}

/// gamma*BN(XW) + beta fitted to y. The loss is the sum of squared errors.
struct BnModel {
  at::Tensor x, y, gamma, beta;

  BnModel(const at::Tensor& images, const at::Tensor& targets, const at::Tensor& optimum)
      : x(images), y(targets), gamma(x.mv(optimum).std(/*unbiased=*/false)), beta(x.mv(optimum).mean()) {}

  at::Tensor loss(const at::Tensor& w) const {
    const at::Tensor values = x.mv(w), off = values - values.mean();
    return (gamma * off / off.square().mean().sqrt() + beta - y).square().sum();
  }
  double gradient_norm(const at::Tensor& w) const {
    const at::Tensor at = w.detach().requires_grad_();
    return torch::autograd::grad({loss(at)}, {at}).front().norm().item<double>();
  }
};

/// The k > 0 for which k*optimum is closest to `start`: a golden-section search, since the distance is convex in k.
double closest_multiple(const at::Tensor& start, const at::Tensor& optimum) {
  const double golden = (std::sqrt(5.0) - 1) / 2;
  const auto distance = [&](double k) { return squared(start - k * optimum); };
  double low = 0, high = 2 * start.norm().item<double>() / optimum.norm().item<double>();
  const double precision = 1e-9 * high;
  while (high - low > precision) {
    const double left = high - golden * (high - low), right = low + golden * (high - low);
    if (distance(left) <= distance(right)) {
      high = right;
    } else {
      low = left;
    }
  }
  return (low + high) / 2;
}

at::Tensor random_start(Random& random, const at::Tensor& optimum) {
  at::Tensor start = at::empty_like(optimum);
  for (int64_t i = 0; i < start.numel(); ++i) start.data_ptr<double>()[i] = random.normal();
  const double length = std::exp2(4 * random.uniform() - 2) * optimum.norm().item<double>();
  return start * (length / start.norm().item<double>());
}

void observe_class(const AnalysisView& view, const at::Tensor& x, const at::Tensor& labels, int64_t label,
                   int64_t starts) {
  const at::Tensor y = centred(at::where(labels.eq(label), at::ones({}, at::kDouble), -at::ones({}, at::kDouble)));
  const at::Tensor optimum = std::get<0>(at::linalg_lstsq(x, y.unsqueeze(1), c10::nullopt, "gelsd")).squeeze(1);
  const double unit = squared(optimum), least = squared(x.mv(optimum) - y);
  const BnModel model(x, y, optimum);
  Random random(mix(static_cast<uint64_t>(view.spec.seed), "least-squares-start", label));
  std::vector<double> closest, bound, plain, meets;
  double gradient = 0, excess = 0;
  for (int64_t i = 0; i < starts; ++i) {
    const at::Tensor start = random_start(random, optimum);
    const double product = start.dot(optimum).item<double>();
    const at::Tensor nearest = closest_multiple(start, optimum) * optimum;
    closest.push_back(squared(start - nearest) / unit);
    plain.push_back(squared(start - optimum) / unit);
    bound.push_back(plain.back() - std::pow(unit - product, 2) / (unit * unit));
    meets.push_back(product > 0 ? 1 : 0);
    if (product <= 0) continue;
    raise_to(gradient, model.gradient_norm(nearest) / model.gradient_norm(start));
    raise_to(excess, std::abs(model.loss(nearest).item<double>() - least) / least);
  }
  view.recorder.array(label, 0, "closest", closest);
  view.recorder.array(label, 0, "bound", bound);
  view.recorder.array(label, 0, "plain", plain);
  view.recorder.array(label, 0, "meets", meets);
  view.recorder.scalar(label, 0, "optimum_gradient", gradient);
  view.recorder.scalar(label, 0, "excess", excess);
}

RunOutcome compute_starts(const AnalysisView& view) {
  const auto* spec = std::get_if<TrainSpec>(&view.inputs.front()->spec());
  if (!spec) throw SpecError("inputs", "the analysis \"least-squares-start\" takes a train run, for its data");
  const TrainingData data = view.data(*spec);
  const Batch batch = data.evaluation_loader(/*train_split=*/true, kImages).next();
  if (batch.y.is_floating_point()) {
    throw SpecError("inputs", "the analysis \"least-squares-start\" takes a run on images with labels");
  }
  const at::Tensor pooled = at::adaptive_avg_pool2d(batch.x.to(at::kDouble), {kCells, kCells});
  const at::Tensor x = of_full_rank(centred(pooled.contiguous().flatten(1)));
  const int64_t starts = parse_starts(view.spec);
  for (int64_t label = 0; label < data.classes(); ++label) observe_class(view, x, batch.y, label, starts);
  return RunOutcome::kDone;
}

}  // namespace

AnalysisKind least_squares_start_analysis() {
  return {"least-squares-start",
          "both sides of Santurkar's Lemma 4.5: how far a start is from the optimum, with BN and without",
          [](const AnalysisSpec& spec) {
            return Json{{"starts", parse_starts(spec)}};
          },
          compute_starts};
}

}  // namespace bnlab
