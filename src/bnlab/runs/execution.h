// Executing a run: what train and worker need.
#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "bnlab/runs/data_shelf.h"
#include "bnlab/train/trainer.h"

namespace bnlab {

/// Computes the run in `folder` (created by create_run) to its end, or until options.stop. `warn` gets sentences that a
/// person should read. Inputs of an analysis are sibling folders. The result has the same bits whatever this process
/// has computed before. Holds the run's lease; `abandoned` is the token of one to be taken over (record/lease_watch.h).
/// Throws RunHeld; LeaseLost if another process took the run over, after which this one must end, since it may keep the
/// run's database open; StoreError, SpecError, DataError, FileError.
RunOutcome execute_run(const std::filesystem::path& folder, DataShelf& data, const ExecutionOptions& options,
                       const std::function<void(const std::string&)>& warn, const std::string& abandoned = "");

}  // namespace bnlab
