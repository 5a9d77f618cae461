// What an experiment is: a question, the runs that answer it, and how their records become figures and judged claims.
// An experiment is one file that fills in Experiment, and one line in experiments/experiment_list.cpp.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "bnlab/record/claim.h"
#include "bnlab/record/figure.h"
#include "bnlab/study/results.h"

namespace bnlab {

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
