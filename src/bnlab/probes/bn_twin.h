// A network and its twin: the same weights, with one BN layer behind the convolution or linear map of one layer.
// (Santurkar et al. 2018, section 4.)
#pragma once

#include "bnlab/train/step_observer.h"

namespace bnlab {

/// A pass of the network that shows what stands behind layer `layer`'s linear map.
struct TwinPass {
  at::Tensor y;      ///< (N, C, …): what the linear map gives
  at::Tensor yhat;   ///< (y - mean) / sigma of each channel over the batch, eps = 0; undefined in the plain network
  at::Tensor sigma;  ///< (1, C, 1, …); undefined in the plain network
  at::Tensor z;      ///< what the rest of the network gets: y, or yhat, or what the twin was asked for
  at::Tensor loss;
};

/// The network itself: z is y. With gradients enabled, y takes part in the graph of the layer's parameters.
TwinPass plain_pass(const StepView& view, int64_t layer);
/// Its twin with gamma = 1, beta = 0.
TwinPass twin_pass(const StepView& view, int64_t layer);
/// Its twin with gamma = sigma and beta = mean, held constant (Observation 4.3: it computes what the network does).
TwinPass same_twin_pass(const StepView& view, int64_t layer);

/// As the recorder takes it; `values` of type double.
std::vector<double> as_vector(const at::Tensor& values);

}  // namespace bnlab
