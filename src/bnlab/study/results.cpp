#include "bnlab/study/results.h"

namespace bnlab {

RunReader* Results::find(const std::string& arm, int64_t seed) {
  const std::string& id = plan_.run(arm, seed).id;
  if (const auto it = open_.find(id); it != open_.end()) return it->second.get();
  if (!run_ended(folder_ / id)) return nullptr;
  return (open_[id] = std::make_unique<RunReader>(folder_ / id)).get();
}

}  // namespace bnlab
