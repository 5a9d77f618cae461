// What experiments that compare trained networks share: the arms, their stored runs, paired by seed, and the evidence
// and curves that are made of them.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "bnlab/charts/charts.h"
#include "bnlab/study/experiment.h"
#include "bnlab/study/measures.h"

namespace bnlab {

/// One way to train, the same over all seeds.
struct Arm {
  ArmStyle style;  ///< its name, and its look in figures
  std::function<TrainSpec(const Setting& setting, int64_t seed)> spec;
  const std::string& name() const { return style.arm; }
};

/// Adds one run an arm and seed.
void add_runs(Plan& plan, const Setting& setting, const std::vector<Arm>& arms);

/// Experiment::plan of an experiment that trains these arms and no more.
std::function<Plan(const Setting& setting)> runs_of(std::vector<Arm> arms, std::vector<Arm> further = {});

/// The stored runs of one arm that are there, in the order of the seeds.
std::vector<RunReader*> stored_runs(const Setting& setting, Results& results, const std::string& arm);

/// The stored runs of some arms.
class TrainedArms {
 public:
  TrainedArms(const Setting& setting, Results& results, const std::vector<Arm>& arms);

  /// The runs that are there, in the order of the seeds.
  const std::vector<RunReader*>& runs(const std::string& arm) const { return runs_.at(arm); }
  const Setting& setting() const { return setting_; }

  /// Mean training accuracy (0 to 1) over the window, one value a run.
  std::vector<double> accuracy(const std::string& arm, const Window& window) const;
  /// Mean of a probe's scalar over the window, one value a run. NaN if nothing was recorded there.
  std::vector<double> mean(const std::string& arm, const Key& key, const Window& window) const;

  /// Evidence whose effect is `effect(i)` for the i-th seed, if every one of `arms` has all its runs.
  Evidence evidence(const std::vector<std::string>& arms, std::vector<Precondition> preconditions,
                    const std::function<double(size_t seed)>& effect) const;

  /// Precondition: training accuracy over the window clearly above chance; see have_learned().
  Precondition learned(const std::vector<std::string>& arms, const Window& window) const;
  /// Precondition: mean training loss over the window at most half of the first step's, and no divergence.
  Precondition loss_halved(const std::vector<std::string>& arms, const Window& window) const;

  /// Training accuracy in percent, averaged over the last `width` steps, at 101 steps.
  std::vector<BandPoint> accuracy_curves(const std::vector<std::string>& arms, size_t width) const;
  /// Training loss at 101 steps: mean, lowest and highest of the runs.
  std::vector<BandPoint> loss_curves(const std::vector<std::string>& arms) const;
  /// A probe's scalar against the step: mean, lowest and highest of the runs.
  std::vector<BandPoint> curves(const std::vector<std::string>& arms, const Key& key) const;
  /// The band between two scalars, and a third inside it, each averaged over the runs.
  std::vector<BandPoint> ranges(const std::vector<std::string>& arms, const Key& low, const Key& middle,
                                const Key& high) const;

 private:
  const Setting& setting_;
  Results& results_;
  std::map<std::string, std::vector<RunReader*>> runs_;
};

/// Mean, lowest and highest of `values`, which are not empty.
BandPoint band_point(const std::string& arm, double x, const std::vector<double>& values);

/// ln(a[i] / b[i]).
std::function<double(size_t seed)> log_ratio(std::vector<double> a, std::vector<double> b);
/// 100 * (a[i] - b[i]): shares as percentage points.
std::function<double(size_t seed)> points_between(std::vector<double> a, std::vector<double> b);

/// Training accuracy of all arms, as a figure.
Figure training_figure(const std::string& id, const TrainedArms& trained, const std::vector<Arm>& arms, int64_t steps,
                       const std::string& what_to_see);

/// The distributions that the probe "activations" recorded in the first run of each arm: an arm a column, a layer a
/// row.
Json activation_ridges(const TrainedArms& trained, const std::vector<std::string>& arms,
                       const std::vector<int64_t>& layers);

std::vector<ArmStyle> styles_of(const std::vector<Arm>& arms);
std::vector<std::string> names_of(const std::vector<Arm>& arms);

}  // namespace bnlab
