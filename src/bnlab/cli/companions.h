// The other ranks of a run of several that a worker computes: processes of this machine, of which it is the first.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "bnlab/launch/worker_process.h"
#include "bnlab/nn/ranks.h"

namespace bnlab {

class Companions {
 public:
  /// Starts `size` - 1 processes of this program for the run in `folder`, and joins them. What they say goes to `log`.
  /// `data`: as given to --data. Throws RanksError, std::runtime_error.
  Companions(const std::string& program, const std::filesystem::path& folder, const std::string& data, int64_t size,
             const std::filesystem::path& log);

  const std::shared_ptr<Ranks>& ranks() const { return ranks_; }
  /// Leaves them: those that have not ended by themselves by then are ended.
  ~Companions();
  Companions(const Companions&) = delete;
  Companions& operator=(const Companions&) = delete;

 private:
  std::vector<std::unique_ptr<WorkerProcess>> processes_;
  std::shared_ptr<Ranks> ranks_;
};

}  // namespace bnlab
