// A symmetric linear map of R^n that is known by its products alone, such as the Hessian of a network's loss.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace bnlab {

struct LinearOperator {
  int64_t dimension = 0;
  /// out = A in. Both have `dimension` elements and do not overlap. The same `in` must give the same bits.
  std::function<void(std::span<const double> in, std::span<double> out)> apply;
};

/// D A D with the diagonal matrix D: what A becomes in coordinates w = D u. With a parameter's norm ‖w_l‖ for each of
/// its elements, the Hessian per relative change of a layer, which does not depend on the scale of weights in front of
/// a normalization. Throws c10::Error unless `diagonal` has one element a dimension.
LinearOperator scaled(LinearOperator a, std::vector<double> diagonal);

}  // namespace bnlab
