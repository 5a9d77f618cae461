#include "bnlab/record/claim.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace bnlab {
namespace {

constexpr double kSignificance = 0.05;

Verdict verdict_of(double supports, double opposes) {
  if (supports < kSignificance) return Verdict::kSupported;
  if (opposes < kSignificance) return Verdict::kNotSupported;
  return Verdict::kUndecided;
}

std::string obstacle(const Evidence& evidence) {
  if (!evidence.missing.empty()) return evidence.missing;
  for (const auto& precondition : evidence.preconditions) {
    if (!precondition.holds) {
      return fmt::format("precondition \"{}\" does not hold: {}", precondition.name, precondition.detail);
    }
  }
  if (!std::all_of(evidence.per_seed.begin(), evidence.per_seed.end(), [](double e) { return std::isfinite(e); })) {
    return "the effect of a seed is not finite";
  }
  if (static_cast<int>(evidence.per_seed.size()) < kMinSeeds) {
    return fmt::format("{} seed{}, and a verdict needs at least {}", evidence.per_seed.size(),
                       evidence.per_seed.size() == 1 ? "" : "s", kMinSeeds);
  }
  return "";
}

Json number_or_null(double value) {
  return std::isfinite(value) ? Json(value) : Json();
}

Json thresholds(const Side& side) {
  switch (side.kind) {
    case Side::Kind::kAbove:
      return {side.low};
    case Side::Kind::kBelow:
      return {side.high};
    case Side::Kind::kWithin:
      return {side.low, side.high};
  }
  return {};
}

const char* direction(const Side& side) {
  switch (side.kind) {
    case Side::Kind::kAbove:
      return "above";
    case Side::Kind::kBelow:
      return "below";
    case Side::Kind::kWithin:
      return "within";
  }
  return "";
}

}  // namespace

std::string to_string(Verdict verdict) {
  switch (verdict) {
    case Verdict::kSupported:
      return "supported";
    case Verdict::kNotSupported:
      return "not supported";
    case Verdict::kUndecided:
      return "undecided";
  }
  return "undecided";
}

std::vector<JudgedClaim> judge(const std::vector<std::pair<Claim, Evidence>>& claims) {
  std::vector<JudgedClaim> judged;
  std::vector<double> supports, opposes;
  for (const auto& [claim, evidence] : claims) {
    JudgedClaim& one = judged.emplace_back();
    one.claim = claim;
    one.evidence = evidence;
    one.interval = paired_interval(evidence.per_seed);
    one.reason = obstacle(evidence);
    // A claim that cannot be judged keeps its place in Holm's family with p = 1: a failing precondition must not make
    // the other claims easier to support.
    const SideTest test = one.reason.empty() ? test_side(one.interval, claim.side) : SideTest{};
    supports.push_back(test.supports);
    opposes.push_back(test.opposes);
  }
  // One two-sided test a claim: its p-value is the smaller of the two, and its direction is kept through the
  // correction.
  std::vector<double> p_values;
  for (size_t i = 0; i < judged.size(); ++i) p_values.push_back(std::min(supports[i], opposes[i]));
  const std::vector<double> adjusted = holm_adjusted(p_values);
  for (size_t i = 0; i < judged.size(); ++i) {
    JudgedClaim& one = judged[i];
    one.verdict = verdict_of(supports[i], opposes[i]);
    const bool for_it = supports[i] <= opposes[i];
    one.verdict_corrected = verdict_of(for_it ? adjusted[i] : 1, for_it ? 1 : adjusted[i]);
    if (one.reason.empty() && one.verdict == Verdict::kUndecided) {
      one.reason = "the interval reaches to both sides of the threshold";
    } else if (one.reason.empty() && one.verdict_corrected == Verdict::kUndecided) {
      one.reason =
          fmt::format("decided taken alone, but not after Holm's correction over {} claims (adjusted p = {:.3f})",
                      judged.size(), adjusted[i]);
    }
  }
  return judged;
}

Json to_json(const JudgedClaim& judged, const std::string& experiment) {
  const auto& [claim, evidence] = std::tie(judged.claim, judged.evidence);
  Json preconditions = Json::array(), per_seed = Json::array();
  for (const auto& p : evidence.preconditions) {
    preconditions.push_back({{"name", p.name}, {"holds", p.holds}, {"detail", p.detail}});
  }
  for (double effect : evidence.per_seed) per_seed.push_back(number_or_null(effect));
  const auto& interval = judged.interval;
  const bool bounded = std::isfinite(interval.low) && std::isfinite(interval.high);
  return {{"experiment", experiment},
          {"id", claim.id},
          {"sentence", claim.sentence},
          {"quote", claim.quote},
          {"statistic", claim.statistic},
          {"window", claim.window},
          {"unit", claim.unit},
          {"direction", direction(claim.side)},
          {"threshold", thresholds(claim.side)},
          {"paper_value", claim.paper_value ? Json(*claim.paper_value) : Json()},
          {"effect", number_or_null(interval.mean)},
          {"interval", bounded ? Json{interval.low, interval.high} : Json()},
          {"per_seed", per_seed},
          {"seeds", evidence.per_seed.size()},
          {"preconditions", preconditions},
          {"verdict", to_string(judged.verdict)},
          {"verdict_corrected", to_string(judged.verdict_corrected)},
          {"reason", judged.reason.empty() ? Json() : Json(judged.reason)},
          {"runs", evidence.runs}};
}

}  // namespace bnlab
