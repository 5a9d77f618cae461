// Another library's batch normalization as a peer of the kernels: same data, outputs allocated before.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "bnlab/bench/shapes.h"

namespace bnlab::bench {

class KernelPeer {
 public:
  /// What it is given: plain NCHW, elements of one type; gamma, beta, …: (C).
  struct Inputs {
    const void* x;
    const void* dy;
    const float* gamma;
    const float* beta;
    const double* running_mean;  ///< for the evaluation
    const double* running_var;
  };

  virtual ~KernelPeer() = default;
  virtual void forward_training() = 0;
  virtual void forward_evaluation() = 0;
  /// After a forward_training().
  virtual void backward() = 0;

  /// The library's name for the code that it chose.
  [[nodiscard]] virtual std::string implementation() const = 0;

  /// Copies an output of the last calls to plain NCHW, elements of the type of x.
  virtual void get_y(void* to) const = 0;
  virtual void get_dx(void* to) const = 0;
  [[nodiscard]] virtual const float* dgamma() const = 0;
  [[nodiscard]] virtual const float* dbeta() const = 0;
};

/// layout: kNchw, kNhwc, kMatrix or kBlocked. element: one of kElementTypes' names; for f64 there is no peer. relu:
/// fused. nullptr where the library cannot do this on this machine.
using MakeKernelPeer =
    std::function<std::unique_ptr<KernelPeer>(const NamedShape& shape, const std::string& layout,
                                              const std::string& element, bool relu, const KernelPeer::Inputs& inputs)>;

/// oneDNN's (onednn_peer.h). Throws dnnl::error if anything fails but that oneDNN has no code for this.
[[nodiscard]] std::unique_ptr<KernelPeer> make_onednn_peer(const NamedShape& shape, const std::string& layout,
                                                           const std::string& element, bool relu,
                                                           const KernelPeer::Inputs& inputs);

}  // namespace bnlab::bench
