// The deep network with BN and without, looked at once before its first step: the runs that bjorck-fig2, bjorck-fig5
// and bjorck-table1 share.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "bnlab/experiments/bjorck/bjorck.h"
#include "bnlab/study/evidence.h"

namespace bnlab::bjorck {

/// The two networks, which start from the same weights and see the same batch.
struct StartArms {
  Arm bn, none;
  std::vector<Arm> both() const { return {none, bn}; }
};
const StartArms& at_start();

/// Shares of a layer's elements, in ‰, at which its tail is cut; the one by which primary claims go.
inline const std::vector<int64_t> kTailCuts = {5, 10, 20, 50, 100, 200};
inline constexpr int64_t kTailCut = 50;

/// The layers whose gradients are looked at, by the names that claims have: "low", "middle", "high".
struct SeenLayer {
  std::string name;
  int64_t number;
};
std::vector<SeenLayer> seen_layers(Scale scale);
SeenLayer seen_layer(Scale scale, const std::string& name);

/// What a probe recorded before the first step, one number a run. NaN if it did not.
PerSeed at_step_0(const ArmRuns& runs, const Arm& arm, const Key& key);

/// Precondition that these numbers are finite and above 0 in every run: the network gives a signal. Of the layers
/// `keys`.
Precondition signal_arrives(const ArmRuns& runs, const std::vector<Arm>& arms, const std::vector<Key>& keys);

}  // namespace bnlab::bjorck
