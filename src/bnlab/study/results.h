// The stored runs of a plan.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "bnlab/record/run_store.h"
#include "bnlab/study/plan.h"

namespace bnlab {

class Results {
 public:
  Results(const Plan& plan, std::filesystem::path runs_folder) : plan_(plan), folder_(std::move(runs_folder)) {}

  /// The run of an arm and seed if it has ended and can be read, else null.
  RunReader* find(const std::string& arm, int64_t seed);
  const Plan& plan() const { return plan_; }

 private:
  const Plan& plan_;
  std::filesystem::path folder_;
  std::map<std::string, std::unique_ptr<RunReader>> open_;
};

}  // namespace bnlab
