// The worlds of experiments/basics/chasing_game.cpp.
#pragma once

#include "tests/experiments/directions.h"

namespace bnlab::testing {

inline Case chasing_case() {
  struct Played {
    double travel, distance, target_move, left;
  };
  const auto recorded = [](const Played& p) -> MadeUp {
    return {.values = {{"chasing-game/travel", p.travel},
                       {"chasing-game/distance", p.distance},
                       {"chasing-game/target_move", p.target_move},
                       {"chasing-game/left", p.left}}};
  };
  const auto world = [=](const Played& none, const Played& bn, const Played& frozen) -> World {
    return {{"no BN", recorded(none)}, {"BN", recorded(bn)}, {"layer below frozen", recorded(frozen)}};
  };
  const auto truth = [=](const Played& none, const Played& bn, const Played& frozen) -> Truth {
    return {world(none, bn, frozen),
            {{"bn-shortens-travel", ln(bn.travel / none.travel)},
             {"bn-closer-to-target", ln(bn.distance / none.distance)},
             {"bn-steadies-target", ln(bn.target_move / none.target_move)},
             {"easier-when-frozen", ln(frozen.distance / none.distance)},
             {"frozen-stands-still", frozen.travel}}};
  };
  return {"chasing-game",
          {truth({2, 0.5, 0.03, 0.1}, {0.1, 0.3, 0.01, 0.2}, {0, 0.2, 0, 0.4}),
           truth({0.2, 0.3, 0.01, 0.1}, {3, 0.7, 0.05, 0.3}, {0.5, 0.4, 0.02, 0.45})},
          world({2, 0.5, 0.03, 0.9}, {0.1, 0.3, 0.01, 0.8}, {0, 0.2, 0, 0.7}),
          {"frozen-stands-still"}};
}

}  // namespace bnlab::testing
