// Figures and claims on what the probe "landscape" recorded: those of Santurkar et al. 2018, Fig. 4, 10 to 13.
#pragma once

#include "bnlab/record/figure.h"
#include "bnlab/study/evidence.h"

namespace bnlab {

/// One of the three quantities of Fig. 4, or the Lipschitz estimate of the loss.
struct LandscapeQuantity {
  std::string id;         ///< "loss-range", "gradient-range", "lipschitz" or "beta"
  std::string sentence;   ///< what "smaller" means, for a person
  std::string statistic;  ///< its formula
  std::string quote;      ///< of the paper
  std::string low, high;  ///< scalars whose difference it is; `high` alone if `low` is empty
};
const std::vector<LandscapeQuantity>& landscape_quantities();

/// Mean of a quantity over the window; `random`: along the random direction.
PerSeed landscape_mean(const ArmRuns& runs, const Arm& arm, const LandscapeQuantity& quantity, bool random,
                       const Window& window);

/// The claim that `smooth` has a smaller quantity than `rough`, where `learned` holds: a secondary one.
std::pair<Claim, Evidence> smoother_claim(const ArmRuns& runs, const LandscapeQuantity& quantity, bool random,
                                          const Arm& smooth, const Arm& rough, const Window& window,
                                          const Precondition& learned, const std::string& quote);

Figure loss_range_figure(const std::string& id, const ArmRuns& runs, const std::vector<Arm>& arms);
Figure difference_range_figure(const std::string& id, const ArmRuns& runs, const std::vector<Arm>& arms);
Figure lipschitz_figure(const std::string& id, const ArmRuns& runs, const std::vector<Arm>& arms);
Figure smoothness_figure(const std::string& id, const ArmRuns& runs, const std::vector<Arm>& arms, bool random);
/// Fig. 11: the gradient's change against the distance, averaged over the window.
Figure difference_by_distance_figure(const std::string& id, const ArmRuns& runs, const std::vector<Arm>& arms,
                                     const Window& window);

/// `figure` as one of the deep linear network, "Fig. 10" of the paper.
Figure of_linear_network(Figure figure, const std::string& paper_figure);

}  // namespace bnlab
