#include "bnlab/train/fingerprint.h"

#include <torch/version.h>

#include <fstream>

#include "bnlab/ops/conveniences.h"
#include "bnlab/version.h"

namespace bnlab {
namespace {

std::string cpu_model() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (line.rfind("model name", 0) == 0) return line.substr(line.find(':') + 2);
  }
  return "unknown";
}

const char* widest_instruction_set() {
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f")) return "avx512";
  if (__builtin_cpu_supports("avx2")) return "avx2";
  return "sse";
}

}  // namespace

Json fingerprint() {
  return {{"cpu", cpu_model()},
          {"cpu_isa", widest_instruction_set()},
          {"isa", ops::instruction_set()},
          {"libtorch", TORCH_VERSION},
          {"bnlab", kVersion},
          {"commit", kCommit}};
}

}  // namespace bnlab
