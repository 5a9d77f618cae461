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

/// Where the report's tour tells of an experiment: in the order of the study note.
enum class Chapter { kWhat, kConvolutions, kWhy, kResults, kWhyItWorks, kBackward, kQuestions };
std::string title_of(Chapter chapter);

/// What a person who has not read the paper is told first.
struct TourStop {
  Chapter chapter = Chapter::kWhyItWorks;
  std::string plainly = {};   ///< two sentences: what is done here, and what to look for in the first figure
  std::string headline = {};  ///< id of the claim that the report's first screen states; empty: none
  std::string in_short = {};  ///< that claim in plain words
  std::string try_next = {};  ///< a command to copy; empty: this experiment at the next scale
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
  TourStop stop = {};
};

}  // namespace bnlab
