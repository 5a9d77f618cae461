// The models. A new one is its own file in models/ and one line in model_list.cpp.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "bnlab/nn/network.h"
#include "bnlab/nn/norm_list.h"
#include "bnlab/nn/task_shape.h"

namespace bnlab {

/// Which normalization, and where in a layer.
struct NormChoice {
  std::string kind = "none";
  bool after_activation = false;
  Options options;  ///< those that are not at their default, or all

  /// Null for kind "none". Throws OptionError.
  std::shared_ptr<Norm> make(int64_t channels) const;
};

struct ModelKind {
  std::string name;   ///< as in a run spec, e.g. "vgg11"
  std::string title;  ///< for people
  std::vector<OptionInfo> options;
  /// `options` are complete. Throws OptionError if the shape does not fit.
  std::function<std::shared_ptr<Network>(const Options& options, const NormChoice& norm, const TaskShape& shape)> make;
};

const std::vector<ModelKind>& model_kinds();

/// Throws OptionError listing the known models.
const ModelKind& find_model_kind(const std::string& name);

/// The network of the model `name`; `options` need not be complete. Throws OptionError.
std::shared_ptr<Network> make_network(const std::string& name, const Options& options, const NormChoice& norm,
                                      const TaskShape& shape);

}  // namespace bnlab
