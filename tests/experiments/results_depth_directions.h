// The worlds of experiments/basics/results_depth.cpp.
#pragma once

#include "tests/experiments/directions.h"

namespace bnlab::testing {

/// A gradient that is e^growth times as large with every layer that it has passed, in the middle half of `layers`.
inline MadeUp flow_world(int64_t layers, double growth) {
  const int64_t first = layers / 4 + 1, last = 3 * layers / 4;
  const double passed = static_cast<double>(last - first);
  return {.values = {{"gradient-flow/linear", 5},
                     {"gradient-flow/weight", 3},
                     {"gradient-flow/" + std::to_string(first) + "/linear", 7 * std::exp(growth * passed)},
                     {"gradient-flow/" + std::to_string(last) + "/linear", 7}}};
}

/// Growths of BN at 10, 20, 40 and 60 layers; and at 60 without BN (Glorot, He), with tanh and BN, and with sigmoids
/// (BN, none).
inline Truth flow_truth(const std::vector<double>& bn, double glorot, double he, double tanh, double sigmoid_bn,
                        double sigmoid) {
  return {{{"BN, 10 layers", flow_world(10, bn[0])},
           {"BN, 20 layers", flow_world(20, bn[1])},
           {"BN, 40 layers", flow_world(40, bn[2])},
           {"BN, 60 layers", flow_world(60, bn[3])},
           {"no BN, Glorot, 60 layers", flow_world(60, glorot)},
           {"no BN, He, 60 layers", flow_world(60, he)},
           {"tanh, BN, 60 layers", flow_world(60, tanh)},
           {"sigmoid, BN, 60 layers", flow_world(60, sigmoid_bn)},
           {"sigmoid, no BN, 60 layers", flow_world(60, sigmoid)}},
          {{"bn-keeps-size", bn[3]},
           {"bn-explodes", bn[3]},
           {"bn-grows-as-theory", bn[3]},
           {"bn-is-the-cause", bn[3] - he},
           {"plain-vanishes", glorot},
           {"he-keeps-size", he},
           {"tanh-explodes", tanh},
           {"sigmoid-explodes", sigmoid_bn},
           {"sigmoid-vanishes", sigmoid},
           {"bn-explodes-10", bn[0]},
           {"bn-explodes-20", bn[1]},
           {"bn-explodes-40", bn[2]}}};
}

inline Case results_depth_case() {
  const MadeUp none_arrives{.values = {{"gradient-flow/linear", 0}}};
  World nothing;
  for (const char* net : {"BN", "no BN, Glorot", "no BN, He", "tanh, BN", "sigmoid, BN", "sigmoid, no BN"}) {
    for (const char* layers : {"10", "20", "40", "60"}) {
      nothing[std::string(net) + ", " + layers + " layers"] = none_arrives;
    }
  }
  return {"results-depth",
          {flow_truth({0.17, 0.18, 0.19, 0.20}, -0.35, 0.01, 0.1, 0.03, -1.4),
           flow_truth({-0.04, -0.02, -0.03, -0.01}, 0.06, 0.07, -0.05, -0.06, 0.08)},
          nothing};
}

}  // namespace bnlab::testing
