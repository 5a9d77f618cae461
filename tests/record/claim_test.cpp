#include "bnlab/record/claim.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace bnlab {
namespace {

using ::testing::HasSubstr;

Claim claim(const Side& side) {
  return {"id", "sentence", "quote", "statistic", "window", "unit", side, 3.0};
}
Evidence evidence(std::vector<double> per_seed, std::vector<Precondition> preconditions = {}) {
  return {std::move(per_seed), std::move(preconditions), {"run"}, ""};
}
JudgedClaim judge_one(const Side& side, const Evidence& given) {
  return judge({{claim(side), given}}).front();
}

TEST(Judge, TheWholeIntervalDecides) {
  EXPECT_EQ(judge_one(Side::above(0), evidence({1.0, 1.1, 0.9})).verdict, Verdict::kSupported);
  EXPECT_EQ(judge_one(Side::above(0), evidence({-1.0, -1.1, -0.9})).verdict, Verdict::kNotSupported);
  const JudgedClaim torn = judge_one(Side::above(0), evidence({1.0, -1.1, 0.9}));
  EXPECT_EQ(torn.verdict, Verdict::kUndecided);
  EXPECT_THAT(torn.reason, HasSubstr("both sides"));
}

TEST(Judge, FewerThanThreeSeedsNeverDecide) {
  const JudgedClaim two = judge_one(Side::above(0), evidence({100.0, 100.0}));
  EXPECT_EQ(two.verdict, Verdict::kUndecided);
  EXPECT_EQ(two.verdict_raw, Verdict::kUndecided);
  EXPECT_THAT(two.reason, HasSubstr("at least 3"));
}

TEST(Judge, AFailingPreconditionLeavesItUndecidedAndSaysWhy) {
  const JudgedClaim judged =
      judge_one(Side::above(0), evidence({1.0, 1.1, 0.9}, {{"has-learned", false, "0.10 of 0.20"}}));
  EXPECT_EQ(judged.verdict, Verdict::kUndecided);
  EXPECT_THAT(judged.reason, HasSubstr("has-learned"));
  EXPECT_THAT(judged.reason, HasSubstr("0.10 of 0.20"));
}

TEST(Judge, NotFiniteEffectsNeverDecide) {
  EXPECT_EQ(judge_one(Side::above(0), evidence({1.0, NAN, 0.9})).verdict, Verdict::kUndecided);
  EXPECT_EQ(judge_one(Side::above(0), evidence({1.0, INFINITY, 0.9})).verdict, Verdict::kUndecided);
}

TEST(Judge, HolmCountsEveryClaimOfTheExperiment) {
  const Evidence just = evidence({1.0, 2.0, 1.6});  // p = 0.034
  EXPECT_EQ(judge({{claim(Side::above(0)), just}})[0].verdict, Verdict::kSupported);
  Evidence missing;
  missing.missing = "runs are missing";
  const auto two = judge({{claim(Side::above(0)), just}, {claim(Side::above(0)), missing}});
  EXPECT_EQ(two[0].verdict_raw, Verdict::kSupported);
  EXPECT_EQ(two[0].verdict, Verdict::kUndecided);
  EXPECT_THAT(two[0].reason, HasSubstr("Holm's correction over 2 secondary claims"));
  EXPECT_NEAR(two[0].p_adjusted, 2 * two[0].p, 1e-15);
}

TEST(Judge, HolmCountsWithinARankOnly) {
  const Evidence just = evidence({1.0, 2.0, 1.6});  // p = 0.034: decided alone, not among two
  Claim primary = claim(Side::above(0));
  primary.rank = Rank::kPrimary;
  std::vector<std::pair<Claim, Evidence>> claims = {{primary, just}};
  for (int i = 0; i < 10; ++i) claims.push_back({claim(Side::above(0)), just});
  const auto judged = judge(claims);
  EXPECT_EQ(judged[0].verdict, Verdict::kSupported);
  EXPECT_EQ(judged[0].p_adjusted, judged[0].p);
  for (size_t i = 1; i < judged.size(); ++i) {
    EXPECT_EQ(judged[i].verdict, Verdict::kUndecided);
    EXPECT_NEAR(judged[i].p_adjusted, 10 * judged[i].p, 1e-12);
  }
}

TEST(Judge, TheDirectionIsKeptThroughTheCorrection) {
  const auto judged = judge({{claim(Side::above(0)), evidence({-1.0, -1.01, -0.99, -1.0})},
                             {claim(Side::above(0)), evidence({1.0, 1.01, 0.99, 1.0})}});
  EXPECT_EQ(judged[0].verdict, Verdict::kNotSupported);
  EXPECT_EQ(judged[1].verdict, Verdict::kSupported);
}

TEST(JudgeSimulation, HolmKeepsFalseDecisionsOfAFamilyBelowFivePercent) {
  std::mt19937_64 random(7);
  std::normal_distribution<double> normal;
  constexpr int kTrials = 8000;
  int raw = 0, corrected = 0;
  for (int trial = 0; trial < kTrials; ++trial) {
    std::vector<std::pair<Claim, Evidence>> family;
    for (int k = 0; k < 5; ++k)
      family.push_back({claim(Side::above(0)), evidence({normal(random), normal(random), normal(random)})});
    bool any_raw = false, any_corrected = false;
    for (const auto& judged : judge(family)) {
      any_raw = any_raw || judged.verdict_raw != Verdict::kUndecided;
      any_corrected = any_corrected || judged.verdict != Verdict::kUndecided;
    }
    raw += any_raw;
    corrected += any_corrected;
  }
  EXPECT_NEAR(static_cast<double>(corrected) / kTrials, 0.05, 0.0075);  // independent: 1 - 0.99^5 = 0.049
  EXPECT_NEAR(static_cast<double>(raw) / kTrials, 1 - std::pow(0.95, 5), 0.015);
}

TEST(ClaimJson, HasEveryFieldOfTheReportsForm) {
  const Json json = to_json(judge_one(Side::within(-1, 1), evidence({0.1, 0.2, 0.3})), "experiment");
  for (const char* key :
       {"experiment", "id", "sentence", "quote", "statistic", "window", "paper_value", "effect", "interval", "seeds",
        "preconditions", "rank", "p", "p_adjusted", "verdict", "verdict_corrected", "verdict_raw", "reason", "runs"}) {
    EXPECT_TRUE(json.contains(key)) << key;
  }
  EXPECT_EQ(json["threshold"], Json({-1.0, 1.0}));
  EXPECT_TRUE(json["reason"].is_null());
  EXPECT_NEAR(json["effect"].get<double>(), 0.2, 1e-12);
  EXPECT_EQ(json["rank"], "secondary");
  EXPECT_GT(json["p"].get<double>(), 0);
  const Json nothing = to_json(judge_one(Side::above(0), evidence({})), "e");
  EXPECT_TRUE(nothing["effect"].is_null());
  EXPECT_TRUE(nothing["p"].is_null());
}

}  // namespace
}  // namespace bnlab
