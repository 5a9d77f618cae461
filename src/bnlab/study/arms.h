// The arms of an experiment, each named once, and their stored runs paired by seed.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "bnlab/charts/charts.h"
#include "bnlab/study/results.h"

namespace bnlab {

/// One way to train (or to analyse), the same over all seeds.
struct Arm {
  ArmStyle style;  ///< its name, and its look in figures
  /// Of a trained arm; empty for an arm of analyses, which the experiment's plan adds itself.
  std::function<TrainSpec(const Setting& setting, int64_t seed)> spec = {};
  const std::string& name() const { return style.arm; }
};

std::vector<ArmStyle> styles_of(const std::vector<Arm>& arms);

/// Adds one run an arm and seed.
void add_runs(Plan& plan, const Setting& setting, const std::vector<Arm>& arms);

/// Experiment::plan of an experiment that trains these arms and no more.
std::function<Plan(const Setting& setting)> runs_of(std::vector<Arm> arms, std::vector<Arm> further = {});

/// Access to the stored runs of an experiment's arms. Each is opened when it is first asked for.
class ArmRuns {
 public:
  ArmRuns(const Setting& setting, Results& results) : setting_(setting), results_(results) {}

  /// The runs that are there (finished or diverged), in the order of the seeds.
  const std::vector<RunReader*>& of(const Arm& arm) const;
  /// Whether every seed has its run.
  bool complete(const Arm& arm) const { return of(arm).size() == setting_.seeds.size(); }
  /// Of all seeds, also where the run is not there yet.
  std::vector<std::string> ids(const Arm& arm) const;

  const Setting& setting() const { return setting_; }
  int64_t classes() const { return setting_.data.shape.classes; }

 private:
  const Setting& setting_;
  Results& results_;
  mutable std::map<std::string, std::vector<RunReader*>> runs_;
};

}  // namespace bnlab
