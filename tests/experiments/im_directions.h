// The worlds of experiments/im.
#pragma once

#include "tests/experiments/directions.h"

namespace bnlab::testing {

inline const std::vector<std::string> kImOptimizers = {"SGD", "Adam", "momentum", "RMSprop", "Adadelta"};

/// The lines of a network's analysis: the barrier between Adam and RMSprop, which is the lowest; that of all other
/// pairs; that between SGD and SGD at another rate; how much the loss rises behind the end of momentum and of the
/// others; the spread over seeds.
struct SurfaceWorld {
  double lowest, others, control, rise_of_momentum, rise_of_others = 0.1, spread = 0;
};

inline MadeUp surface_world(const SurfaceWorld& it) {
  MadeUp made_up = {.values = {{"surface barrier", it.others},
                               {"surface barrier 2 4", it.lowest},
                               {"surface barrier 1 6", it.control},
                               {"surface spread", it.spread}}};
  for (int i = 1; i <= 6; ++i) {
    made_up.values["surface rise " + std::to_string(i)] = i == 3 ? it.rise_of_momentum : it.rise_of_others;
  }
  return made_up;
}

inline double mean_barrier(const SurfaceWorld& it) {
  return (9 * it.others + it.lowest) / 10;
}

/// Effects of the claims on one network, in a world of its own.
inline void add_surface_effects(Truth& truth, const std::string& label, const std::string& id, const SurfaceWorld& it) {
  truth.world[label + ", surfaces"] = surface_world(it);
  truth.effects["barrier-" + id] = it.lowest;
  truth.effects["form-" + id] = it.rise_of_momentum - it.rise_of_others;
  if (label.starts_with("NiN")) truth.effects["more-than-a-rate-" + id] = it.others - it.control;
}

inline Truth surfaces_truth(const SurfaceWorld& nin, const SurfaceWorld& nin_plain, const SurfaceWorld& vgg,
                            const SurfaceWorld& vgg_plain) {
  Truth truth;
  add_surface_effects(truth, "NiN, BN", "nin-bn", nin);
  add_surface_effects(truth, "NiN, no BN", "nin-plain", nin_plain);
  add_surface_effects(truth, "VGG, BN", "vgg-bn", vgg);
  add_surface_effects(truth, "VGG, no BN", "vgg-plain", vgg_plain);
  truth.effects["alike-nin"] = ln(mean_barrier(nin) / mean_barrier(nin_plain));
  truth.effects["alike-vgg"] = ln(mean_barrier(vgg) / mean_barrier(vgg_plain));
  return truth;
}

/// Of each network: its spread, and how much the five rises differ from optimizer to optimizer (0: all alike).
struct RepeatedWorld {
  double spread, rise_step;
};

inline Truth consistency_truth(const RepeatedWorld& nin, const RepeatedWorld& nin_plain, const RepeatedWorld& vgg,
                               const RepeatedWorld& vgg_plain) {
  Truth truth;
  const auto add = [&](const std::string& label, const std::string& id, const RepeatedWorld& it) {
    MadeUp made_up = surface_world({1, 2, 0.5, 0, 0, it.spread});
    for (int i = 1; i <= 5; ++i) made_up.values["surface rise " + std::to_string(i)] = i * it.rise_step;
    truth.world[label + ", surfaces"] = made_up;
    truth.effects["characteristic-" + id] = it.rise_step > 0 ? 1 : 0;
  };
  add("NiN, BN", "nin-bn", nin);
  add("NiN, no BN", "nin-plain", nin_plain);
  add("VGG, BN", "vgg-bn", vgg);
  add("VGG, no BN", "vgg-plain", vgg_plain);
  for (const char* lines : {"", "from-start-"}) {
    truth.effects[std::string("bn-consistent-") + lines + "nin"] = ln(nin.spread / nin_plain.spread);
    truth.effects[std::string("bn-consistent-") + lines + "vgg"] = ln(vgg.spread / vgg_plain.spread);
  }
  return truth;
}

/// The ends of the six switched runs, SGD → Adam at 25, 50, 75 %, then Adam → SGD: one lies `off` beside the line, the
/// others half as far again; the barriers that the claims ask for, one way and the other; how far along the line the
/// runs switched early and late in each direction are.
struct SwitchedWorld {
  double off, late[2], early[2], along_early, along_late;
};

inline void add_switched_effects(Truth& truth, const std::string& label, const std::string& id,
                                 const SwitchedWorld& it) {
  MadeUp made_up;
  auto& values = made_up.values;
  values["surface barrier"] = 9;
  for (int end = 3; end <= 8; ++end) values["off " + std::to_string(end)] = end == 7 ? it.off : 1.5 * it.off;
  values["surface barrier 1 5"] = it.late[0];   // SGD's end, and the run that leaves it at 75 %
  values["surface barrier 2 8"] = it.late[1];   // Adam's
  values["surface barrier 2 3"] = it.early[0];  // Adam's end, and the run that came to it at 25 %
  values["surface barrier 1 6"] = it.early[1];  // SGD's
  values["along 3"] = it.along_early;           // from SGD, the first
  values["along 5"] = it.along_late;
  values["along 6"] = 1 - it.along_early;  // from Adam
  values["along 8"] = 1 - it.along_late;
  truth.world[label + ", ends"] = made_up;
  truth.effects["off-the-line-" + id] = it.off;
  truth.effects["leaves-even-late-" + id] = std::min(it.late[0], it.late[1]);
  truth.effects["not-where-the-second-leads-" + id] = std::min(it.early[0], it.early[1]);
  truth.effects["later-is-nearer-" + id] =
      ln(std::hypot(it.along_late, 1.5 * it.off) / std::hypot(it.along_early, 1.5 * it.off));
}

inline Truth switched_truth(const SwitchedWorld& with_bn, const SwitchedWorld& plain) {
  Truth truth;
  add_switched_effects(truth, "NiN, BN", "nin-bn", with_bn);
  add_switched_effects(truth, "NiN, no BN", "nin-plain", plain);
  return truth;
}

inline World im_stuck() {
  std::vector<std::string> arms;
  for (const std::string net : {"NiN, BN", "NiN, no BN", "VGG, BN", "VGG, no BN"}) {
    for (const std::string& optimizer : kImOptimizers) arms.push_back(net + ", " + optimizer);
  }
  return stuck(arms);
}

inline std::vector<Case> im_cases() {
  return {{"im-surfaces",
           {surfaces_truth({0.5, 1, 0.2, 1.5}, {0.6, 1.5, 0.3, 1.6}, {0.7, 1, 0.4, 1.7}, {0.8, 0.9, 0.5, 1.8}),
            surfaces_truth({0.05, 0.2, 0.3, 0.2}, {0.04, 1, 1.1, 0.3}, {0.03, 3, 4, 0.4}, {0.02, 1, 1.5, 0.5})},
           im_stuck()},
          {"im-switching",
           {switched_truth({0.3, {0.5, 0.7}, {0.9, 0.4}, 0.6, 0.2}, {0.4, {0.6, 0.5}, {0.3, 0.8}, 0.7, 0.1}),
            switched_truth({0.05, {0.8, 0.02}, {0.03, 0.9}, 0.2, 0.6}, {0.03, {0.01, 0.7}, {0.6, 0.04}, 0.1, 0.7})},
           im_stuck()},
          {"im-consistency",
           {consistency_truth({0.01, 0.5}, {0.03, 0.6}, {0.02, 0.7}, {0.04, 0.8}),
            consistency_truth({0.03, 0}, {0.02, 0}, {0.04, 0}, {0.01, 0})},
           im_stuck()}};
}

}  // namespace bnlab::testing
