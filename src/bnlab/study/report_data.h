// report.json: what the experiments make of the stored runs, as plain data (its form: docs/architecture.md).
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "bnlab/study/experiment.h"

namespace bnlab {

/// An experiment with the runs that it asked for.
struct PlannedExperiment {
  Experiment experiment;
  Setting setting;
  Plan plan;
};

/// Why a run has no result, by id, from the launcher.
using RunErrors = std::map<std::string, std::string>;

/// Reads every run of the experiments from `runs_folder` and judges the claims. Runs may be missing: the report's state
/// is then "partial". An experiment whose findings throw has state "failed", the error in `error` and `notes`, and no
/// claims or figures; the others are as if nothing had happened. `experiments` must not be empty; their settings' scale
/// and data are the report's.
Json make_report(const std::vector<PlannedExperiment>& experiments, const std::filesystem::path& runs_folder,
                 const RunErrors& errors = {});

}  // namespace bnlab
