// From facts to a report: all rules asked, their findings ranked by what they cost.
#pragma once

#include <string>
#include <vector>

#include "bnlab/doctor/facts.h"
#include "bnlab/doctor/findings.h"

namespace bnlab::doctor {

struct NotChecked {
  std::string id;
  std::string title;
  std::string why;
};

struct Diagnosis {
  bool untrained =
      false;  ///< then there is a single note, N00, beside N15 and N23: losses of random weights mean nothing
  std::vector<Finding> findings;
  std::vector<NotChecked> not_checked;
};

/// Findings in the order of severity, then damage, then id. A loss that a cause explains is not named a second time as
/// its symptom: N01 beside N02 to N05, N07, N11, N13, N15, N17 or N19; N02 and N03 beside N07; N09 and N13 beside N11.
Diagnosis diagnose(const Facts& facts);

}  // namespace bnlab::doctor
