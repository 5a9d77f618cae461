// The kinds of normalization. A new one is its own file and one line in norm_list.cpp.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "bnlab/nn/norm.h"
#include "bnlab/nn/options.h"

namespace bnlab {

struct NormKind {
  std::string kind;   ///< as in a run spec, e.g. "batch"
  std::string title;  ///< for people, e.g. "batch normalization"
  std::vector<OptionInfo> options;
  /// `options` are complete. Returns null for "none": the model then has no such layer.
  std::function<std::shared_ptr<Norm>(int64_t channels, const Options& options)> make;
  /// What it goes by in training: each example alone, or a whole batch, which several processes may share
  /// (BatchNorm::synchronize()) or not. Noise is drawn for the batch of one process.
  enum class Over { kExample, kBatch, kOwnBatch } over = Over::kExample;
};

const std::vector<NormKind>& norm_kinds();

/// Throws OptionError listing the known kinds.
const NormKind& find_norm_kind(const std::string& kind);

}  // namespace bnlab
