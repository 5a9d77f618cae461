#include "bnlab/record/claim.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>

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

std::string to_string(Rank rank) {
  return rank == Rank::kPrimary ? "primary" : "secondary";
}

namespace {

/// Before any correction. A claim that cannot be judged keeps its place in Holm's family with p = 1: a failing
/// precondition must not make the other claims easier to support.
JudgedClaim judge_alone(const Claim& claim, const Evidence& evidence) {
  JudgedClaim judged;
  judged.claim = claim;
  judged.evidence = evidence;
  judged.interval = paired_interval(evidence.per_seed);
  judged.reason = obstacle(evidence);
  if (!judged.reason.empty()) return judged;
  const SideTest test = test_side(judged.interval, claim.side);
  judged.p = std::min(test.supports, test.opposes);
  judged.verdict_raw = verdict_of(test.supports, test.opposes);
  return judged;
}

// One two-sided test a claim: its direction is kept through the correction.
void correct(JudgedClaim& judged, double adjusted, size_t family) {
  judged.p_adjusted = adjusted;
  if (adjusted < kSignificance) judged.verdict = judged.verdict_raw;
  if (!judged.reason.empty() || judged.verdict != Verdict::kUndecided) return;
  judged.reason = judged.verdict_raw == Verdict::kUndecided
                      ? "the interval reaches to both sides of the threshold"
                      : fmt::format(
                            "taken alone it would be {}, but not after Holm's correction over {} {} claims "
                            "(adjusted p = {:.3f})",
                            to_string(judged.verdict_raw), family, to_string(judged.claim.rank), adjusted);
}

}  // namespace

std::vector<JudgedClaim> judge(const std::vector<std::pair<Claim, Evidence>>& claims) {
  std::vector<JudgedClaim> judged;
  for (const auto& [claim, evidence] : claims) judged.push_back(judge_alone(claim, evidence));
  for (const Rank rank : {Rank::kPrimary, Rank::kSecondary}) {
    std::vector<JudgedClaim*> family;
    std::vector<double> p_values;
    for (JudgedClaim& one : judged) {
      if (one.claim.rank != rank) continue;
      family.push_back(&one);
      p_values.push_back(one.p);
    }
    const std::vector<double> adjusted = holm_adjusted(p_values);
    for (size_t i = 0; i < family.size(); ++i) correct(*family[i], adjusted[i], family.size());
  }
  return judged;
}

const JudgedClaim& find_claim(const std::vector<JudgedClaim>& judged, const std::string& id) {
  for (const JudgedClaim& one : judged) {
    if (one.claim.id == id) return one;
  }
  throw std::out_of_range("no claim is called \"" + id + "\"");
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
  const bool judged_at_all = obstacle(evidence).empty();
  return {{"experiment", experiment},
          {"id", claim.id},
          {"rank", to_string(claim.rank)},
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
          {"p", judged_at_all ? Json(judged.p) : Json()},
          {"p_adjusted", judged_at_all ? Json(judged.p_adjusted) : Json()},
          {"verdict", to_string(judged.verdict)},
          {"verdict_corrected", to_string(judged.verdict)},
          {"verdict_raw", to_string(judged.verdict_raw)},
          {"reason", judged.reason.empty() ? Json() : Json(judged.reason)},
          {"runs", evidence.runs}};
}

}  // namespace bnlab
