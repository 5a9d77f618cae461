// A network and its twin: the same weights, with one BN layer behind the convolution or linear map of one layer.
// (Santurkar et al. 2018, section 4.)
//
// Passes begin at that layer, from what it gets, since nothing before it differs.
#pragma once

#include "bnlab/train/step_observer.h"

namespace bnlab {

/// The end of a network from layer `layer` on, and the batch as it arrives there.
struct NetworkEnd {
  SequentialNetwork& network;
  int64_t layer;
  at::Tensor input;  ///< what the layer gets, without a graph
  const at::Tensor& labels;
};

/// A pass that shows what stands behind the layer's linear map.
struct TwinPass {
  at::Tensor y;      ///< (N, C, …): what the linear map gives
  at::Tensor yhat;   ///< (y - mean) / sigma of each channel over the batch, eps = 0; undefined in the plain network
  at::Tensor sigma;  ///< (1, C, 1, …); undefined in the plain network
  at::Tensor z;      ///< what the rest of the network gets: y, or yhat, or what the twin was asked for
  at::Tensor loss;
};

/// The network itself: z is y. With gradients enabled, y takes part in the graph of the layer's parameters.
TwinPass plain_pass(const NetworkEnd& end);
/// Its twin with gamma = 1, beta = 0.
TwinPass twin_pass(const NetworkEnd& end);
/// The loss of its twin with gamma = sigma and beta = mean (Observation 4.3: it computes what the network does).
double same_twin_loss(const NetworkEnd& end);

/// What layers 1 … layers() get, at [number - 1], without a graph.
std::vector<at::Tensor> layer_inputs(SequentialNetwork& network, const at::Tensor& x);

/// As the recorder takes it; `values` of type double.
std::vector<double> as_vector(const at::Tensor& values);

}  // namespace bnlab
