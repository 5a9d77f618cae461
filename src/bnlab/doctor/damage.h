// How much a fault costs: differences of the losses that a model has by different statistics, batch by batch.
#pragma once

#include <optional>
#include <string>

#include "bnlab/doctor/facts.h"
#include "bnlab/doctor/findings.h"

namespace bnlab::doctor {

/// Loss that is lost; infinite if only the worse one is not finite.
struct Damage {
  double loss = 0;
  double standard_error = 0;  ///< of the mean over batches; 0 with one batch
  double scale = 1;           ///< LossFacts::scale

  /// Worth a warning: at least kWarningShare of the scale, and three standard errors.
  [[nodiscard]] bool matters() const;
  [[nodiscard]] Severity severity() const;
};

/// Shares of a loss's scale. A cross-entropy that differs by 0.03 is within the noise of running averages.
inline constexpr double kWarningShare = 0.03, kErrorShare = 0.3;

/// Mean of worse - better, paired by batch. None if either is empty or neither is finite.
[[nodiscard]] std::optional<Damage> damage_between(const Numbers& worse, const Numbers& better,
                                                   const LossFacts& losses);

/// By the running statistics instead of exact ones, or the batches' own where there are none exact. None without
/// losses.
[[nodiscard]] std::optional<Damage> damage_of_running(const Facts& facts);

/// By the batches' own statistics instead of exact ones.
[[nodiscard]] std::optional<Damage> damage_of_batch(const Facts& facts);

/// By exact statistics instead of the batches' own, in both senses of "instead".
[[nodiscard]] std::optional<Damage> damage_of_exact(const Facts& facts);

/// Weighted by samples; NaN if empty.
[[nodiscard]] double mean_loss(const Numbers& losses, const Numbers& samples);

/// Sets the finding's damage and severity: a note where it is not measured or does not matter.
void judge_by(Finding& finding, const std::optional<Damage>& damage);

/// The losses by running and by exact (or batch) statistics in words, e.g. "the loss is 2.31 by running statistics and
/// 0.41 by exact ones"; empty without losses.
[[nodiscard]] std::string losses_in_words(const Facts& facts);

}  // namespace bnlab::doctor
