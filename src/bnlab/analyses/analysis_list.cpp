#include "bnlab/analyses/analysis_list.h"

#include "bnlab/analyses/bn_backward.h"
#include "bnlab/analyses/channel_statistics.h"
#include "bnlab/analyses/chasing_game.h"
#include "bnlab/analyses/dln_closed_form.h"
#include "bnlab/analyses/evaluation.h"
#include "bnlab/analyses/identity_recovery.h"
#include "bnlab/analyses/least_squares_start.h"
#include "bnlab/analyses/loss_surfaces.h"
#include "bnlab/analyses/random_products.h"
#include "bnlab/analyses/scaled_inputs.h"

namespace bnlab {

const std::vector<AnalysisKind>& analysis_kinds() {
  static const std::vector<AnalysisKind> kinds = {evaluation_analysis(),          dln_closed_form_analysis(),
                                                  least_squares_start_analysis(), identity_recovery_analysis(),
                                                  scaled_inputs_analysis(),       bn_backward_analysis(),
                                                  channel_statistics_analysis(),  chasing_game_analysis(),
                                                  loss_surfaces_analysis(),       random_products_analysis()};
  return kinds;
}

void check_one_input(const AnalysisSpec& spec) {
  if (spec.inputs.size() == 1) return;
  throw SpecError("inputs", "the analysis \"" + spec.analysis + "\" takes exactly one run");
}

const AnalysisKind* find_analysis_kind(const std::string& name) {
  for (const auto& kind : analysis_kinds()) {
    if (kind.name == name) return &kind;
  }
  return nullptr;
}

}  // namespace bnlab
