#include "bnlab/nn/models/vgg.h"

#include <cmath>

#include "bnlab/nn/models/chain.h"

namespace bnlab {
namespace {

using Plan = std::vector<PlannedConvolution>;

PlannedConvolution pooled(int64_t channels) {
  return {channels, 3, Pool::kLargest};
}

const Plan kColumnA = {pooled(64), pooled(128), {256}, pooled(256), {512}, pooled(512), {512}, pooled(512)};
const Plan kColumnD = {{64},  pooled(64), {128},       pooled(128), {256}, {256},      pooled(256),
                       {512}, {512},      pooled(512), {512},       {512}, pooled(512)};

/// The first `pools` pools are kept.
std::shared_ptr<Network> make_vgg(Plan plan, double width, int64_t pools, const NormChoice& norm,
                                  const TaskShape& shape) {
  for (PlannedConvolution& convolution : plan) {
    if (convolution.pool != Pool::kNone && --pools < 0) convolution.pool = Pool::kNone;
  }
  auto network = std::make_shared<Chain>();
  const Maps maps = append_convolutions(*network, plan, width, norm, {shape.channels, shape.size});
  network->end_with(dense(maps.values(), shape.classes), maps.values() * shape.classes);
  return network;
}

ModelKind vgg_kind(const std::string& name, const std::string& title, const Plan& plan) {
  const std::vector<OptionInfo> options = {
      {.name = "width", .value = 1, .low = 1e-3, .high = 16, .meaning = "channels relative to the original's"},
      {.name = "pools", .value = 5, .low = 0, .high = 5, .meaning = "max-pools that are kept, the first ones"}};
  return {name, title, options, [=](const Options& given, const NormChoice& norm, const TaskShape& shape) {
            const int64_t pools = std::lround(given.number("pools")), least = int64_t{1} << pools;
            if (shape.size < least) {
              const std::string size = std::to_string(least);
              throw OptionError("pad_to", name + " with " + std::to_string(pools) + " pools needs images of at least " +
                                              size + "×" + size + ", not " + std::to_string(shape.size) +
                                              "; set data.pad_to to " + size + ", or fewer pools");
            }
            return make_vgg(plan, given.number("width"), pools, norm, shape);
          }};
}

}  // namespace

ModelKind vgg11_kind() {
  return vgg_kind("vgg11", "VGG-A, 8 convolutions and one linear layer", kColumnA);
}
ModelKind vgg16_kind() {
  return vgg_kind("vgg16", "VGG with 13 convolutions and one linear layer", kColumnD);
}

}  // namespace bnlab
