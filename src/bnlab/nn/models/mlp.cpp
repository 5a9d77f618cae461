#include "bnlab/nn/models/mlp.h"

#include <cmath>

#include "bnlab/nn/models/chain.h"

namespace bnlab {
namespace {

Activation activation_of(const std::string& word) {
  if (word == "sigmoid") return Activation::kSigmoid;
  return word == "tanh" ? Activation::kTanh : Activation::kRelu;
}

std::shared_ptr<Network> make_mlp(const Options& options, const NormChoice& norm, const TaskShape& shape) {
  auto network = std::make_shared<Chain>();
  const int64_t width = std::lround(options.number("width"));
  int64_t inputs = shape.channels * shape.size * shape.size;
  for (int64_t number = 1; number <= std::lround(options.number("layers")); ++number) {
    network->append(std::make_shared<Layer>(dense(inputs, width), norm, activation_of(options.word("activation"))),
                    inputs * width);
    inputs = width;
  }
  network->end_with(dense(inputs, shape.classes), inputs * shape.classes);
  return network;
}

}  // namespace

ModelKind mlp_kind() {
  return {"mlp",
          "multilayer perceptron",
          {{.name = "layers", .value = 3, .low = 1, .high = 1000, .meaning = "hidden layers"},
           {.name = "width", .value = 100, .low = 1, .high = 1e5, .meaning = "units of a hidden layer"},
           {.name = "activation",
            .value = "relu",
            .meaning = "of the hidden layers",
            .choices = {"relu", "sigmoid", "tanh"}}},
          make_mlp};
}

}  // namespace bnlab
