// A unit behind a layer that also learns: its inputs move while it learns from them.
//
// Source: Ioffe & Szegedy 2015, section 1: layers "need to continuously adapt to the new distribution" of their inputs.
// The smallest network that shows it: six numbers s go through a linear layer to two, x = W s + c, and through one
// linear unit, y = w1 x1 + w2 x2 + b, which is to be +1 for one class and -1 for the other. All learn by gradient
// descent on the mean squared error over all points. With BN, x is gamma*xhat + beta, xhat = (W s + c - mean)/sigma.
// Were the cloud of the inputs x fixed, there would be one best line: the least-squares solution on the present cloud,
// the target that the unit chases.
//
// Task, a function of the seed: `points` points s, normal with mean 1 (that of pixels is not 0, either) and variance 1
// in each coordinate; the class is the side of a random plane through their mean, with noise of deviation 0.3 across
// it. W is Glorot's normal, w normal with variance 1/2, biases 0, gamma 1, beta 0; runs of a seed share all of them. In
// double, with eps 1e-12.
//
// No inputs. Records under "chasing-game", layer 0, for each step t from 0 to `steps`, before its update: arrays
// "cloud" (points, 2), "line" (w1, w2, b) and "target" (the best w1, w2, b), at step 0 also "labels" (points); scalars
// "travel" = the sum over the steps so far of the length of the change of the cloud's mean, each coordinate in units of
// its standard deviation before the step; "distance" = the root mean square, over the cloud, of the unit's output minus
// the target's; "target_move" = that of the target of the next step's cloud minus the present target, both on the
// present cloud (not at the last step); "left" = (loss - least) / (loss at step 0 - least), where `least` is the loss
// of the best plane for s. Parameters: {"bn": false, "frozen": false: whether the layer below stays as it is, "points":
// 120, "steps": 100, "rate": 0.03}.
#pragma once

#include "bnlab/analyses/analysis_list.h"

namespace bnlab {

AnalysisKind chasing_game_analysis();

}  // namespace bnlab
