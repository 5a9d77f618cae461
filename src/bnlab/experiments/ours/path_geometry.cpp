#include "bnlab/experiments/ours/path_geometry.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace bnlab {
namespace {

using Vector = std::vector<double>;

double dot(const Vector& a, const Vector& b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

double cosine_of(const Vector& a, const Vector& b) {
  return dot(a, b) / std::sqrt(dot(a, a) * dot(b, b));
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

/// The two main components of centred places, one row a place, each with the sign that makes its largest entry
/// positive. Missing ones, of a path in one dimension, are 0.
at::Tensor main_components(const at::Tensor& places) {
  const auto [u, s, v] = at::linalg_svd(places, /*full_matrices=*/false);
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
  }
  remaining_cosine_.resize(updates_.size());
  if (updates_.empty()) return;
  Vector left(updates_.front().size(), 0.0);
  for (size_t t = updates_.size(); t-- > 0;) {
    add(left, updates_[t]);
    remaining_cosine_[t] = cosine_of(updates_[t], left);
  }
}

double PathGeometry::cosine(int64_t t, int64_t lag) const {
  return cosine_of(updates_.at(static_cast<size_t>(t)), updates_.at(static_cast<size_t>(t + lag)));
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
