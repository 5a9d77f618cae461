// The runs that an experiment asks for.
#pragma once

#include <string>
#include <vector>

#include "bnlab/runs/data_facts.h"
#include "bnlab/study/scale.h"

namespace bnlab {

/// What the user chose.
struct Setting {
  Scale scale = Scale::kQuick;
  DataFacts data;
  std::vector<int64_t> seeds;
  /// Probes look that many times less often than the experiment says, those of successive steps excepted: one number
  /// for all runs, so that a probe budget changes nothing between those that are compared (thinning_for()).
  int64_t probe_thinning = 1;
};

/// One run of an experiment. `arm` and `seed` say what it is compared with: arms are paired by seed.
struct PlannedRun {
  std::string arm;
  int64_t seed = 0;
  std::string title;  ///< for people
  RunSpec spec;       ///< complete
  std::string id;
};

/// The runs that an experiment asks for. Runs that it shares with another experiment have the same id.
class Plan {
 public:
  explicit Plan(const Setting& setting) : data_(setting.data), probe_thinning_(setting.probe_thinning) {}

  /// Completes `spec` and adds it; returns its id, e.g. as the input of an analysis.
  std::string add(const std::string& arm, int64_t seed, const std::string& title, RunSpec spec);

  const std::vector<PlannedRun>& runs() const { return runs_; }
  /// Throws std::out_of_range if the plan has no such run.
  const PlannedRun& run(const std::string& arm, int64_t seed) const;

 private:
  DataFacts data_;
  int64_t probe_thinning_;
  std::vector<PlannedRun> runs_;
};

}  // namespace bnlab
