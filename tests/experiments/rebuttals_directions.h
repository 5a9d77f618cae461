// The worlds of experiments/bjorck/rebuttals.cpp.
#pragma once

#include "tests/experiments/results_depth_directions.h"

namespace bnlab::testing {

/// What is measured of a network before training, with BN and without (He).
struct StartWorld {
  double bn_rank, rank, bn_cosine, cosine, growth;
};
/// And of one that trains: the cosine with BN and without; how much longer the weights are at the last look, at step 8;
/// the effective rate with decay and without.
struct ScaleWorld {
  double bn_cosine, cosine, longer, decayed_rate, rate;
};

inline Truth rebuttals_truth(const StartWorld& start, const ScaleWorld& scale) {
  MadeUp bn = flow_world(60, start.growth);
  bn.values["activation-rank/stable_rank"] = start.bn_rank;
  bn.values["activation-rank/cosine"] = start.bn_cosine;
  const auto trained = [](double cosine, double rate, double longer) {
    return MadeUp{.values = {{"effective-rate/cosine", cosine},
                             {"effective-rate/norm", 3},
                             {"effective-rate/effective_rate", rate}},
                  .growth = {{"effective-rate/norm", (longer - 1) / 8}}};
  };
  const MadeUp he{.values = {{"activation-rank/stable_rank", start.rank}, {"activation-rank/cosine", start.cosine}}};
  return {{{"BN", bn},
           {"no BN, He", he},
           {"VGG-A, BN", trained(-scale.bn_cosine, scale.rate, scale.longer)},
           {"VGG-A, BN, weight decay", trained(0.5, scale.decayed_rate, 7)},
           {"VGG-A, no BN", trained(scale.cosine, 0.7, 5)}},
          {{"rank-collapses", start.rank},
           {"bn-keeps-rank", std::log(start.bn_rank / start.rank)},
           {"images-align", start.cosine - start.bn_cosine},
           {"gradients-grow", start.growth},
           {"orthogonal", scale.bn_cosine},
           {"not-without-bn", scale.cosine},
           {"weights-grow", std::log(scale.longer)},
           {"decay-sets-the-rate", std::log(scale.decayed_rate / scale.rate)}}};
}

inline Case rebuttals_case() {
  const MadeUp guesses{.accuracy = 0.1};
  Case made{"rebuttals",
            {rebuttals_truth({6, 1.2, 0.3, 0.95, 0.19}, {1e-4, 0.2, 1.3, 0.02, 0.01}),
             rebuttals_truth({2, 3, 0.4, 0.2, 0.01}, {0.3, 1e-3, 0.8, 0.01, 0.03})},
            {{"VGG-A, BN", guesses}, {"VGG-A, BN, weight decay", guesses}, {"VGG-A, no BN", guesses}}};
  made.unconditional = {"rank-collapses", "bn-keeps-rank", "images-align", "gradients-grow"};
  return made;
}

}  // namespace bnlab::testing
