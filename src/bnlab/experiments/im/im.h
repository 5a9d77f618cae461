// Experiments on Im, Tao & Branson 2016: the loss between the end points of different optimizers. They share networks,
// optimizers, runs, and the analysis "loss-surfaces" of all runs of a network and a seed.
#pragma once

#include <string>
#include <vector>

#include "bnlab/study/arms.h"
#include "bnlab/study/evidence.h"
#include "bnlab/study/experiment.h"

namespace bnlab {

Experiment im_surfaces();     ///< is there a barrier between where different optimizers end?
Experiment im_consistency();  ///< does the surface look alike in every run, and does BN make it so?
Experiment im_switching();    ///< where does a run end whose optimizer is exchanged on the way?

namespace im {

inline constexpr char kSource[] =
    "Im, Tao & Branson 2016, An Empirical Analysis of the Optimization of Deep Network Loss Surfaces (arXiv "
    "1612.04010)";

/// What differs between scales.
struct Protocol {
  double nin_width, vgg_width;
  int64_t pool;                         ///< images are reduced to means of so many pixels a side
  int64_t batch, nin_steps, vgg_steps;  ///< without BN VGG stays on its first plateau for longer
  int64_t images, parts, side;          ///< of the analysis
};
Protocol protocol(Scale scale);

/// A network, with BN or without.
struct Net {
  std::string name, id, model;
  bool bn;
  std::string label() const { return name + (bn ? ", BN" : ", no BN"); }
};
const std::vector<Net>& nets();
/// "WHAT-nin-bn": the id of a claim on one network.
std::string claim_id(const std::string& what, const Net& net);

/// An optimizer at the rate that trained best on other seeds.
struct Optimizer {
  std::string name, kind;
  double rate;
  std::string color;
  std::vector<int> dash = {};
  ArmStyle style() const { return {name, color, dash}; }
};
/// The five that are compared: SGD, Adam, momentum, RMSprop, Adadelta.
const std::vector<Optimizer>& optimizers();
/// Those, and in NiN behind them SGD at four fifths of its rate: how far does as little as that lead apart?
std::vector<Optimizer> trained_in(const Net& net);
bool has_control(const Net& net);

/// "NiN, BN, SGD": a seed fixes the initial weights and the batches, the same for all optimizers.
Arm trained(const Net& net, const Optimizer& optimizer);
/// Of the five optimizers.
std::vector<Arm> trained_arms(const Net& net);
/// "NiN, BN, surfaces": the analysis of trained_in(net), in their order.
Arm surfaces(const Net& net);
/// Training and analysis of every network.
Plan plan(const Setting& setting);

int64_t steps_of(const Net& net, Scale scale);
/// The second half of training: when the optimizers must have learned.
Window scored(const Net& net, const Setting& setting);
/// Evidence on the surfaces of one network or of it and its twin, all of whose optimizers must have learned.
Evidence on_surfaces(const ArmRuns& runs, const std::vector<Net>& of, const PerSeed& effects);

// Of a stored analysis "loss-surfaces"; optimizers count from 0.

/// An array of a layer; empty if there is none.
std::vector<double> recorded_line(RunReader& run, size_t layer, const std::string& name);
/// Loss at equal steps from the end of i to the end of j > i.
std::vector<double> loss_between(RunReader& run, size_t i, size_t j);
/// Loss at start + t (end - start), t = 0 to 1.5.
std::vector<double> loss_from_start(RunReader& run, size_t i);
/// Height of the barrier on a line: the largest excess over the straight line between the losses of its ends, as a
/// share of their mean. 0 where nothing lies above; NaN without a line.
double barrier(const std::vector<double>& loss);

/// Networks, images, optimizers, rates, what is left out; and how the surfaces were measured.
std::vector<std::string> what_was_run(const Setting& setting);
std::string how_measured(const Setting& setting);

}  // namespace im
}  // namespace bnlab
