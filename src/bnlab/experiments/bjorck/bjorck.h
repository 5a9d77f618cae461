// Bjorck, Gomes, Selman & Weinberger 2018, "Understanding Batch Normalization" (arXiv 1806.02375), figure by figure,
// and what its experiments share: the deep network before training and in its first steps. Run one: bnlab reproduce
// --only bjorck-fig2
#pragma once

#include <string>
#include <vector>

#include "bnlab/study/arms.h"
#include "bnlab/study/experiment.h"

namespace bnlab {

Experiment bjorck_fig1();        ///< is it the higher learning rate that makes networks with BN learn better?
Experiment bjorck_fig2();        ///< how are the elements of a layer's gradient distributed before training?
Experiment bjorck_fig3();        ///< up to which step size does the loss fall along a gradient?
Experiment bjorck_fig4();        ///< what becomes of the activations while a diverging update is made?
Experiment bjorck_fig5();        ///< how do activations grow with depth, and how alike are the outputs' gradients?
Experiment bjorck_table1();      ///< do the terms of a gradient cancel?
Experiment bjorck_fig7();        ///< how do the singular values of products of random matrices spread?
Experiment bjorck_noise();       ///< how large is the noise of SGD's update, and is its mean 0?
Experiment bjorck_sharpness();   ///< do noisier updates end in flatter places, and do those generalize?
Experiment curvature_modes();    ///< is the curvature in evaluation mode that in training mode?
Experiment edge_of_stability();  ///< how sharp is the loss where gradient descent runs?
Experiment rebuttals();          ///< what later papers found: rank, gradients, effective learning rate

namespace bjorck {

inline constexpr char kSource[] =
    "Bjorck, Gomes, Selman & Weinberger 2018, Understanding Batch Normalization (arXiv 1806.02375)";

/// The network that is looked at before training and in its first steps: at every scale but smoke the paper's own,
/// since what it shows of a network of 110 layers is weak in one of 56 and absent in one of 32.
struct DeepNetwork {
  std::string model;
  int64_t layers;  ///< convolutions, numbered from 1
  int64_t pool;    ///< images are reduced to means of so many pixels a side
  int64_t batch;
  int64_t low() const { return layers / 10 + 1; }
  int64_t middle() const { return (layers + 1) / 2; }  ///< the paper's #55 of 110
  int64_t high() const { return layers - layers / 10; }
};
DeepNetwork deep_network(Scale scale);

/// A few steps of SGD with momentum 0.9 and weight decay 5e-4 from the paper's Xavier initialization, no augmentation.
TrainSpec first_steps(const Setting& setting, int64_t seed, bool bn, double rate, int64_t steps);

/// "ResNet-110 …, batch 128, on …": network, data, initialization, seeds.
std::string what_was_started(const Setting& setting);

}  // namespace bjorck
}  // namespace bnlab
