#include "bnlab/bench/results.h"

namespace bnlab::bench {

std::string to_string(Level level) {
  return level == Level::kOperator ? "operator" : "kernel";
}

std::string to_string(Step step) {
  switch (step) {
    case Step::kForwardTraining:
      return "forward-training";
    case Step::kForwardEvaluation:
      return "forward-evaluation";
    case Step::kBackward:
      break;
  }
  return "backward";
}

std::string to_string(kernels::Fusion fusion) {
  switch (fusion) {
    case kernels::Fusion::kNone:
      return "plain";
    case kernels::Fusion::kRelu:
      return "relu";
    case kernels::Fusion::kAddRelu:
      break;
  }
  return "add-relu";
}

std::string to_string(AllocatorKind allocator) {
  switch (allocator) {
    case AllocatorKind::kNone:
      return "none";
    case AllocatorKind::kDefault:
      return "default";
    case AllocatorKind::kCaching:
      break;
  }
  return "caching";
}

}  // namespace bnlab::bench
