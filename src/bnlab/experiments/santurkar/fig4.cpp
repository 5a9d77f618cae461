#include <fmt/format.h>

#include "bnlab/experiments/santurkar/dln.h"
#include "bnlab/experiments/santurkar/landscape_figures.h"
#include "bnlab/experiments/santurkar/santurkar.h"
#include "bnlab/experiments/santurkar/vgg.h"

namespace bnlab {
namespace {

using namespace santurkar;

const Arm kPlain = plain(0.1), kBn = bn(0.1), kDlnPlain = dln_plain(1e-6), kDlnBn = dln_bn(1e-6);
const std::vector<Arm> kArms = {kPlain, kBn}, kDlnArms = {kDlnPlain, kDlnBn};

std::vector<std::string> what_was_run(const Setting& setting) {
  const Protocol p = protocol(setting.scale);
  return {
      what_was_trained(setting),
      fmt::format("Every {} steps, loss and gradient of the step's batch at {} points along that step's own gradient "
                  "(not at other learning rates of training), from 1/2 to 4 times the learning rate, and along a "
                  "random direction of the gradient's length.",
                  p.landscape_every, p.landscape_points),
      what_dln_was_trained(setting) + " Here from 1/100 to 30 times the learning rate."};
}

std::vector<std::pair<Claim, Evidence>> claims(const ArmRuns& runs, const Window& window, const Window& dln_window) {
  const Precondition both = learned(runs, {kBn, kPlain}, window), dln = loss_halved(runs, {kDlnBn}, dln_window);
  std::vector<std::pair<Claim, Evidence>> all;
  for (const LandscapeQuantity& quantity : landscape_quantities()) {
    all.push_back(smoother_claim(runs, quantity, false, kBn, kPlain, window, both, quantity.quote));
    all.back().first.rank = Rank::kPrimary;
    all.push_back(smoother_claim(
        runs, quantity, true, kBn, kPlain, window, both,
        "(Section 3.2: along random directions of the same length the landscape looks alike; paraphrased.)"));
    all.push_back(smoother_claim(runs, quantity, false, kDlnBn, kDlnPlain, dln_window, dln,
                                 "(Fig. 10: the same for deep linear networks; paraphrased.)"));
    all.back().first.id += "-dln";
  }
  return all;
}

Findings findings(const Setting& setting, Results& results) {
  const ArmRuns runs(setting, results);
  const Window window = second_half(protocol(setting.scale)), dln_window = second_half(dln_protocol(setting.scale));
  return {
      {loss_range_figure("a", runs, kArms), difference_range_figure("b", runs, kArms),
       smoothness_figure("c", runs, kArms, false), smoothness_figure("d", runs, kArms, true),
       difference_by_distance_figure("e", runs, kArms, window),
       of_linear_network(loss_range_figure("f", runs, kDlnArms), "Fig. 10"),
       of_linear_network(difference_range_figure("g", runs, kDlnArms), "Fig. 10"),
       of_linear_network(smoothness_figure("h", runs, kDlnArms, false), "Fig. 10"), lipschitz_figure("i", runs, kArms)},
      claims(runs, window, dln_window),
      {}};
}

}  // namespace

Experiment santurkar_fig4() {
  return {"santurkar-fig4",
          "The optimization landscape along the gradient",
          {"M12", "M13"},
          kSource,
          "Fig. 4, 10 and 11",
          "Does BN make loss and gradient change less along the direction in which training steps?",
          runs_of(kArms, kDlnArms),
          what_was_run,
          findings,
          {.chapter = Chapter::kWhyItWorks,
           .plainly = "A step of training trusts the gradient at one place for a whole step's length. Here one looks "
                      "ahead along that direction: the narrower a band, the less loss and gradient change on the way, "
                      "and the more the step can be trusted.",
           .headline = "loss-range",
           .in_short = "BN smooths the landscape: along a step the loss varies less."}};
}

}  // namespace bnlab
