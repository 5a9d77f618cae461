// Several processes of the same command on this machine, which train one network together.
#pragma once

#include <signal.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace bnlab {

/// In the environment of each rank that run_local_ranks() starts; another value for each group.
inline constexpr char kLocalRanksMark[] = "BNLAB_LOCAL_RANKS";

/// A port of this machine that nobody listens at. Throws std::runtime_error.
int free_port();

/// SIGINT, SIGTERM and SIGCHLD wait while it lives, and no thread that is started meanwhile takes them: for what comes
/// before run_local_ranks(), which then finds them.
class SignalsWait {
 public:
  SignalsWait();
  ~SignalsWait();
  SignalsWait(const SignalsWait&) = delete;
  SignalsWait& operator=(const SignalsWait&) = delete;

 private:
  sigset_t before_;
};

/// Starts `size` processes of `program` (a path) with `arguments`, and waits for all. Each has RANK, LOCAL_RANK,
/// WORLD_SIZE, LOCAL_WORLD_SIZE, MASTER_ADDR=127.0.0.1, a free MASTER_PORT and kLocalRanksMark in its environment.
///
/// Standard input and output are rank 0's; the others read nothing, and what they print is dropped. Their standard
/// error comes line by line, with "[rank N] " before it. SIGINT and SIGTERM are passed on to all; each rank is in a
/// process group of its own, so that the terminal does not tell it a second time. They get SIGTERM if the calling
/// thread dies. When one fails, the others get SIGTERM (unless they were told before), and SIGKILL after `grace`.
///
/// Returns 0, or the exit status of the first that failed: 128 + N if signal N ended it, which is then said on standard
/// error. No other thread may take SIGINT, SIGTERM and SIGCHLD meanwhile: call it before there are any, or see
/// SignalsWait.
/// Throws std::runtime_error if no processes can be started, std::invalid_argument if size < 1.
int run_local_ranks(const std::string& program, const std::vector<std::string>& arguments, std::int64_t size,
                    std::chrono::milliseconds grace = std::chrono::seconds(20));

}  // namespace bnlab
