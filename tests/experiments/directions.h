// What a test of direction needs of an experiment: made-up worlds and the effects that are known to be in them.
#pragma once

#include <cmath>
#include <map>
#include <ostream>
#include <set>
#include <string>
#include <vector>

#include "tests/experiments/made_up_runs.h"

namespace bnlab::testing {

inline const double kChance = 0.25;  // small_dataset() has four classes
inline const std::string kBn = "BN, rate 0.1", kPlain = "no BN, rate 0.1";
inline const std::string kDlnBn = "DLN, BN, rate 1e-06", kDlnPlain = "DLN, no BN, rate 1e-06";

/// A world, and the effect that each claim must have in it.
struct Truth {
  World world;
  std::map<std::string, double> effects;
};

struct Case {
  std::string experiment;
  std::vector<Truth> truths;                 ///< together they put every claim on each of its sides
  World stuck;                               ///< where no comparison means anything
  std::set<std::string> unconditional = {};  ///< the claims that hold or fail in any world: they have no precondition
};

inline void PrintTo(const Case& it, std::ostream* out) {
  *out << it.experiment;
}

inline double ln(double ratio) {
  return std::log(ratio);
}

/// Every arm of `arms` on its plateau.
inline World stuck(const std::vector<std::string>& arms) {
  World world;
  for (const auto& arm : arms) world[arm] = {.accuracy = kChance, .loss = 9};
  return world;
}

}  // namespace bnlab::testing
