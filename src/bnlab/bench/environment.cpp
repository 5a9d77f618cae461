#include "bnlab/bench/environment.h"

#include <dnnl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <hwy/highway.h>
#include <stdlib.h>
#include <torch/version.h>

#include <algorithm>
#include <ctime>
#include <fstream>
#include <stdexcept>

#include "bnlab/kernels/instruction_set.h"
#include "bnlab/version.h"

namespace bnlab::bench {
namespace {

std::string first_line(const std::string& file) {
  std::ifstream in(file);
  std::string line;
  std::getline(in, line);
  return line;
}

std::string cpu_model() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (line.rfind("model name", 0) == 0) return line.substr(line.find(':') + 2);
  }
  return "unknown";
}

/// "1024K" or "32M" in bytes; 0 for anything else.
std::int64_t parse_size(const std::string& text) {
  std::int64_t size = 0;
  char unit = 0;
  if (std::sscanf(text.c_str(), "%ld%c", &size, &unit) != 2) return 0;
  return unit == 'K' ? size << 10 : unit == 'M' ? size << 20 : 0;
}

std::string instruction_set() {
  const char* name = kernels::instruction_set();
  if (name == nullptr) {
    throw std::invalid_argument(
        fmt::format("BNLAB_FORCE_ISA: {}", kernels::message(kernels::Status::kBadInstructionSet)));
  }
  return name;
}

}  // namespace

Caches find_caches() {
  Caches caches;
  int last_level = 0;
  for (int i = 0; i < 8; ++i) {
    const std::string folder = fmt::format("/sys/devices/system/cpu/cpu0/cache/index{}/", i);
    const std::string level = first_line(folder + "level"), type = first_line(folder + "type");
    if (level.empty() || type == "Instruction") continue;
    const int number = std::atoi(level.c_str());
    const std::int64_t bytes = parse_size(first_line(folder + "size"));
    if (number == 2) caches.level2_bytes = bytes;
    if (number >= last_level && bytes > 0) {
      last_level = number;
      caches.last_level_bytes = bytes;
    }
  }
  if (caches.level2_bytes == 0) caches.level2_bytes = std::int64_t{1} << 20;
  if (last_level < 2) caches.last_level_bytes = std::int64_t{32} << 20;
  return caches;
}

Environment find_environment() {
  const dnnl_version_t* onednn = dnnl_version();
  const Caches caches = find_caches();
  Environment environment;
  environment.cpu = cpu_model();
  environment.instruction_set = instruction_set();
  environment.libtorch = TORCH_VERSION;
  environment.onednn = fmt::format("{}.{}.{}", onednn->major, onednn->minor, onednn->patch);
  environment.highway = fmt::format("{}.{}.{}", HWY_MAJOR, HWY_MINOR, HWY_PATCH);
  environment.bnlab = kVersion;
  environment.commit = kCommit;
  environment.date = fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr)));
  environment.level2_bytes = caches.level2_bytes;
  environment.last_level_bytes = caches.last_level_bytes;
  environment.load_before = load_average();
  return environment;
}

double load_average() {
  double load = 0;
  return ::getloadavg(&load, 1) == 1 ? load : 0;
}

}  // namespace bnlab::bench
