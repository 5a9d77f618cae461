#include <fmt/format.h>

#include "bnlab/experiments/santurkar/dln.h"
#include "bnlab/experiments/santurkar/landscape_figures.h"
#include "bnlab/experiments/santurkar/santurkar.h"
#include "bnlab/experiments/santurkar/vgg.h"

namespace bnlab {
namespace {

using namespace santurkar;

const char* const kBn = "BN, rate 0.1";
const char* const kPlain = "no BN, rate 0.1";

const std::vector<Arm>& arms() {
  static const std::vector<Arm> all = {plain(0.1), bn(0.1)};
  return all;
}

const std::vector<Arm>& dln_arms() {
  static const std::vector<Arm> all = {dln_plain(1e-6), dln_bn(1e-6)};
  return all;
}

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

Findings findings(const Setting& setting, Results& results) {
  const Protocol p = protocol(setting.scale);
  const TrainedArms trained(setting, results, arms()), dln(setting, results, dln_arms());
  const Window window = second_half(p), dln_window = second_half(dln_protocol(setting.scale));
  const std::string dln_with = dln_bn(1e-6).name(), dln_without = dln_plain(1e-6).name();
  std::vector<std::pair<Claim, Evidence>> claims;
  for (const LandscapeQuantity& quantity : landscape_quantities()) {
    for (const bool random : {false, true}) {
      claims.push_back(smoother_claim(
          trained, quantity, random, kBn, kPlain, window, trained.learned({kBn, kPlain}, window),
          random ? "(Section 3.2: along random directions of the same length the landscape looks alike; paraphrased.)"
                 : quantity.quote));
    }
    claims.push_back(smoother_claim(dln, quantity, false, dln_with, dln_without, dln_window,
                                    dln.loss_halved({dln_with}, dln_window),
                                    "(Fig. 10: the same for deep linear networks; paraphrased.)"));
    claims.back().first.id += "-dln";
  }
  return {{loss_range_figure("a", trained, arms()), difference_range_figure("b", trained, arms()),
           smoothness_figure("c", trained, arms(), false), smoothness_figure("d", trained, arms(), true),
           difference_by_distance_figure("e", trained, arms(), window),
           of_linear_network(loss_range_figure("f", dln, dln_arms()), "Fig. 10"),
           of_linear_network(difference_range_figure("g", dln, dln_arms()), "Fig. 10"),
           of_linear_network(smoothness_figure("h", dln, dln_arms(), false), "Fig. 10"),
           lipschitz_figure("i", trained, arms())},
          claims,
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
          runs_of(arms(), dln_arms()),
          what_was_run,
          findings};
}

}  // namespace bnlab
