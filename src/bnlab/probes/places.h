// Where in a layer a probe looks: a parameter that probes of a layer's values share.
//
// "activation-input" is what the activation function gets: behind a normalization that stands before it, its mean and
// standard deviation are beta and gamma by construction. "linear" is what the convolution or linear map gives, in front
// of the normalization. "output" is what the next layer gets: behind the activation, and behind a normalization that
// stands there.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "bnlab/nn/network.h"
#include "bnlab/probes/probe_list.h"
#include "bnlab/record/json_fields.h"

namespace bnlab {

class Places {
 public:
  /// Takes the optional parameter "places", e.g. ["linear", "activation-input"]; absent: ["activation-input"]. Throws
  /// SpecError.
  void read(JsonFields& fields);
  /// Adds them to completed parameters in their one form: sorted.
  void complete(Json& parameters) const;

  int64_t count() const { return static_cast<int64_t>(names_.size()); }
  /// What names of records from `point` begin with: "linear_", "output_", or "" for the activation's input; absent if
  /// the probe does not look there.
  std::optional<std::string> prefix(TapPoint point) const;

 private:
  std::vector<std::string> names_ = {"activation-input"};  ///< sorted
};

/// The parameters that such probes share: "layers", on how many "images", at which "places".
struct WatchedValues {
  std::vector<int64_t> layers;
  int64_t images = 128;
  Places places;

  using Show = std::function<void(int64_t layer, const std::string& prefix, const at::Tensor& value)>;

  /// Throws SpecError.
  void read(JsonFields& fields);
  /// The completed parameters. Throws SpecError if the network lacks a layer.
  Json complete(const std::string& where, const ProbeSetting& setting) const;
  /// The first training images, the same at every call.
  at::Tensor first_images(const NetworkView& view) const;
  /// A forward pass of `x`, whose watched values are shown.
  void pass(Network& network, const at::Tensor& x, const Show& show) const;
};

}  // namespace bnlab
