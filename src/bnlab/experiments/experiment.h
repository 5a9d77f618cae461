// What an experiment is: a question, the runs that answer it, and how their records become figures and judged claims.
// An experiment is one file that fills in Experiment, and one line in experiment_list.cpp.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bnlab/experiments/run_kinds.h"
#include "bnlab/record/claim.h"
#include "bnlab/record/figure.h"
#include "bnlab/record/run_store.h"

namespace bnlab {

enum class Scale { kSmoke, kQuick, kStandard, kPaper };
std::string to_string(Scale scale);
std::optional<Scale> parse_scale(const std::string& name);
const std::vector<Scale>& all_scales();

/// What the user chose.
struct Setting {
  Scale scale = Scale::kQuick;
  DataFacts data;
  std::vector<int64_t> seeds;
  std::optional<double> probe_budget = {};  ///< of every train run: TrainSpec::probe_budget
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
  explicit Plan(const Setting& setting) : data_(setting.data), probe_budget_(setting.probe_budget) {}

  /// Completes `spec` and adds it; returns its id, e.g. as the input of an analysis.
  std::string add(const std::string& arm, int64_t seed, const std::string& title, RunSpec spec);

  const std::vector<PlannedRun>& runs() const { return runs_; }
  /// Throws std::out_of_range if the plan has no such run.
  const PlannedRun& run(const std::string& arm, int64_t seed) const;

 private:
  DataFacts data_;
  std::optional<double> probe_budget_;
  std::vector<PlannedRun> runs_;
};

/// The stored runs of a plan.
class Results {
 public:
  Results(const Plan& plan, std::filesystem::path runs_folder) : plan_(plan), folder_(std::move(runs_folder)) {}

  /// The run of an arm and seed if it is finished or diverged, else null.
  RunReader* find(const std::string& arm, int64_t seed);
  const Plan& plan() const { return plan_; }

 private:
  const Plan& plan_;
  std::filesystem::path folder_;
  std::map<std::string, std::unique_ptr<RunReader>> open_;
};

/// A number of the paper beside ours.
struct PaperNumber {
  std::string quantity, paper, ours, note;
};

/// What an experiment makes of its records.
struct Findings {
  std::vector<Figure> figures;
  std::vector<std::pair<Claim, Evidence>> claims;
  std::vector<PaperNumber> paper_numbers;
  std::vector<std::string> answer = {};  ///< the question's answer in paragraphs, made from the judged claims
};

struct Experiment {
  std::string name;  ///< e.g. "santurkar-fig1"
  std::string title;
  std::vector<std::string> rows;  ///< of the product's table, e.g. "M9"
  std::string source;             ///< the paper
  std::string figure;             ///< which of its figures this reproduces
  std::string question;           ///< one sentence
  std::function<Plan(const Setting&)> plan;
  /// What was run, in paragraphs, from the setting: network, data, optimizer, steps, deviations from the paper.
  std::function<std::vector<std::string>(const Setting&)> what_was_run;
  /// Also called while runs are missing: then figures show what is there and claims lack evidence.
  std::function<Findings(const Setting&, Results&)> findings;
};

}  // namespace bnlab
