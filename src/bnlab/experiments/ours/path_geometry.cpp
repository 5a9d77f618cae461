#include "bnlab/experiments/ours/path_geometry.h"

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

/// The main direction of centred places, by power iteration, orthogonal to `without` if that is not empty.
Vector main_direction(const std::vector<Vector>& places, const Vector& without) {
  constexpr int kIterations = 100;
  Vector direction = places.back();
  for (int iteration = 0; iteration < kIterations; ++iteration) {
    if (!without.empty()) add(direction, without, -dot(direction, without));
    Vector next(direction.size(), 0.0);
    for (const Vector& place : places) add(next, place, dot(place, direction));
    if (!without.empty()) add(next, without, -dot(next, without));
    const double norm = std::sqrt(dot(next, next));
    if (!(norm > 0)) return direction;
    for (double& value : next) value /= norm;
    direction = std::move(next);
  }
  return direction;
}

}  // namespace

PathGeometry::PathGeometry(RunReader& run) {
  for (const ArrayRecord& record : run.arrays({"gradient-sketch", 0, "sketch"})) {
    updates_.push_back(record.as_doubles());
  }
  const Vector norms = run.scalars({"gradient-sketch", 0, "norm"}).values;
  const Vector rates = run.scalars({"gradient-sketch", 0, "rate"}).values;
  updates_.resize(std::min({updates_.size(), norms.size(), rates.size()}));
  for (size_t t = 0; t < updates_.size(); ++t) {
    for (double& value : updates_[t]) value *= -rates[t];
    lengths_.push_back(rates[t] * norms[t]);
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
  std::vector<Vector> places(1, Vector(updates_.front().size(), 0.0));
  for (const Vector& update : updates_) {
    places.push_back(places.back());
    add(places.back(), update);
  }
  Vector middle(places.front().size(), 0.0);
  for (const Vector& place : places) add(middle, place, 1.0 / static_cast<double>(places.size()));
  for (Vector& place : places) add(place, middle, -1);
  const Vector first = main_direction(places, {}), second = main_direction(places, first);
  std::vector<std::pair<double, double>> result;
  for (const Vector& place : places) result.emplace_back(dot(place, first), dot(place, second));
  return result;
}

}  // namespace bnlab
