#include "bnlab/train/fingerprint.h"

#include <gtest/gtest.h>

#include "bnlab/kernels/instruction_set.h"
#include "bnlab/ops/conveniences.h"

namespace bnlab {
namespace {

TEST(Fingerprint, NamesTheInstructionSetThatRuns) {
  const std::string before = ops::instruction_set();
  const Json cpu = fingerprint().at("cpu_isa");
  for (const char* name : kernels::instruction_sets()) {
    ops::use_instruction_set(name);
    EXPECT_EQ(fingerprint().at("isa"), name);
    EXPECT_EQ(fingerprint().at("cpu_isa"), cpu);
  }
  ops::use_instruction_set(before);
}

}  // namespace
}  // namespace bnlab
