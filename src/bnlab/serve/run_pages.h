// What the server answers about one run.
#pragma once

#include "bnlab/serve/watched_folder.h"

namespace bnlab {

/// Its summary, specification, fingerprint, costs of its probes, and which series it holds. null if there is no such
/// run.
Json run_details(const WatchedFolder& folder, const std::string& id);

/// A series of the run in at most `most` points, of steps beyond `from`. null if there is no such run.
Json run_series(const WatchedFolder& folder, const std::string& id, const Key& key, size_t most, int64_t from);

/// The end of what its process said: {"log": "…"}. null if there is no such run.
Json run_log(const WatchedFolder& folder, const std::string& id);

}  // namespace bnlab
