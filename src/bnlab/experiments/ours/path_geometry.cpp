#include "bnlab/experiments/ours/path_geometry.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <optional>

namespace bnlab {
namespace {

using Vector = std::vector<double>;

/// In partial sums side by side, which a compiler turns into vectors.
double dot(const Vector& a, const Vector& b) {
  std::array<double, 8> sums = {};
  size_t i = 0;
  for (; i + sums.size() <= a.size(); i += sums.size()) {
    for (size_t lane = 0; lane < sums.size(); ++lane) sums[lane] += a[i + lane] * b[i + lane];
  }
  for (; i < a.size(); ++i) sums[0] += a[i] * b[i];
  return std::accumulate(sums.begin(), sums.end(), 0.0);
}

void add(Vector& to, const Vector& more, double factor = 1) {
  for (size_t i = 0; i < to.size(); ++i) to[i] += factor * more[i];
}

/// The steps whose gradients the run's probes were shown, as far as that is known.
int64_t steps_shown(RunReader& run) {
  if (run.state() == RunState::kDiverged) return run.diverged_at();
  const auto* spec = std::get_if<TrainSpec>(&run.spec());
  return spec && run.state() == RunState::kFinished ? spec->steps : 0;
}

/// Throws unless `steps` are 0 … count - 1.
void check_every_step(const std::vector<int64_t>& steps, size_t count, const RunReader& run, const std::string& name) {
  for (size_t t = 0; t < count; ++t) {
    if (t < steps.size() && steps[t] == static_cast<int64_t>(t)) continue;
    throw StoreError("the " + name + " that \"gradient-sketch\" recorded in " + run.paths().folder.string() +
                     " lacks step " + std::to_string(t) +
                     "; a path needs every step: give the probe \"from\" 0 and \"every\" 1");
  }
}

struct MainParts {
  at::Tensor u, s;  // left singular vectors, as columns, and singular values, the largest first
};

/// The largest two by subspace iteration with Rayleigh-Ritz steps (Halko, Martinsson & Tropp 2011, section 4.5), which
/// takes a hundredth of a decomposition's time. None if they have not converged: ‖Aᵀu - s v‖ above 1e-10 of s_1.
std::optional<MainParts> iterated_parts(const at::Tensor& a) {
  constexpr int64_t kBlock = 8;
  constexpr int kMostRounds = 60;
  const int64_t block = std::min({kBlock, a.size(0), a.size(1)}), wanted = std::min<int64_t>(2, block);
  at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(uint64_t{1});
  at::Tensor v = std::get<0>(at::linalg_qr(a.t().mm(at::randn({a.size(0), block}, generator, a.options()))));
  for (int round = 0; round < kMostRounds; ++round) {
    const auto [u, s, wt] = at::linalg_svd(a.mm(v), /*full_matrices=*/false);
    const at::Tensor back = a.t().mm(u);
    const at::Tensor residual = (back - v.mm(wt.t()) * s).narrow(1, 0, wanted).square().sum(0).sqrt();
    if (residual.max().item<double>() <= 1e-10 * s[0].item<double>()) return MainParts{u, s};
    v = std::get<0>(at::linalg_qr(back));
  }
  return std::nullopt;
}

MainParts main_parts(const at::Tensor& a) {
  if (auto parts = iterated_parts(a)) return *parts;
  const auto [u, s, vt] = at::linalg_svd(a, /*full_matrices=*/false);
  return {u, s};
}

/// The two main components of centred places, one row a place, each with the sign that makes its largest entry
/// positive. Missing ones, of a path in one dimension, are 0.
at::Tensor main_components(const at::Tensor& places) {
  const auto [u, s] = main_parts(places);
  const at::Tensor components = at::zeros({places.size(0), 2}, at::kDouble);
  for (int64_t k = 0; k < std::min<int64_t>(2, s.size(0)); ++k) {
    const at::Tensor component = u.select(1, k) * s[k];
    const double largest = component[component.abs().argmax()].item<double>();
    components.select(1, k).copy_(largest < 0 ? -component : component);
  }
  return components;
}

}  // namespace

PathGeometry::PathGeometry(RunReader& run) {
  std::vector<int64_t> sketched;
  for (const ArrayRecord& record : run.arrays({"gradient-sketch", 0, "sketch"})) {
    sketched.push_back(record.step);
    updates_.push_back(record.as_doubles());
  }
  const Series norms = run.scalars({"gradient-sketch", 0, "norm"}), rates = run.scalars({"gradient-sketch", 0, "rate"});
  const size_t count =
      std::max({static_cast<size_t>(steps_shown(run)), sketched.size(), norms.steps.size(), rates.steps.size()});
  check_every_step(sketched, count, run, "sketch");
  check_every_step(norms.steps, count, run, "norm");
  check_every_step(rates.steps, count, run, "rate");
  for (size_t t = 0; t < updates_.size(); ++t) {
    for (double& value : updates_[t]) value *= -rates.values[t];
    lengths_.push_back(rates.values[t] * norms.values[t]);
    squares_.push_back(dot(updates_[t], updates_[t]));
  }
  remaining_cosine_.resize(updates_.size());
  if (updates_.empty()) return;
  Vector left(updates_.front().size(), 0.0);
  for (size_t t = updates_.size(); t-- > 0;) {
    add(left, updates_[t]);
    remaining_cosine_[t] = dot(updates_[t], left) / std::sqrt(squares_[t] * dot(left, left));
  }
}

double PathGeometry::cosine(int64_t t, int64_t lag) const {
  const auto a = static_cast<size_t>(t), b = static_cast<size_t>(t + lag);
  return dot(updates_.at(a), updates_.at(b)) / std::sqrt(squares_[a] * squares_[b]);
}

double PathGeometry::mean_cosine(int64_t lag, int64_t begin, int64_t end) const {
  double sum = 0, count = 0;
  for (int64_t t = begin; t + lag < std::min(end, steps()); ++t) {
    sum += cosine(t, lag);
    count += 1;
  }
  return sum / count;
}

double PathGeometry::tortuosity(int64_t begin, int64_t end) const {
  if (begin < 0 || end > steps() || begin >= end) return NAN;
  Vector displacement(updates_.front().size(), 0.0);
  double length = 0;
  for (int64_t t = begin; t < end; ++t) {
    add(displacement, updates_[static_cast<size_t>(t)]);
    length += lengths_[static_cast<size_t>(t)];
  }
  return length / std::sqrt(dot(displacement, displacement));
}

double PathGeometry::cosine_to_end(int64_t t) const {
  return remaining_cosine_.at(static_cast<size_t>(t));
}

std::vector<std::pair<double, double>> PathGeometry::projected() const {
  if (updates_.empty()) return {};
  const auto size = static_cast<int64_t>(updates_.front().size());
  at::Tensor places = at::zeros({steps() + 1, size}, at::kDouble);
  for (int64_t t = 0; t < steps(); ++t) {
    const auto& update = updates_[static_cast<size_t>(t)];
    places[t + 1].copy_(places[t] + at::tensor(update, at::kDouble));
  }
  const at::Tensor components = main_components(places - places.mean(0, /*keepdim=*/true));
  std::vector<std::pair<double, double>> result;
  for (int64_t t = 0; t <= steps(); ++t) {
    result.emplace_back(components[t][0].item<double>(), components[t][1].item<double>());
  }
  return result;
}

}  // namespace bnlab
