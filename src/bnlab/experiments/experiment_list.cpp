#include "bnlab/experiments/experiment_list.h"

#include <fnmatch.h>

#include <algorithm>
#include <sstream>
#include <stdexcept>

#include "bnlab/experiments/basics/basics.h"
#include "bnlab/experiments/bjorck/bjorck.h"
#include "bnlab/experiments/im/im.h"
#include "bnlab/experiments/ours/ours.h"
#include "bnlab/experiments/santurkar/santurkar.h"

namespace bnlab {

const std::vector<Experiment>& experiments() {
  static const std::vector<Experiment> all = {scaling(),
                                              affine(),
                                              population_statistics(),
                                              convolution(),
                                              chasing_game(),
                                              sigmoid_saturation(),
                                              results_speed(),
                                              results_rates(),
                                              results_generalization(),
                                              results_depth(),
                                              results_batch_size(),
                                              sync_batch_size(),
                                              santurkar_fig1(),
                                              santurkar_fig2(),
                                              santurkar_fig3(),
                                              santurkar_fig4(),
                                              santurkar_fig5(),
                                              santurkar_theory(),
                                              bjorck_fig1(),
                                              bjorck_noise(),
                                              bjorck_sharpness(),
                                              bjorck_fig2(),
                                              bjorck_fig3(),
                                              bjorck_fig4(),
                                              bjorck_fig5(),
                                              bjorck_fig7(),
                                              bjorck_table1(),
                                              curvature_modes(),
                                              edge_of_stability(),
                                              rebuttals(),
                                              im_surfaces(),
                                              im_consistency(),
                                              im_switching(),
                                              backward(),
                                              dln_ics(),
                                              open_question_spiral(),
                                              open_question_drift(),
                                              placement()};
  return all;
}

std::vector<Experiment> select_experiments(const std::string& patterns) {
  if (patterns.empty()) return experiments();
  std::vector<bool> chosen(experiments().size(), false);
  std::stringstream list(patterns);
  for (std::string pattern; std::getline(list, pattern, ',');) {
    bool any = false;
    for (size_t i = 0; i < experiments().size(); ++i) {
      if (fnmatch(pattern.c_str(), experiments()[i].name.c_str(), 0) != 0) continue;
      chosen[i] = any = true;
    }
    if (any) continue;
    std::vector<std::string> names;
    for (const auto& experiment : experiments()) names.push_back(experiment.name);
    throw std::invalid_argument("--only: no experiment is called \"" + pattern + "\"; known: " + join_or(names));
  }
  std::vector<Experiment> selected;
  for (size_t i = 0; i < chosen.size(); ++i) {
    if (chosen[i]) selected.push_back(experiments()[i]);
  }
  return selected;
}

}  // namespace bnlab
