// Facts as JSON, as read_facts() reads them.
#include <cmath>

#include "bnlab/doctor/facts.h"

namespace bnlab::doctor {
namespace {

Json number_as_json(double value) {
  if (std::isfinite(value)) return value;
  return std::isnan(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity";
}

Json numbers_as_json(const Numbers& values) {
  Json list = Json::array();
  for (const double value : values) list.push_back(number_as_json(value));
  return list;
}

template <class T, class F>
void put(Json& json, const char* key, const std::optional<T>& value, const F& json_of) {
  if (value) json[key] = json_of(*value);
}

Json layer_as_json(const LayerFacts& layer) {
  Json json = {{"name", layer.name},
               {"kind", layer.kind},
               {"dtype", layer.dtype},
               {"channels", layer.channels},
               {"eps", layer.eps ? Json(*layer.eps) : Json()},
               {"momentum", layer.momentum ? Json(*layer.momentum) : Json()},
               {"momentum_known", layer.momentum_known},
               {"affine", layer.affine},
               {"track_running_stats", layer.track_running_stats},
               {"training", layer.training},
               {"gamma_trains", layer.gamma_trains},
               {"beta_trains", layer.beta_trains},
               {"is_output", layer.is_output}};
  put(json, "gamma", layer.gamma, numbers_as_json);
  put(json, "beta", layer.beta, numbers_as_json);
  put(json, "running_mean", layer.running_mean, numbers_as_json);
  put(json, "running_var", layer.running_var, numbers_as_json);
  put(json, "num_batches_tracked", layer.num_batches_tracked, [](std::int64_t count) { return Json(count); });
  put(json, "producer", layer.producer, [](const ProducerFacts& producer) {
    return Json{{"name", producer.name}, {"kind", producer.kind}, {"has_bias", producer.has_bias}};
  });
  return json;
}

}  // namespace

Json facts_of_file_json(const Facts& facts) {
  Json layers = Json::array(), missing = Json::array();
  for (const LayerFacts& layer : facts.layers) layers.push_back(layer_as_json(layer));
  for (const NotCollected& each : facts.not_collected) missing.push_back({{"what", each.what}, {"why", each.why}});
  return {{"schema_version", kFactsVersion}, {"model", facts.model},
          {"training", facts.training},      {"layers", layers},
          {"exported", facts.exported},      {"active_dropout", facts.active_dropout},
          {"remarks", facts.remarks},        {"not_collected", missing}};
}

}  // namespace bnlab::doctor
