// A claim of the literature: declared before it is measured, judged on stored results only.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "bnlab/record/json_fields.h"
#include "bnlab/record/statistics.h"

namespace bnlab {

/// Primary claims are those that the source states as its findings, at most kMostPrimary an experiment; all others
/// (other layers, rates, placements, networks) are secondary.
enum class Rank { kPrimary, kSecondary };
std::string to_string(Rank rank);
inline constexpr size_t kMostPrimary = 4;

/// What is written down before measuring.
struct Claim {
  std::string id;         ///< within its experiment, e.g. "faster-at-0.1"
  std::string sentence;   ///< what is claimed, for a person who has not read the paper
  std::string quote;      ///< the paper's own words, short
  std::string statistic;  ///< the formula of the effect
  std::string window;     ///< which steps, which layers
  std::string unit;       ///< of the effect, e.g. "percentage points" or "log ratio"
  Side side;              ///< which effects support it
  std::optional<double> paper_value;
  Rank rank = Rank::kSecondary;
};

/// Something that must hold for the comparison to mean anything.
struct Precondition {
  std::string name;
  bool holds = false;
  std::string detail;  ///< the measured numbers behind it
};

/// What the stored runs say: one effect a seed (arms paired by seed).
struct Evidence {
  std::vector<double> per_seed;
  std::vector<Precondition> preconditions;
  std::vector<std::string> runs;  ///< ids
  std::string missing;            ///< why there is no evidence (yet), else ""
};

enum class Verdict { kSupported, kNotSupported, kUndecided };
std::string to_string(Verdict verdict);

struct JudgedClaim {
  Claim claim;
  Evidence evidence;
  PairedInterval interval;
  double p = 1;                           ///< two-sided, of the effect lying where it does; 1 if it could not be judged
  double p_adjusted = 1;                  ///< Holm's, over the claims of this rank
  Verdict verdict = Verdict::kUndecided;  ///< by the adjusted p: the verdict, everywhere
  Verdict verdict_raw = Verdict::kUndecided;  ///< by p
  std::string reason;                         ///< why undecided, else ""
};

/// Judges the claims of one experiment together, Holm's correction within its primary and within its secondary claims.
/// Supported: the whole 95 % interval lies on the claim's side (after the correction: the adjusted p is below 0.05);
/// not supported: on the other; undecided: neither, a precondition fails, a value is not finite, or fewer than
/// kMinSeeds.
inline constexpr int kMinSeeds = 3;
std::vector<JudgedClaim> judge(const std::vector<std::pair<Claim, Evidence>>& claims);

/// The judged claim called `id`. Throws std::out_of_range.
const JudgedClaim& find_claim(const std::vector<JudgedClaim>& judged, const std::string& id);

/// One entry of report.json's "claims".
Json to_json(const JudgedClaim& judged, const std::string& experiment);

}  // namespace bnlab
