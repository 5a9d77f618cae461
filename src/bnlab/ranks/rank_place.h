// Which of several processes this one is, as the program that started them says in the environment.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace bnlab {

/// Set by run_local_ranks() (bnlab/launch/local_ranks.h), another value for each group.
inline constexpr char kLocalRanksVariable[] = "BNLAB_LOCAL_RANKS";

/// One process of a group that trains a network together.
struct RankPlace {
  std::int64_t rank = 0;  ///< from 0
  std::int64_t size = 1;
  std::string address;          ///< of the host of rank 0
  std::int64_t port = 0;        ///< where rank 0 waits for the others
  std::string launcher;         ///< "torchrun", "Open MPI", "Slurm", "bnlab" (on this machine, by itself)
  std::string prefix;           ///< of the names under which the ranks of this attempt find each other
  bool store_is_there = false;  ///< the launcher itself waits at the port, not rank 0 (torchrun)
};

/// A variable of the environment, nothing if it is not set.
using EnvironmentLookup = std::function<std::optional<std::string>(const std::string& name)>;

/// The place that the environment gives, by the first of
///   torchrun  RANK, WORLD_SIZE (and TORCHELASTIC_RESTART_COUNT, TORCHELASTIC_USE_AGENT_STORE)
///   Open MPI  OMPI_COMM_WORLD_RANK, OMPI_COMM_WORLD_SIZE
///   Slurm     SLURM_PROCID, SLURM_STEP_NUM_TASKS
/// of which any variable is set; rank and size never come from two launchers. Nothing: a single process, as a batch
/// script of Slurm without srun is. MASTER_ADDR and MASTER_PORT say where the ranks meet. Without MASTER_ADDR it is
/// 127.0.0.1 if all ranks are on this host (OMPI_COMM_WORLD_LOCAL_SIZE; SLURM_STEP_NUM_NODES); without MASTER_PORT it
/// is 20000 + SLURM_JOB_ID % 10000 + SLURM_STEP_ID for Slurm, else 29500. With one rank neither is needed. Throws
/// RanksError (ranks_error.h), which names the variable, if one is missing or makes no sense.
std::optional<RankPlace> rank_place(const EnvironmentLookup& lookup);
std::optional<RankPlace> rank_place();  ///< by getenv()

}  // namespace bnlab
