// Executing a run: what train and worker need.
#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "bnlab/data/load.h"
#include "bnlab/train/trainer.h"

namespace bnlab {

/// Computes the run in `folder` (created by create_run) to its end, or until options.stop. `warn` gets sentences that a
/// person should read. Inputs of an analysis are sibling folders. Throws StoreError, SpecError, DataError, FileError.
RunOutcome execute_run(const std::filesystem::path& folder, const DataChoice& data, const ExecutionOptions& options,
                       const std::function<void(const std::string&)>& warn);

}  // namespace bnlab
