#include "bnlab/probes/places.h"

#include <algorithm>
#include <stdexcept>

#include "bnlab/probes/layer_weights.h"
#include "bnlab/probes/probe.h"

namespace bnlab {
namespace {

struct Place {
  const char* name;
  const char* prefix;
};

Place place_of(TapPoint point) {
  switch (point) {
    case TapPoint::kLinear:
      return {"linear", "linear_"};
    case TapPoint::kActivationInput:
      return {"activation-input", ""};
    case TapPoint::kOutput:
      return {"output", "output_"};
  }
  throw std::logic_error("no such place");
}

bool is_place(const std::string& name) {
  return name == place_of(TapPoint::kLinear).name || name == place_of(TapPoint::kActivationInput).name ||
         name == place_of(TapPoint::kOutput).name;
}

}  // namespace

void Places::read(JsonFields& fields) {
  fields.optional("places", names_);
  std::sort(names_.begin(), names_.end());
  const bool different = std::adjacent_find(names_.begin(), names_.end()) == names_.end();
  fields.check(!names_.empty() && different && std::all_of(names_.begin(), names_.end(), is_place), "places",
               "a list of \"linear\", \"activation-input\" and \"output\", each at most once");
}

void Places::complete(Json& parameters) const {
  parameters["places"] = names_;
}

std::optional<std::string> Places::prefix(TapPoint point) const {
  const Place place = place_of(point);
  if (std::find(names_.begin(), names_.end(), place.name) == names_.end()) return std::nullopt;
  return place.prefix;
}

void WatchedValues::read(JsonFields& fields) {
  fields.required("layers", layers).optional("images", images);
  fields.check(!layers.empty(), "layers", "at least one layer");
  fields.check(images >= 2, "images", "at least 2");
  places.read(fields);
}

Json WatchedValues::complete(const std::string& where, const ProbeSetting& setting) const {
  check_layers(layers, setting.network.layers, where + ".layers");
  Json complete = {{"layers", layers}, {"images", images}};
  places.complete(complete);
  return complete;
}

at::Tensor WatchedValues::first_images(const NetworkView& view) const {
  return view.data.evaluation_loader(/*train_split=*/true, images).next().x;
}

void WatchedValues::pass(Network& network, const at::Tensor& x, const Show& show) const {
  network.forward(x, [&](int64_t layer, TapPoint point, const at::Tensor& value) {
    const auto prefix = places.prefix(point);
    if (prefix && std::find(layers.begin(), layers.end(), layer) != layers.end()) show(layer, *prefix, value);
  });
}

}  // namespace bnlab
