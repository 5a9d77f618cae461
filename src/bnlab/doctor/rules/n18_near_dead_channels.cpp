// N18: channels that a tiny variance blows up, or that a gamma of about 0 switches off.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "bnlab/doctor/rules/rule_list.h"
#include "bnlab/doctor/words.h"

namespace bnlab::doctor {
namespace {

constexpr double kLargeGain = 100, kBeyondMedian = 30, kSwitchedOff = 1e-4;

/// Where eps is not known: a variance that any library's eps (1e-3 to 1e-6) is far above of, beside others.
constexpr double kNoVariance = 1e-8, kShareOfMedian = 1e-6;

struct Channels {
  std::size_t blown_up = 0, switched_off = 0, constant = 0;
  double largest_gain = 0;
  std::size_t all() const { return blown_up + switched_off + constant; }
};

bool is_switched_off(const LayerFacts& layer, std::size_t channel) {
  return layer.gamma && std::abs((*layer.gamma)[channel]) < kSwitchedOff;
}

Channels unusual_without_eps(const LayerFacts& layer) {
  Channels found;
  const double usual = median_of(*layer.running_var);
  for (std::size_t c = 0; c < layer.running_var->size(); ++c) {
    const double var = (*layer.running_var)[c];
    const bool off = is_switched_off(layer, c);
    found.switched_off += off;
    found.constant += !off && var >= 0 && var < kNoVariance && var < kShareOfMedian * usual;
  }
  return found;
}

Channels unusual_channels(const LayerFacts& layer) {
  if (!layer.eps) return unusual_without_eps(layer);
  std::vector<double> gains;
  for (std::size_t c = 0; c < static_cast<std::size_t>(layer.channels); ++c) {
    const double gamma = layer.gamma ? std::abs((*layer.gamma)[c]) : 1;
    gains.push_back(gamma / std::sqrt((*layer.running_var)[c] + *layer.eps));
  }
  std::vector<double> sorted = gains;
  std::sort(sorted.begin(), sorted.end());
  const double usual = sorted[(sorted.size() - 1) / 2];
  Channels found;
  for (std::size_t c = 0; c < gains.size(); ++c) {
    if (gains[c] > kLargeGain && gains[c] > kBeyondMedian * usual) {
      ++found.blown_up;
      found.largest_gain = std::max(found.largest_gain, gains[c]);
    }
    found.switched_off += is_switched_off(layer, c);
  }
  return found;
}

}  // namespace

Answer near_dead_channels(const Facts& facts) {
  std::vector<const LayerFacts*> layers;
  std::size_t blown_up = 0, switched_off = 0, constant = 0;
  double largest = 0;
  for (const LayerFacts& layer : facts.layers) {
    if (!has_statistics(layer) || is_at_start(layer)) continue;
    const Channels found = unusual_channels(layer);
    if (found.all() == 0) continue;
    layers.push_back(&layer);
    blown_up += found.blown_up;
    switched_off += found.switched_off;
    constant += found.constant;
    largest = std::max(largest, found.largest_gain);
  }
  if (layers.empty()) return Answer::none();

  Finding finding = finding_at(layers);
  if (blown_up > 0) {
    finding.evidence =
        fmt::format("{} with almost no variance: gamma/sqrt(var + eps) reaches {:.3g}, which magnifies noise. ",
                    counted(blown_up, "channel"), largest);
  }
  if (constant > 0) {
    finding.evidence = fmt::format(
        "{} with a running variance below {:g}: their inputs were constant, and what they pass on of a change is "
        "decided by eps, which is not known. ",
        counted(constant, "channel"), kNoVariance);
  }
  if (switched_off > 0) {
    finding.evidence +=
        fmt::format("{} with a gamma of about 0, which pass nothing on.", counted(switched_off, "channel"));
  }
  finding.remedy = "Prune these channels, or leave them: they cost time, not accuracy.";
  return Answer::of(finding);
}

}  // namespace bnlab::doctor
