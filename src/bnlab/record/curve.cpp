#include "bnlab/record/curve.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace bnlab {
namespace {

Json rounded(double value) {
  return std::isfinite(value) ? Json(std::stod(fmt::format("{:.6g}", value))) : Json();
}

}  // namespace

Curve thinned(const Series& series, size_t most) {
  Curve curve;
  curve.of = series.steps.size();
  curve.each = std::max<size_t>(1, (curve.of + most - 1) / most);
  for (size_t first = 0; first < curve.of; first += curve.each) {
    const size_t end = std::min(first + curve.each, curve.of);
    double sum = 0;
    for (size_t i = first; i < end; ++i) sum += series.values[i];
    curve.steps.push_back(series.steps[end - 1]);
    curve.values.push_back(sum / static_cast<double>(end - first));
  }
  return curve;
}

Json to_json(const Curve& curve) {
  Json values = Json::array();
  for (const double value : curve.values) values.push_back(rounded(value));
  return {{"steps", curve.steps}, {"values", values}, {"of", curve.of}, {"each", curve.each}};
}

Curve loss_curve(RunReader& run, size_t most) {
  return thinned(run.scalars({"train", 0, "loss"}), most);
}

}  // namespace bnlab
