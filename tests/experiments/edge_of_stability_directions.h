// The worlds of experiments/bjorck/edge_of_stability.cpp.
#pragma once

#include "tests/experiments/directions.h"

namespace bnlab::testing {

/// ηλ₁/2 at every look: with BN at the higher rate in both modes, at the lower one, and without BN.
struct Edges {
  double bn, evaluation, low, plain;
};

inline MadeUp beside_the_edge(double rate, double training, double evaluation, double loss) {
  MadeUp it;
  it.values = {{"curvature/batch_loss", loss},
               {"curvature/batch_top_1", 2 / rate * training},
               {"curvature/population_top_1", 2 / rate * evaluation}};
  for (const char* mode : {"batch_", "population_"}) {
    it.values["curvature/" + std::string(mode) + "converged"] = 1;
    it.values["curvature/" + std::string(mode) + "residual"] = 1e-4;
  }
  return it;
}

inline World edge_world(const Edges& edges, double loss) {
  return {{"BN, rate 0.3", beside_the_edge(0.3, edges.bn, edges.evaluation, loss)},
          {"BN, rate 0.15", beside_the_edge(0.15, edges.low, edges.evaluation, loss)},
          {"no BN, rate 0.08", beside_the_edge(0.08, edges.plain, edges.plain, loss)}};
}

inline Truth edge_truth(const Edges& edges) {
  return {edge_world(edges, 0.1),
          {{"bn-at-the-edge", edges.bn},
           {"plain-at-the-edge", edges.plain},
           {"evaluation-at-the-edge", edges.evaluation},
           {"rate-sets-the-sharpness", ln(2 * edges.low / edges.bn)},
           {"bn-at-the-edge-low", edges.low}}};
}

/// Where nothing means anything the loss has never been, or is no longer, between the bounds.
inline Case edge_case() {
  return {"edge-of-stability",
          {edge_truth({1.02, 0.9, 0.97, 1.1}), edge_truth({1.9, 4, 0.5, 0.6}), edge_truth({0.7, 0.5, 1.6, 2})},
          edge_world({1, 1, 1, 1}, 0.01)};
}

}  // namespace bnlab::testing
