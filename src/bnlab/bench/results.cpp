#include "bnlab/bench/results.h"

#include <fmt/format.h>

#include <algorithm>

namespace bnlab::bench {
namespace {

/// "PyTorch 1.13.1"
std::string library_of(const std::string& contender, const Environment& environment) {
  if (contender == kOneDnn) return "oneDNN " + environment.onednn;
  return "PyTorch " + environment.libtorch + (contender == kPyTorchInPlace ? " (relu_, add_)" : "");
}

}  // namespace

void leave_out(LeftOut left_out, Results& results) {
  const auto same = std::find_if(results.left_out.begin(), results.left_out.end(), [&](const LeftOut& other) {
    return left_out.why == WhyLeftOut::kNotImplemented && other.why == left_out.why && other.level == left_out.level &&
           other.contender == left_out.contender && other.reason == left_out.reason;
  });
  if (same != results.left_out.end()) {
    same->cases += left_out.cases;
  } else {
    results.left_out.push_back(std::move(left_out));
  }
}

std::string sentence_of(const LeftOut& left_out, const Results& results) {
  const std::string library = library_of(left_out.contender, results.environment);
  if (left_out.why == WhyLeftOut::kNotImplemented) {
    return fmt::format("{} is left out in {} case{}, since {}.", library, left_out.cases,
                       left_out.cases == 1 ? "" : "s", left_out.reason);
  }
  const NamedShape& shape = results.shapes.at(left_out.shape);
  return fmt::format("{} is left out for {} ({}x{}x{}x{}) in {}, {}{}: {}.", library, shape.full_name(), shape.n,
                     shape.c, shape.h, shape.w, left_out.layout, to_string(left_out.fusion),
                     left_out.level == Level::kKernel
                         ? std::string()
                         : fmt::format(", under the {} allocator", to_string(left_out.allocator)),
                     left_out.reason);
}

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

std::string to_string(WhyLeftOut why) {
  return why == WhyLeftOut::kNotImplemented ? "not-implemented" : "wrong-result";
}

}  // namespace bnlab::bench
