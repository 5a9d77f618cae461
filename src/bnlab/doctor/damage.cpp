#include "bnlab/doctor/damage.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace bnlab::doctor {

bool Damage::matters() const {
  return std::isinf(loss) ? loss > 0 : loss >= kWarningShare * scale && loss >= 3 * standard_error;
}

Severity Damage::severity() const {
  if (!matters()) return Severity::kNote;
  return loss >= kErrorShare * scale ? Severity::kError : Severity::kWarning;
}

double mean_loss(const Numbers& losses, const Numbers& samples) {
  double sum = 0, weight = 0;
  for (std::size_t i = 0; i < losses.size(); ++i) {
    const double batch = i < samples.size() ? samples[i] : 1;
    sum += batch * losses[i];
    weight += batch;
  }
  return sum / weight;
}

std::optional<Damage> damage_between(const Numbers& worse, const Numbers& better, const LossFacts& losses) {
  const std::size_t batches = std::min(worse.size(), better.size());
  if (batches == 0) return {};
  Numbers differences(batches);
  const auto finite = [&](const Numbers& values) {
    return std::all_of(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(batches),
                       [](double value) { return std::isfinite(value); });
  };
  if (!finite(better)) return {};
  if (!finite(worse)) return Damage{std::numeric_limits<double>::infinity(), 0, losses.scale};
  for (std::size_t i = 0; i < batches; ++i) differences[i] = worse[i] - better[i];
  Damage damage{mean_loss(differences, losses.samples), 0, losses.scale};
  if (batches > 1) {
    double squares = 0;
    for (const double difference : differences) squares += (difference - damage.loss) * (difference - damage.loss);
    const auto n = static_cast<double>(batches);
    damage.standard_error = std::sqrt(squares / (n - 1) / n);
  }
  return damage;
}

std::optional<Damage> damage_of_running(const Facts& facts) {
  if (!facts.losses) return {};
  const LossFacts& losses = *facts.losses;
  return damage_between(losses.running, losses.exact.empty() ? losses.batch : losses.exact, losses);
}

std::optional<Damage> damage_of_batch(const Facts& facts) {
  if (!facts.losses) return {};
  const LossFacts& losses = *facts.losses;
  return damage_between(losses.batch, losses.exact.empty() ? losses.running : losses.exact, losses);
}

std::optional<Damage> damage_of_exact(const Facts& facts) {
  if (!facts.losses) return {};
  const LossFacts& losses = *facts.losses;
  return damage_between(losses.exact.empty() ? losses.running : losses.exact, losses.batch, losses);
}

void judge_by(Finding& finding, const std::optional<Damage>& damage) {
  finding.severity = damage ? damage->severity() : Severity::kNote;
  finding.damage.reset();
  if (damage) finding.damage = damage->loss;
}

std::string losses_in_words(const Facts& facts) {
  if (!facts.losses || facts.losses->running.empty()) return "";
  const LossFacts& losses = *facts.losses;
  std::string words =
      fmt::format("the loss is {:.4g} by running statistics", mean_loss(losses.running, losses.samples));
  if (!losses.exact.empty()) {
    words += fmt::format(", {:.4g} by exact ones", mean_loss(losses.exact, losses.samples));
  }
  if (!losses.batch.empty()) {
    words += fmt::format("{} {:.4g} by the batches' own", losses.exact.empty() ? " and" : ",",
                         mean_loss(losses.batch, losses.samples));
  }
  return words;
}

}  // namespace bnlab::doctor
