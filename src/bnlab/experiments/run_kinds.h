// Where run specs meet what can run them: completing a spec, estimating its cost, executing it.
#pragma once

#include <filesystem>
#include <string>

#include "bnlab/data/load.h"
#include "bnlab/nn/model_list.h"
#include "bnlab/record/run_spec.h"
#include "bnlab/train/trainer.h"

namespace bnlab {

/// What a spec needs to know of a data set without holding it.
struct DataFacts {
  std::string set;    ///< e.g. "cifar10"
  std::string title;  ///< for people
  std::string digest;
  TaskShape shape;  ///< as stored, unpadded
  int64_t train_count = 0;
  int64_t test_count = 0;
};
DataFacts facts_of(const Dataset& dataset);
/// Of a set that needs no files, by its name, e.g. "linear". Made once.
const DataFacts& synthetic_facts(const std::string& set);

/// The spec with every default filled in (options of models, normalizations and probes; the number of threads by rule),
/// so that equal work has equal ids. `data`: the data at hand; a spec may name a synthetic set instead. Throws
/// SpecError naming the key for whatever cannot run on data of this shape.
RunSpec complete_run_spec(RunSpec spec, const DataFacts& data);

/// Estimated seconds of a complete spec on one of this machine's cores times its threads: to order and to plan, not to
/// promise. From the multiply-accumulates of its network at a fixed rate.
double estimated_seconds(const RunSpec& spec, const DataFacts& data);

/// Number of parameters, layers and multiply-accumulates of an example, of a spec's network on data of this shape.
struct NetworkFacts {
  int64_t parameters = 0;
  int64_t layers = 0;
  int64_t macs = 0;
  bool sequential = false;  ///< a SequentialNetwork
};
NetworkFacts network_facts(const TrainSpec& spec, const DataFacts& data);

/// Computes the run in `folder` (created by create_run) to its end, or until options.stop. `warn` gets sentences that a
/// person should read. Inputs of an analysis are sibling folders. Throws StoreError, SpecError, DataError, FileError.
RunOutcome execute_run(const std::filesystem::path& folder, const DataChoice& data, const ExecutionOptions& options,
                       const std::function<void(const std::string&)>& warn);

}  // namespace bnlab
