#include "bnlab/model_files/exported_facts.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "bnlab/model_files/model_error.h"

namespace bnlab::model_files {

double decimal_of(float value) {
  return std::strtod(fmt::format("{}", value).c_str(), nullptr);
}

std::string without_ending(const std::string& name, const std::string& ending) {
  if (name.size() <= ending.size() || !name.ends_with(ending)) return "";
  return name.substr(0, name.size() - ending.size());
}

void add_layer(doctor::Facts& facts, doctor::LayerFacts layer) {
  // A few bytes of a file may name one large constant many times over.
  constexpr std::size_t kMostLayers = 20000;
  constexpr std::int64_t kMostChannels = 1 << 22;
  std::int64_t channels = layer.channels;
  for (const doctor::LayerFacts& other : facts.layers) channels += other.channels;
  if (facts.layers.size() >= kMostLayers || channels > kMostChannels) {
    throw ModelFileError(fmt::format("has more than {} layers of batch normalization, or {} channels in them",
                                     kMostLayers, kMostChannels));
  }
  const auto found = std::find_if(facts.layers.begin(), facts.layers.end(), [&](const doctor::LayerFacts& other) {
    return other.name == layer.name && other.training == layer.training;
  });
  if (found == facts.layers.end()) {
    facts.layers.push_back(std::move(layer));
  } else {
    ++found->calls;
    found->is_output |= layer.is_output;
  }
}

void say_what_an_export_lacks(doctor::Facts& facts) {
  const auto miss = [&](const char* what, const char* why) { facts.not_collected.push_back({what, why}); };
  for (const char* what : {"losses", "moments", "dropout"}) {
    miss(what, "a file alone shows no inputs: bnlab.doctor(model, loader)");
  }
  miss("optimizer", "an export holds no optimizer");
  miss("training steps", "a file makes no steps");
}

}  // namespace bnlab::model_files
