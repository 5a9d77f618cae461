#include "bnlab/experiments/santurkar_fig4.h"

#include <fmt/format.h>

#include "bnlab/experiments/landscape_figures.h"
#include "bnlab/experiments/santurkar_vgg.h"

namespace bnlab {
namespace {

using namespace santurkar;

const char* const kBn = "BN, rate 0.1";
const char* const kPlain = "no BN, rate 0.1";

const std::vector<Arm>& arms() {
  static const std::vector<Arm> all = {plain(0.1), bn(0.1)};
  return all;
}

Plan plan(const Setting& setting) {
  Plan plan(setting.data);
  add_runs(plan, setting, arms());
  return plan;
}

std::vector<std::string> what_was_run(const Setting& setting) {
  const Protocol p = protocol(setting.scale);
  return {what_was_trained(setting),
          fmt::format("Every {} steps, loss and gradient of the step's batch at {} points along that step's own gradient "
                      "(not at other learning rates of training), from 1/2 to 4 times the learning rate, and along a "
                      "random direction of the gradient's length.",
                      p.landscape_every, p.landscape_points)};
}

Findings findings(const Setting& setting, Results& results) {
  const Protocol p = protocol(setting.scale);
  const TrainedArms trained(setting, results, arms());
  const Window window = second_half(p);
  std::vector<std::pair<Claim, Evidence>> claims;
  for (const LandscapeQuantity& quantity : landscape_quantities()) {
    for (const bool random : {false, true}) {
      claims.push_back(smoother_claim(
          trained, quantity, random, kBn, kPlain, window,
          random ? "(Section 3.2: along random directions of the same length the landscape looks alike; paraphrased.)"
                 : quantity.quote));
    }
  }
  return {{loss_range_figure("a", trained, arms()), difference_range_figure("b", trained, arms()),
           smoothness_figure("c", trained, arms(), false), smoothness_figure("d", trained, arms(), true),
           difference_by_distance_figure("e", trained, arms(), window)},
          claims,
          {}};
}

}  // namespace

Experiment santurkar_fig4() {
  return {"santurkar-fig4",
          "The optimization landscape along the gradient",
          {"M12", "M13"},
          kSource,
          "Fig. 4 and 11",
          "Does BN make loss and gradient change less along the direction in which training steps?",
          plan,
          what_was_run,
          findings};
}

}  // namespace bnlab
