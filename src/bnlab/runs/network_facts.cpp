#include "bnlab/runs/network_facts.h"

#include <algorithm>
#include <map>

namespace bnlab {

TaskShape task_of(const TrainSpec& spec, const DataFacts& at_hand) {
  const TaskShape& stored = facts_for(spec, at_hand).shape;
  return {stored.channels, std::max(stored.size / spec.data.pool, spec.data.pad_to), stored.classes};
}

NetworkFacts network_facts(const TrainSpec& spec, const DataFacts& at_hand) {
  // Building a large network to count it takes a while, and the runs of an experiment share few networks.
  static std::map<std::string, NetworkFacts> known;
  const TaskShape shape = task_of(spec, at_hand);
  const std::string key = Json({spec.model.name, spec.model.options, spec.model.norm.kind, spec.model.norm.options,
                                shape.channels, shape.size, shape.classes})
                              .dump();
  if (const auto it = known.find(key); it != known.end()) return it->second;
  try {
    const NormChoice norm{spec.model.norm.kind, false, spec.model.norm.options};
    const auto network = make_network(spec.model.name, spec.model.options, norm, shape);
    NetworkFacts facts{0, network->layers(), network->macs_per_example(),
                       dynamic_cast<SequentialNetwork*>(network.get()) != nullptr};
    for (const auto& parameter : network->parameters()) facts.parameters += parameter.numel();
    return known[key] = facts;
  } catch (const OptionError& error) {
    throw SpecError(error.key() == "pad_to" ? "data.pad_to" : "model." + error.key(), error.what());
  }
}

double step_macs(const TrainSpec& spec, const NetworkFacts& network) {
  return 3.0 * static_cast<double>(network.macs) * static_cast<double>(spec.batch) / static_cast<double>(spec.ranks);
}

}  // namespace bnlab
