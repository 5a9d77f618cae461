// From stored runs to the curves and figures that experiments share. A run that diverged counts as guessing from there
// on where its accuracy is drawn; elsewhere the other seeds' curves go on without it.
#pragma once

#include <string>
#include <vector>

#include "bnlab/charts/charts.h"
#include "bnlab/record/figure.h"
#include "bnlab/study/arms.h"

namespace bnlab {

/// Training accuracy in percent, averaged over the last `width` steps, at 101 steps.
std::vector<BandPoint> accuracy_curves(const ArmRuns& runs, const std::vector<Arm>& arms, size_t width);
/// Training loss at about 100 steps: mean, lowest and highest of the runs.
std::vector<BandPoint> loss_curves(const ArmRuns& runs, const std::vector<Arm>& arms);
/// A probe's scalar against the step: mean, lowest and highest of the runs.
std::vector<BandPoint> curves(const ArmRuns& runs, const std::vector<Arm>& arms, const Key& key);
/// The band between two scalars, and a third inside it, each averaged over the runs.
std::vector<BandPoint> ranges(const ArmRuns& runs, const std::vector<Arm>& arms, const Key& low, const Key& middle,
                              const Key& high);

/// Mean, lowest and highest of `values`, which are not empty.
BandPoint band_point(const std::string& arm, double x, const std::vector<double>& values);

/// Training accuracy of all arms, as a figure.
Figure training_figure(const std::string& id, const ArmRuns& runs, const std::vector<Arm>& arms, int64_t steps,
                       const std::string& what_to_see);

/// The distributions that the probe "activations" recorded under `name` in the first run of each arm: an arm a column,
/// a layer a row.
Json activation_ridges(const ArmRuns& runs, const std::vector<Arm>& arms, const std::vector<int64_t>& layers,
                       const std::string& name = "samples");

/// The values of an image (H,W) as shares of its own range: one scale of colours then serves several images.
std::vector<HeatCell> shades(const ArrayRecord& image);

}  // namespace bnlab
