#include "bnlab/nn/models/nin.h"

#include <ATen/ATen.h>

#include "bnlab/nn/models/chain.h"

namespace bnlab {
namespace {

const std::vector<PlannedConvolution> kPlan = {
    {192, 5}, {160, 1}, {96, 1, Pool::kLargest}, {192, 5}, {192, 1}, {192, 1, Pool::kMean}, {192, 3}, {192, 1}};

std::shared_ptr<Network> make_nin(const Options& options, const NormChoice& norm, const TaskShape& shape) {
  if (shape.size < 4) {
    throw OptionError("pad_to",
                      "nin needs images of at least 4×4, not " + std::to_string(shape.size) + "; set data.pad_to to 4");
  }
  auto network = std::make_shared<Chain>();
  const Maps maps = append_convolutions(*network, kPlan, options.number("width"), norm, {shape.channels, shape.size});
  network->end_with(convolution(maps.channels, shape.classes, 1), maps.values() * shape.classes,
                    [](const at::Tensor& x) {
                      return x.mean({2, 3});
                    });
  return network;
}

}  // namespace

ModelKind nin_kind() {
  return {"nin",
          "Network in Network, 9 convolutions, the outputs means of maps",
          {{.name = "width", .value = 1, .low = 1e-3, .high = 16, .meaning = "channels relative to the original's"}},
          make_nin};
}

}  // namespace bnlab
