// Two files of one model, before and after training, a fold or a port: what changed that should not, and the other way
// round.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bnlab/doctor/diagnosis.h"
#include "bnlab/doctor/facts.h"

namespace bnlab::doctor {

/// One layer in both files.
struct LayerPair {
  LayerFacts before, after;
};

/// The tensors that belong to no layer with running statistics and are in both files.
struct OtherTensors {
  std::size_t compared = 0, changed = 0;
  std::vector<std::string> reshaped;  ///< of another shape or type
};

struct PairFacts {
  std::string before, after;                ///< names of the files
  std::vector<LayerPair> layers;            ///< in the order of `before`
  std::vector<std::string> missing, added;  ///< names of tensors in one of them only
  std::string prefix_before, prefix_after;  ///< in front of every name, where that is the only difference of names
  bool by_order = false;                    ///< layers were matched by order and channels, since names differ
  std::optional<OtherTensors> others;       ///< none: not all tensors are known
  std::vector<std::string> remarks;
};

/// A report's findings: P01 to P07 (docs/doctor.md), and N17 where both files hold eps.
Diagnosis compare(const PairFacts& facts);

}  // namespace bnlab::doctor
