// Executing a run: what train and worker need.
#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "bnlab/runs/data_shelf.h"
#include "bnlab/train/trainer.h"

namespace bnlab {

/// Computes the run in `folder` (created by create_run) to its end, or until options.stop. `warn` gets sentences that a
/// person should read. Inputs of an analysis are sibling folders. A run of several ranks needs options.ranks, in which
/// this process is the first; with synchronized statistics they may be another number than the spec's, which changes
/// the bits. Else the result has the same bits whatever this process has computed before. Holds the run's lease;
/// `abandoned` is the token of one to be taken over (record/lease_watch.h). Throws RunHeld; LeaseLost if another
/// process took the run over, after which this one must end, since it may keep the run's database open; StoreError,
/// SpecError, DataError, FileError.
RunOutcome execute_run(const std::filesystem::path& folder, DataShelf& data, const ExecutionOptions& options,
                       const std::function<void(const std::string&)>& warn, const std::string& abandoned = "");

/// What all ranks of a run of several but the first do, while the first is in execute_run(): `stored` is the spec as
/// the run's folder has it. Writes nothing. Throws SpecError, DataError, RanksError.
RunOutcome execute_beside_first(const TrainSpec& stored, DataShelf& data, const ExecutionOptions& options);

}  // namespace bnlab
