#include "bnlab/cli/environment.h"

#include <fmt/format.h>

#include <charconv>
#include <cstdlib>
#include <latch>
#include <stdexcept>
#include <string_view>
#include <system_error>
#include <thread>
#include <vector>

#include "bnlab/kernels/instruction_set.h"
#include "bnlab/record/json_fields.h"

namespace bnlab {
namespace {

constexpr int64_t kMostThreads = 1024;  // libgomp keeps a record of each on the stack

void check_instruction_set() {
  if (kernels::instruction_set() != nullptr) return;
  const auto known = kernels::instruction_sets();
  throw std::invalid_argument(
      fmt::format("BNLAB_FORCE_ISA is \"{}\", which this machine does not have; it may be {}, or unset for the first",
                  std::getenv("BNLAB_FORCE_ISA"), join_or({known.begin(), known.end()})));
}

void check_threads(const char* variable) {
  const char* value = std::getenv(variable);
  if (value == nullptr || *value == '\0') return;
  std::string_view text = value;
  text = text.substr(0, text.find(','));  // the further ones are for nested regions
  int64_t threads = 0;
  const auto end = std::from_chars(text.data(), text.data() + text.size(), threads);
  if (end.ec != std::errc() || end.ptr != text.data() + text.size() || threads < 1 || threads > kMostThreads) {
    throw std::invalid_argument(fmt::format(
        "{} is \"{}\": expected a whole number of threads from 1 to {}, or unset it", variable, value, kMostThreads));
  }
  require_threads(variable, threads);
}

/// How many of the wanted threads, this one included, can run at the same time.
int64_t startable_threads(int64_t wanted) {
  std::latch all_tried(1);
  std::vector<std::thread> others;
  others.reserve(static_cast<size_t>(wanted));
  try {
    while (static_cast<int64_t>(others.size()) + 1 < wanted) others.emplace_back([&] { all_tried.wait(); });
  } catch (const std::system_error&) {
  }
  all_tried.count_down();
  for (auto& other : others) other.join();
  return static_cast<int64_t>(others.size()) + 1;
}

}  // namespace

void check_environment() {
  check_instruction_set();
  for (const char* variable : {"OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"}) check_threads(variable);
}

void require_threads(const std::string& what, int64_t threads) {
  const int64_t startable = startable_threads(threads);
  if (startable >= threads) return;
  throw std::invalid_argument(fmt::format(
      "{}: {} threads were asked for, but only {} can be started here; ask for fewer (ulimit -u and -v limit them)",
      what, threads, startable));
}

}  // namespace bnlab
