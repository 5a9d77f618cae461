// The training runs that the VGG experiments on Santurkar et al. 2018 share. Five figures look at the same networks, so
// an arm carries the probes of all of them and is trained once.
#pragma once

#include <string>
#include <vector>

#include "bnlab/study/arms.h"
#include "bnlab/study/measures.h"

namespace bnlab::santurkar {

inline constexpr char kSource[] =
    "Santurkar, Tsipras, Ilyas & Madry 2018, How Does Batch Normalization Help Optimization? (arXiv 1805.11604)";

/// What differs between scales.
struct Protocol {
  std::string model;
  double width;
  int64_t pool;  ///< images are reduced to means of so many pixels a side, and padded to 32/pool
  int64_t batch, steps;
  int64_t test_every, test_examples;
  int64_t observe_every;    ///< activations, their moments, ICS
  int64_t landscape_every;  ///< a landscape costs two passes a point
  int64_t landscape_points;
  int64_t theory_every;  ///< the twins of the theory; their curvatures at every second look
};
Protocol protocol(Scale scale);

/// The layer at the depth of the paper's layer #number of 13; of VGG-A's 8, the one at the same relative depth.
int64_t layer_at(const Protocol& protocol, int64_t number);

/// The arms. All start from the same weights and see the same batches for a seed.
Arm bn(double rate);           ///< "BN, rate 0.1"
Arm plain(double rate);        ///< "no BN, rate 0.1"
Arm noisy_bn();                ///< "noisy BN, rate 0.1"
Arm noise();                   ///< "noise, no BN, rate 0.1"
Arm lp(const std::string& p);  ///< "l1", "l2" or "linf"

/// The name of what a probe records as `name`, of a layer's values in front of its normalization. (Behind BN the
/// moments are beta and gamma by construction.)
std::string in_front(const std::string& name);

/// Steps of the second half of training: the window of all claims that compare arms, unless they say otherwise.
Window second_half(const Protocol& protocol);

/// "VGG-A (8 convolutions) at 0.25 of its width …": data, optimizer, steps, seeds; the first paragraph of what was run.
std::string what_was_trained(const Setting& setting);

}  // namespace bnlab::santurkar
