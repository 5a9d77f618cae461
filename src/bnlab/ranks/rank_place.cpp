#include "bnlab/ranks/rank_place.h"

#include <fmt/format.h>

#include <charconv>
#include <cstdlib>
#include <limits>
#include <system_error>

#include "bnlab/ranks/ranks_error.h"

namespace bnlab {
namespace {

constexpr std::int64_t kDefaultPort = 29500;  // torchrun's
constexpr auto kLargest = std::numeric_limits<std::int32_t>::max();

class Environment {
 public:
  explicit Environment(const EnvironmentLookup& lookup) : lookup_(lookup) {}

  /// An empty variable counts as one that is not set.
  std::string text(const std::string& name) const { return lookup_(name).value_or(""); }
  bool has(const std::string& name) const { return !text(name).empty(); }

  std::int64_t number(const std::string& name, std::int64_t smallest, std::int64_t largest) const {
    const std::string value = text(name);
    std::int64_t parsed = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), parsed);
    if (value.empty() || error != std::errc() || end != value.data() + value.size() || parsed < smallest ||
        parsed > largest) {
      throw RanksError(
          fmt::format("{}={} in the environment is not a whole number from {} to {}", name, value, smallest, largest));
    }
    return parsed;
  }

 private:
  const EnvironmentLookup& lookup_;
};

struct Launcher {
  std::string name, rank, size;
  std::string ranks_here;  // how many of the ranks are on this host, or ...
  std::string hosts;       // ... over how many hosts they are
};

const Launcher kTorchrun{"torchrun", "RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", ""};
const Launcher kOpenMpi{"Open MPI", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_SIZE", ""};
const Launcher kSlurm{"Slurm", "SLURM_PROCID", "SLURM_STEP_NUM_TASKS", "", "SLURM_STEP_NUM_NODES"};

const Launcher* find_launcher(const Environment& environment) {
  for (const auto* launcher : {&kTorchrun, &kOpenMpi}) {
    const bool rank = environment.has(launcher->rank);
    const bool size = environment.has(launcher->size);
    if (rank && size) return launcher;
    if (rank || size) {
      throw RanksError(
          fmt::format("{} is set in the environment and {} is not: set both for one of several processes, or unset it "
                      "for a single one",
                      rank ? launcher->rank : launcher->size, rank ? launcher->size : launcher->rank));
    }
  }
  // A batch script that is not under srun has SLURM_PROCID, but is alone.
  return environment.has(kSlurm.rank) && environment.has(kSlurm.size) ? &kSlurm : nullptr;
}

bool all_here(const Environment& environment, const Launcher& launcher, std::int64_t size) {
  if (!launcher.hosts.empty()) {
    return environment.has(launcher.hosts) && environment.number(launcher.hosts, 1, kLargest) == 1;
  }
  return environment.has(launcher.ranks_here) && environment.number(launcher.ranks_here, 1, kLargest) == size;
}

std::string find_address(const Environment& environment, const Launcher& launcher, std::int64_t size) {
  if (environment.has("MASTER_ADDR")) return environment.text("MASTER_ADDR");
  if (size == 1 || all_here(environment, launcher, size)) return "127.0.0.1";
  if (&launcher == &kSlurm) {
    throw RanksError(
        "MASTER_ADDR is not set: put export MASTER_ADDR=$(scontrol show hostnames \"$SLURM_JOB_NODELIST\" | head -n 1) "
        "before srun, so that all processes know the host of the first");
  }
  throw RanksError(fmt::format(
      "MASTER_ADDR is not set, and {} says of {} processes that not all are on this host: set it to the address of the "
      "host of the first of them (with Open MPI: mpirun -x MASTER_ADDR=HOST), or to 127.0.0.1 if all are here",
      launcher.name, size));
}

std::int64_t find_port(const Environment& environment, const Launcher& launcher) {
  if (environment.has("MASTER_PORT")) return environment.number("MASTER_PORT", 1, 65535);
  if (&launcher != &kSlurm || !environment.has("SLURM_JOB_ID")) return kDefaultPort;
  // Of several jobs and steps on a host, each needs its own.
  constexpr std::int64_t kPorts = 10000;
  const auto id = [&](const char* name) {
    return environment.has(name) ? environment.number(name, 0, std::numeric_limits<std::uint32_t>::max()) : 0;
  };
  return 20000 + id("SLURM_JOB_ID") % kPorts + id("SLURM_STEP_ID") % kPorts;
}

/// What tells this attempt from others whose ranks might come to the same port.
std::string find_prefix(const Environment& environment, const Launcher& launcher) {
  if (&launcher == &kSlurm)
    return "slurm/" + environment.text("SLURM_JOB_ID") + "." + environment.text("SLURM_STEP_ID");
  if (&launcher == &kOpenMpi) return "mpi/" + environment.text("PMIX_NAMESPACE");
  if (environment.has(kLocalRanksVariable)) return "bnlab/" + environment.text(kLocalRanksVariable);
  return "torchrun/" + environment.text("TORCHELASTIC_RUN_ID") + "/" + environment.text("TORCHELASTIC_RESTART_COUNT");
}

}  // namespace

std::optional<RankPlace> rank_place(const EnvironmentLookup& lookup) {
  const Environment environment(lookup);
  const Launcher* launcher = find_launcher(environment);
  if (launcher == nullptr) return std::nullopt;
  RankPlace place;
  place.size = environment.number(launcher->size, 1, kLargest);
  place.rank = environment.number(launcher->rank, 0, kLargest);
  if (place.rank >= place.size) {
    throw RanksError(fmt::format("{}={} in the environment is not below {}={}: ranks count from 0", launcher->rank,
                                 place.rank, launcher->size, place.size));
  }
  place.address = find_address(environment, *launcher, place.size);
  place.port = find_port(environment, *launcher);
  const bool by_bnlab = launcher == &kTorchrun && environment.has(kLocalRanksVariable);
  place.launcher = by_bnlab ? "bnlab" : launcher->name;
  place.prefix = find_prefix(environment, *launcher);
  place.store_is_there = launcher == &kTorchrun && environment.text("TORCHELASTIC_USE_AGENT_STORE") == "True";
  return place;
}

std::optional<RankPlace> rank_place() {
  return rank_place([](const std::string& name) -> std::optional<std::string> {
    const char* value = std::getenv(name.c_str());
    return value == nullptr ? std::nullopt : std::optional<std::string>(value);
  });
}

}  // namespace bnlab
