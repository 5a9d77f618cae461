// N12: two views of a sample are normalized among the same mates, whose statistics tell the views that belong together.
// Source: He et al. 2020, "Momentum contrast for unsupervised visual representation learning", section 3.3.
#include <fmt/format.h>

#include "bnlab/doctor/damage.h"
#include "bnlab/doctor/rules/rule_list.h"
#include "bnlab/doctor/words.h"

namespace bnlab::doctor {

Answer contrastive_leak(const Facts& facts) {
  if (!facts.mates) return Answer::not_checked_because(facts.why_no("mates"));
  if (!facts.losses) return Answer::not_checked_because(facts.why_no("losses"));
  const MateFacts& mates = *facts.mates;
  LossFacts of_dealings;
  of_dealings.scale = facts.losses->scale;
  const auto leak = damage_between(mates.among_mates, mates.among_all, of_dealings);
  if (!leak) return Answer::not_checked_because("the loss among samples of other batches is not finite");
  if (!leak->matters()) return Answer::none();

  Finding finding;
  judge_by(finding, leak);
  finding.damage.reset();  // what is lost is what training learned in place of its task
  finding.evidence = fmt::format(
      "Among candidates that were normalized with it, the loss of a sample is {:.4g}; among those of all batches, of "
      "which only its other view shares its statistics, {:.4g}, with the same outputs ({:.2g} +- {:.2g} less, over "
      "{}). "
      "The statistics of a batch give away which views belong together.",
      mean_loss(mates.among_mates, {}), mean_loss(mates.among_all, {}), leak->loss, leak->standard_error,
      counted(mates.among_all.size(), "dealing"));
  finding.remedy =
      "Normalize the two views among different mates (shuffle the samples of one view between ranks or groups, as MoCo "
      "does), use SyncBatchNorm over all samples of the loss, or a norm without batch statistics.";
  return Answer::of(finding);
}

}  // namespace bnlab::doctor
