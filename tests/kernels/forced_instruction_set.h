#pragma once

#include <gtest/gtest.h>

#include <string_view>

#include "bnlab/kernels/instruction_set.h"

namespace bnlab::kernels {

/// Whether a set's multiply-add rounds once.
inline bool has_fma(std::string_view name) {
  return name == "avx512" || name == "avx2";
}

/// Uses the named instruction set while it lives.
class ForcedInstructionSet {
 public:
  explicit ForcedInstructionSet(const char* name) : before_(instruction_set()) {
    EXPECT_EQ(use_instruction_set(name), Status::kOk) << name;
  }
  ~ForcedInstructionSet() { EXPECT_EQ(use_instruction_set(before_), Status::kOk); }
  ForcedInstructionSet(const ForcedInstructionSet&) = delete;
  ForcedInstructionSet& operator=(const ForcedInstructionSet&) = delete;

 private:
  const char* before_;
};

}  // namespace bnlab::kernels
