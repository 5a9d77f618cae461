#include "bnlab/nn/models/caffenet.h"

#include "bnlab/nn/models/chain.h"

namespace bnlab {
namespace {

const std::vector<PlannedConvolution> kConvolutions = {
    {96, 5, Pool::kLargest}, {256, 5, Pool::kLargest}, {384}, {384}, {256, 3, Pool::kLargest}};
constexpr int64_t kUnits = 2048, kLinearLayers = 2;

std::shared_ptr<Network> make_caffenet(const Options& options, const NormChoice& norm, const TaskShape& shape) {
  if (shape.size < 8) {
    throw OptionError("pad_to", "caffenet needs images of at least 8×8, not " + std::to_string(shape.size) +
                                    "; set data.pad_to to 8");
  }
  const double width = options.number("width");
  auto network = std::make_shared<Chain>();
  int64_t in = append_convolutions(*network, kConvolutions, width, norm, {shape.channels, shape.size}).values();
  for (int64_t i = 0; i < kLinearLayers; ++i) {
    const int64_t out = scaled_channels(kUnits, width);
    network->append(std::make_shared<Layer>(dense(in, out), norm, Activation::kRelu), in * out);
    in = out;
  }
  network->end_with(dense(in, shape.classes), in * shape.classes);
  return network;
}

}  // namespace

ModelKind caffenet_kind() {
  return {"caffenet",
          "CaffeNet for small images, 5 convolutions and 3 linear layers",
          {{.name = "width", .value = 1, .low = 1e-3, .high = 16, .meaning = "channels relative to the original's"}},
          make_caffenet};
}

}  // namespace bnlab
