#include "bnlab/nn/models/dln.h"

#include <cmath>

#include "bnlab/nn/models/chain.h"

namespace bnlab {
namespace {

std::shared_ptr<Network> make_dln(int64_t layers, int64_t normalized, int64_t width, const NormChoice& norm) {
  auto network = std::make_shared<Chain>();
  for (int64_t number = 1; number <= layers; ++number) {
    network->append(
        std::make_shared<Layer>(dense(width, width, /*bias=*/false), number <= normalized ? norm.make(width) : nullptr,
                                /*after_activation=*/false, Activation::kNone),
        width * width);
  }
  return network;
}

}  // namespace

ModelKind dln_kind() {
  return {"dln",
          "deep linear network, square layers without activation and bias",
          {{.name = "layers", .value = 25, .low = 1, .high = 1000, .meaning = "linear layers"},
           {.name = "normalized",
            .value = 24,
            .low = 0,
            .high = 1000,
            .meaning = "layers with a normalization, the first ones"}},
          [](const Options& options, const NormChoice& norm, const TaskShape& shape) {
            const int64_t width = shape.channels * shape.size * shape.size;
            if (width != shape.classes) {
              throw OptionError(
                  "name", "the model dln needs --data linear, or other data with as many outputs as inputs, not " +
                              std::to_string(width) + " inputs and " + std::to_string(shape.classes) + " outputs");
            }
            return make_dln(std::lround(options.number("layers")), std::lround(options.number("normalized")), width,
                            norm);
          }};
}

}  // namespace bnlab
