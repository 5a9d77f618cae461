// Every claim of every experiment can come out on either side, and says so for the right arms: made-up runs of which
// the truth is known must give the effect that was put in, so that two arms that change places anywhere turn a test
// red.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "bnlab/experiments/experiment_list.h"
#include "tests/experiments/made_up_runs.h"
#include "tests/small_run.h"
#include "tests/temp_folder.h"

namespace bnlab {
namespace {

using testing::MadeUp;
using testing::MadeUpRuns;
using testing::small_dataset;
using testing::TempFolder;
using testing::World;

const double kChance = 0.25;  // small_dataset() has four classes
const std::string kBn = "BN, rate 0.1", kPlain = "no BN, rate 0.1";
const std::string kDlnBn = "DLN, BN, rate 1e-06", kDlnPlain = "DLN, no BN, rate 1e-06";

std::vector<JudgedClaim> judged_in(const std::string& experiment, const World& world) {
  TempFolder temp;
  const Setting setting{Scale::kSmoke, facts_of(small_dataset()), {1, 2, 3}};
  const Experiment it = select_experiments(experiment).front();
  const Plan plan = it.plan(setting);
  MadeUpRuns::write(temp.path(), plan, setting.data, world);
  Results results(plan, temp.path());
  return judge(it.findings(setting, results).claims);
}

/// Whether an effect lies on the claim's side.
bool supports(const Side& side, double effect) {
  switch (side.kind) {
    case Side::Kind::kAbove:
      return effect > side.low;
    case Side::Kind::kBelow:
      return effect < side.high;
    case Side::Kind::kWithin:
      return effect > side.low && effect < side.high;
  }
  return false;
}

/// A world, and the effect that each claim must have in it.
struct Truth {
  World world;
  std::map<std::string, double> effects;
};

struct Case {
  std::string experiment;
  std::vector<Truth> truths;                 ///< together they put every claim on each of its sides
  World stuck;                               ///< where no comparison means anything
  std::set<std::string> unconditional = {};  ///< the claims that hold or fail in any world: they have no precondition
};

void PrintTo(const Case& it, std::ostream* out) {
  *out << it.experiment;
}

class Direction : public ::testing::TestWithParam<Case> {};

TEST_P(Direction, EveryClaimFollowsTheTruthToBothSides) {
  std::map<std::string, std::set<Verdict>> seen;
  for (const Truth& truth : GetParam().truths) {
    const auto judged = judged_in(GetParam().experiment, truth.world);
    EXPECT_EQ(judged.size(), truth.effects.size());
    for (const JudgedClaim& claim : judged) {
      SCOPED_TRACE(claim.claim.id);
      ASSERT_TRUE(truth.effects.count(claim.claim.id)) << "say which effect this claim must have";
      EXPECT_EQ(claim.reason, "");
      const double expected = truth.effects.at(claim.claim.id);
      EXPECT_NEAR(claim.interval.mean, expected, 1e-5 + 1e-5 * std::abs(expected));
      EXPECT_EQ(to_string(claim.verdict),
                to_string(supports(claim.claim.side, expected) ? Verdict::kSupported : Verdict::kNotSupported));
      seen[claim.claim.id].insert(claim.verdict);
    }
  }
  for (const auto& [id, verdicts] : seen) {
    EXPECT_EQ(verdicts.size(), 2u) << id << " came out on one side only";
  }
}

TEST_P(Direction, AFailingPreconditionLeavesItUndecided) {
  for (const JudgedClaim& claim : judged_in(GetParam().experiment, GetParam().stuck)) {
    SCOPED_TRACE(claim.claim.id);
    const bool unconditional = claim.evidence.preconditions.empty();
    EXPECT_EQ(unconditional, GetParam().unconditional.count(claim.claim.id) == 1);
    if (unconditional) continue;
    EXPECT_EQ(to_string(claim.verdict), "undecided");
    EXPECT_THAT(claim.reason, ::testing::HasSubstr("precondition"));
  }
}

TEST_P(Direction, OneToFourClaimsArePrimary) {
  size_t primary = 0;
  for (const JudgedClaim& claim : judged_in(GetParam().experiment, GetParam().stuck)) {
    primary += claim.claim.rank == Rank::kPrimary ? 1 : 0;
  }
  EXPECT_GE(primary, 1u);
  EXPECT_LE(primary, kMostPrimary);
}

double ln(double ratio) {
  return std::log(ratio);
}

/// Every arm of `arms` on its plateau.
World stuck(const std::vector<std::string>& arms) {
  World world;
  for (const auto& arm : arms) world[arm] = {.accuracy = kChance, .loss = 9};
  return world;
}

// Layers #3 and #11 of 13 are 2 and 7 of smoke's eight.
Case fig1() {
  const std::string bn_fast = "BN, rate 0.5", plain_fast = "no BN, rate 0.5";
  const std::string fixed24 = "DLN, BN behind 24, γ, β fixed, rate 1e-06",
                    learned25 = "DLN, BN behind 25, γ, β learned, rate 1e-06",
                    fixed25 = "DLN, BN behind 25, γ, β fixed, rate 1e-06";
  const auto drifts = [](double early, double late, double early_behind, double late_behind) {
    return std::map<std::string, double>{{"activations/2/linear_drift", early},
                                         {"activations/7/linear_drift", late},
                                         {"activations/2/drift", early_behind},
                                         {"activations/7/drift", late_behind}};
  };
  const Truth holds = {{{kBn, {.accuracy = 0.8, .tested = 0.75, .values = drifts(0.11, 0.12, 0.09, 0.08)}},
                        {kPlain, {.accuracy = 0.6, .tested = 0.5, .values = drifts(0.1, 0.1, 0.1, 0.1)}},
                        {bn_fast, {.accuracy = 0.7}},
                        {plain_fast, {.accuracy = kChance}},
                        {kDlnPlain, {.loss = 8}},
                        {kDlnBn, {.loss = 1}},
                        {fixed24, {.loss = 2}},
                        {learned25, {.loss = 0.5}},
                        {fixed25, {.loss = 3}}},
                       {{"faster-at-0.1", 20},
                        {"better-at-0.5", 45},
                        {"robust-to-rate", 25},
                        {"better-test-accuracy", 25},
                        {"activations-drift-alike", (ln(1.1) + ln(1.2)) / 2},
                        {"activations-drift-alike-early", ln(1.1)},
                        {"activations-drift-alike-late", ln(1.2)},
                        {"activations-drift-alike-early-behind", ln(0.9)},
                        {"activations-drift-alike-late-behind", ln(0.8)},
                        {"dln-faster", ln(1.0 / 8)},
                        {"dln-faster-24-fixed", ln(2.0 / 8)},
                        {"dln-faster-25", ln(0.5 / 8)},
                        {"dln-faster-25-fixed", ln(3.0 / 8)}}};
  const Truth mirror = {{{kBn, {.accuracy = 0.5, .tested = 0.4, .values = drifts(0.3, 0.4, 0.02, 0.01)}},
                         {kPlain, {.accuracy = 0.6, .tested = 0.5, .values = drifts(0.1, 0.1, 0.1, 0.1)}},
                         {bn_fast, {.accuracy = 0.36}},
                         {plain_fast, {.accuracy = 0.5}},
                         {kDlnPlain, {.loss = 1}},
                         {kDlnBn, {.loss = 4}},
                         {fixed24, {.loss = 2}},
                         {learned25, {.loss = 3}},
                         {fixed25, {.loss = 4.5}}},
                        {{"faster-at-0.1", -10},
                         {"better-at-0.5", -14},
                         {"robust-to-rate", -4},
                         {"better-test-accuracy", -10},
                         {"activations-drift-alike", (ln(3) + ln(4)) / 2},
                         {"activations-drift-alike-early", ln(3)},
                         {"activations-drift-alike-late", ln(4)},
                         {"activations-drift-alike-early-behind", ln(0.2)},
                         {"activations-drift-alike-late-behind", ln(0.1)},
                         {"dln-faster", ln(4)},
                         {"dln-faster-24-fixed", ln(2)},
                         {"dln-faster-25", ln(3)},
                         {"dln-faster-25-fixed", ln(4.5)}}};
  return {"santurkar-fig1", {holds, mirror}, stuck({kBn, bn_fast, kDlnBn, fixed24, learned25, fixed25})};
}

// Layers #2, #9 and #13 are 1, 6 and 8.
Case fig2() {
  const std::string noisy = "noisy BN, rate 0.1", noise = "noise, no BN, rate 0.1";
  const auto moved = [](double one, double six, double eight) {
    return std::map<std::string, double>{
        {"moment-changes/1/mean", one}, {"moment-changes/6/mean", six}, {"moment-changes/8/mean", eight}};
  };
  const Truth holds = {{{kBn, {.accuracy = 0.8}},
                        {noisy, {.accuracy = 0.78, .values = moved(0.3, 0.4, 0.5)}},
                        {kPlain, {.accuracy = 0.6, .values = moved(0.1, 0.1, 0.1)}},
                        {noise, {.accuracy = 0.26}}},
                       {{"noisy-bn-as-good-as-bn", -2},
                        {"noisy-bn-better-than-plain", 18},
                        {"noise-stops-the-plain-network", 1},
                        {"noisy-bn-less-steady", (ln(3) + ln(4) + ln(5)) / 3},
                        {"noisy-bn-less-steady-1", ln(3)},
                        {"noisy-bn-less-steady-6", ln(4)},
                        {"noisy-bn-less-steady-8", ln(5)}}};
  const Truth mirror = {{{kBn, {.accuracy = 0.8}},
                         {noisy, {.accuracy = 0.5, .values = moved(0.05, 0.04, 0.02)}},
                         {kPlain, {.accuracy = 0.6, .values = moved(0.1, 0.1, 0.1)}},
                         {noise, {.accuracy = 0.55}}},
                        {{"noisy-bn-as-good-as-bn", -30},
                         {"noisy-bn-better-than-plain", -10},
                         {"noise-stops-the-plain-network", 30},
                         {"noisy-bn-less-steady", (ln(0.5) + ln(0.4) + ln(0.2)) / 3},
                         {"noisy-bn-less-steady-1", ln(0.5)},
                         {"noisy-bn-less-steady-6", ln(0.4)},
                         {"noisy-bn-less-steady-8", ln(0.2)}}};
  return {"santurkar-fig2", {holds, mirror}, stuck({kBn, kPlain, noisy, noise})};
}

// Layers #5 and #10 are 3 and 6; of the linear network 9 and 17.
Case fig3() {
  const std::string bn_slow = "BN, rate 0.01", plain_slow = "no BN, rate 0.01";
  const std::string dln_bn_slow = "DLN, BN, rate 1e-07", dln_plain_slow = "DLN, no BN, rate 1e-07";
  const auto shift = [](const std::string& first, double l2, double cosine, const std::string& second, double l2_second,
                        double cosine_second) {
    return std::map<std::string, double>{{"ics/" + first + "/l2", l2},
                                         {"ics/" + first + "/cosine", cosine},
                                         {"ics/" + second + "/l2", l2_second},
                                         {"ics/" + second + "/cosine", cosine_second}};
  };
  const auto vgg = [&](double a, double b, double c, double d) { return shift("3", a, b, "6", c, d); };
  const auto dln = [&](double a, double b, double c, double d) { return shift("9", a, b, "17", c, d); };
  const Truth holds = {{{kBn, {.values = vgg(2, 0.2, 3, 0.3)}},
                        {kPlain, {.values = vgg(1, 0.5, 1, 0.5)}},
                        {bn_slow, {.values = vgg(4, 0.1, 5, 0.15)}},
                        {plain_slow, {.values = vgg(2, 0.4, 2, 0.4)}},
                        {kDlnBn, {.values = dln(6, 0.3, 7, 0.2)}},
                        {kDlnPlain, {.values = dln(2, 0.9, 2, 0.9)}},
                        {dln_bn_slow, {.values = dln(8, 0.1, 9, 0.05)}},
                        {dln_plain_slow, {.values = dln(2, 0.8, 2, 0.8)}}},
                       {{"ics-not-reduced-vgg", (ln(2) + ln(3)) / 2},
                        {"cosine-not-raised-vgg", -0.25},
                        {"ics-not-reduced-3-0.1", ln(2)},
                        {"cosine-not-raised-3-0.1", -0.3},
                        {"ics-not-reduced-6-0.1", ln(3)},
                        {"cosine-not-raised-6-0.1", -0.2},
                        {"ics-not-reduced-3-0.01", ln(2)},
                        {"cosine-not-raised-3-0.01", -0.3},
                        {"ics-not-reduced-6-0.01", ln(2.5)},
                        {"cosine-not-raised-6-0.01", -0.25},
                        {"ics-not-reduced-dln", (ln(3) + ln(3.5)) / 2},
                        {"cosine-not-raised-dln", -0.65},
                        {"ics-not-reduced-dln-9-1e-06", ln(3)},
                        {"cosine-not-raised-dln-9-1e-06", -0.6},
                        {"ics-not-reduced-dln-17-1e-06", ln(3.5)},
                        {"cosine-not-raised-dln-17-1e-06", -0.7},
                        {"ics-not-reduced-dln-9-1e-07", ln(4)},
                        {"cosine-not-raised-dln-9-1e-07", -0.7},
                        {"ics-not-reduced-dln-17-1e-07", ln(4.5)},
                        {"cosine-not-raised-dln-17-1e-07", -0.75}}};
  const Truth mirror = {{{kBn, {.values = vgg(0.2, 0.9, 0.3, 0.8)}},
                         {kPlain, {.values = vgg(1, 0.5, 1, 0.5)}},
                         {bn_slow, {.values = vgg(0.4, 0.7, 0.5, 0.8)}},
                         {plain_slow, {.values = vgg(2, 0.4, 2, 0.4)}},
                         {kDlnBn, {.values = dln(0.6, 0.9, 0.7, 0.8)}},
                         {kDlnPlain, {.values = dln(2, 0.5, 2, 0.5)}},
                         {dln_bn_slow, {.values = dln(0.8, 0.7, 0.4, 0.6)}},
                         {dln_plain_slow, {.values = dln(2, 0.1, 2, 0.1)}}},
                        {{"ics-not-reduced-vgg", (ln(0.2) + ln(0.3)) / 2},
                         {"cosine-not-raised-vgg", 0.35},
                         {"ics-not-reduced-3-0.1", ln(0.2)},
                         {"cosine-not-raised-3-0.1", 0.4},
                         {"ics-not-reduced-6-0.1", ln(0.3)},
                         {"cosine-not-raised-6-0.1", 0.3},
                         {"ics-not-reduced-3-0.01", ln(0.2)},
                         {"cosine-not-raised-3-0.01", 0.3},
                         {"ics-not-reduced-6-0.01", ln(0.25)},
                         {"cosine-not-raised-6-0.01", 0.4},
                         {"ics-not-reduced-dln", (ln(0.3) + ln(0.35)) / 2},
                         {"cosine-not-raised-dln", 0.35},
                         {"ics-not-reduced-dln-9-1e-06", ln(0.3)},
                         {"cosine-not-raised-dln-9-1e-06", 0.4},
                         {"ics-not-reduced-dln-17-1e-06", ln(0.35)},
                         {"cosine-not-raised-dln-17-1e-06", 0.3},
                         {"ics-not-reduced-dln-9-1e-07", ln(0.4)},
                         {"cosine-not-raised-dln-9-1e-07", 0.6},
                         {"ics-not-reduced-dln-17-1e-07", ln(0.2)},
                         {"cosine-not-raised-dln-17-1e-07", 0.5}}};
  return {"santurkar-fig3",
          {holds, mirror},
          stuck({kBn, kPlain, bn_slow, plain_slow, kDlnBn, kDlnPlain, dln_bn_slow, dln_plain_slow})};
}

/// Ranges and largest values along the gradient and along a random direction.
std::map<std::string, double> landscape(double loss, double gradient, double lipschitz, double beta,
                                        const std::string& direction = "") {
  const std::string name = "landscape/" + direction;
  return {{name + "loss_low", 1},          {name + "loss_high", 1 + loss},
          {name + "difference_low", 2},    {name + "difference_high", 2 + gradient},
          {name + "lipschitz", lipschitz}, {name + "beta", beta}};
}

std::map<std::string, double> with(std::map<std::string, double> a, const std::map<std::string, double>& b) {
  a.insert(b.begin(), b.end());
  return a;
}

Case fig4() {
  const std::map<std::string, double> one = with(landscape(1, 1, 1, 1), landscape(1, 1, 1, 1, "random_"));
  const auto effects = [](const std::vector<double>& ratios) {
    std::map<std::string, double> all;
    size_t i = 0;
    for (const char* end : {"", "-random", "-dln"}) {
      for (const char* id : {"loss-range", "gradient-range", "lipschitz", "beta"}) {
        all[std::string(id) + end] = ln(ratios[i++]);
      }
    }
    return all;
  };
  const auto truth = [&](const std::vector<double>& r) -> Truth {
    return {{{kBn, {.values = with(landscape(r[0], r[1], r[2], r[3]), landscape(r[4], r[5], r[6], r[7], "random_"))}},
             {kPlain, {.values = one}},
             {kDlnBn, {.values = landscape(r[8], r[9], r[10], r[11])}},
             {kDlnPlain, {.values = one}}},
            effects(r)};
  };
  return {"santurkar-fig4",
          {truth({0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.15, 0.25, 0.35}),
           truth({2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13})},
          stuck({kBn, kPlain, kDlnBn, kDlnPlain})};
}

Case fig5() {
  const std::vector<std::string> powers = {"l1", "l2", "linf"};
  const auto truth = [&](const std::vector<double>& accuracies, const std::vector<double>& betas,
                         const std::vector<double>& losses, double dln_loss) -> Truth {
    Truth it = {{{kBn, {.accuracy = 0.8}},
                 {kPlain, {.accuracy = 0.6, .values = landscape(1, 1, 1, 1)}},
                 {kDlnPlain, {.loss = dln_loss}}},
                {}};
    for (size_t i = 0; i < powers.size(); ++i) {
      it.world[powers[i] + " norm, rate 0.1"] = {.accuracy = accuracies[i], .values = landscape(1, 1, 1, betas[i])};
      it.world["DLN, " + powers[i] + " norm, rate 1e-06"] = {.loss = losses[i]};
      it.effects[powers[i] + "-comparable-to-bn"] = 100 * (accuracies[i] - 0.8);
      it.effects[powers[i] + "-trains-better"] = 100 * (accuracies[i] - 0.6);
      it.effects["beta-" + powers[i]] = ln(betas[i]);
      it.effects[powers[i] + "-trains-better-dln"] = ln(losses[i] / dln_loss);
    }
    return it;
  };
  std::vector<std::string> all = {kBn, kPlain, kDlnPlain};
  for (const auto& power : powers) {
    all.push_back(power + " norm, rate 0.1");
    all.push_back("DLN, " + power + " norm, rate 1e-06");
  }
  return {"santurkar-fig5",
          {truth({0.79, 0.78, 0.83}, {0.5, 0.4, 0.3}, {1, 2, 3}, 8), truth({0.5, 0.45, 0.4}, {2, 3, 4}, {2, 3, 4}, 1)},
          stuck(all)};
}

Case theory() {
  const auto truth = [](double share, double error, double worst, double closest) -> Truth {
    const std::map<std::string, double> starts = {{"start closest", closest},
                                                  {"start bound", 0.3},
                                                  {"start plain", 1},
                                                  {"least-squares-start/optimum_gradient", 1e-9},
                                                  {"least-squares-start/excess", 1e-9}};
    return {{{kPlain,
              {.values = {{"bn-theory/identity_error", error},
                          {"bn-theory/holds", share},
                          {"bn-theory/twin_error", 2 * error},
                          {"bn-theory/weight_worst", worst},
                          {"bn-theory/weight_holds", share * share},
                          {"bn-theory/lambda_converged", 1},
                          {"bn-curvature/identity_error", 3 * error},
                          {"bn-curvature/first_holds", std::pow(share, 3)},
                          {"bn-curvature/second_holds", std::pow(share, 4)},
                          {"bn-curvature/meets_precondition", 0.5}}}},
             {"least squares", {.values = starts}}},
            {{"identity", error},
             {"printed-holds", share},
             {"twin-reproduces", 2 * error},
             {"weights-worst-case", worst},
             {"weights-bound", share * share},
             {"curvature-identity", 3 * error},
             {"curvature-first", std::pow(share, 3)},
             {"curvature-second", std::pow(share, 4)},
             {"favourable-start", closest - 0.3}}};
  };
  World stuck = truth(1, 1e-5, 0.9, 0.2).world;
  stuck[kPlain].values["bn-theory/lambda_converged"] = 0.9;
  stuck[kPlain].values["bn-curvature/meets_precondition"] = 0.05;
  stuck["least squares"].values["least-squares-start/excess"] = 0.1;
  return {"santurkar-theory",
          {truth(1, 1e-5, 0.9, 0.2), truth(0.5, 0.1, 2, 0.5)},
          stuck,
          {"identity", "printed-holds", "twin-reproduces", "curvature-identity", "curvature-first"}};
}

Case dln_ics_case() {
  const auto truth = [](double plain, double bn, double difference) -> Truth {
    return {{{kDlnPlain, {.values = {{"ics/l2", 2 * plain}, {"ics/gradient_norm", 2}}}},
             {kDlnBn, {.values = {{"ics/l2", 3 * bn}, {"ics/gradient_norm", 3}}}},
             {"closed form, no BN", {.values = {{"dln-closed-form/difference", difference}}}}},
            {{"linear-networks-have-ics", plain}, {"bn-raises-it", ln(bn / plain)}, {"probe-agrees", difference}}};
  };
  return {"dln-ics",
          {truth(0.5, 0.9, 1e-5), truth(0.05, 0.02, 0.1)},
          stuck({kDlnBn}),
          {"probe-agrees", "linear-networks-have-ics"}};
}

// The window is steps 6 to 11, and lags go from 2 to 3. A path that turns by θ has cos kθ at lag k and makes a way of
// |sin 3θ / sin θ/2| in six steps; one that zigzags has (1 ∓ z²) / (1 + z²) at odd and even lags, and a way of 6.
Case spiral() {
  const double z = std::sqrt(3.0);
  const auto cosine = [](double degrees) { return std::cos(degrees * M_PI / 180); };
  const auto detour = [](double degrees) {
    return 6 / std::abs(std::sin(3 * degrees * M_PI / 180) / std::sin(degrees / 2 * M_PI / 180));
  };
  return {"open-question-spiral",
          {{{{kBn, {.zigzag = z}}, {kPlain, {.turn = 50}}},
            {{"zigzags-bn", -0.5},
             {"spirals-bn", -0.5},
             {"zigzags-plain", cosine(50)},
             {"spirals-plain", cosine(150)},
             {"bn-more-direct", ln(2 / detour(50))}}},
           {{{kBn, {.turn = 10}}, {kPlain, {.turn = 5}}},
            {{"zigzags-bn", cosine(10)},
             {"spirals-bn", cosine(30)},
             {"zigzags-plain", cosine(5)},
             {"spirals-plain", cosine(15)},
             {"bn-more-direct", ln(detour(10) / detour(5))}}},
           {{{kBn, {.turn = 40}}, {kPlain, {.zigzag = z}}},
            {{"zigzags-bn", cosine(40)},
             {"spirals-bn", cosine(120)},
             {"zigzags-plain", -0.5},
             {"spirals-plain", -0.5},
             {"bn-more-direct", ln(detour(40) / 2)}}}},
          stuck({kBn, kPlain})};
}

// Layer #10 is 6. The two networks that have not learned have the least shift of all: they must not count.
Case drift() {
  const std::vector<std::string> arms = {kPlain, kBn, "l1 norm, rate 0.1", "l2 norm, rate 0.1", "linf norm, rate 0.1"};
  const auto truth = [&](bool less_is_faster, double plain_growth, double bn_growth) -> Truth {
    Truth it;
    for (const char* arm : {"noisy BN, rate 0.1", "noise, no BN, rate 0.1"}) {
      it.world[arm] = {.accuracy = kChance,
                       .values = {{"ics/l2", 1e-3}, {"ics/gradient_norm", 1}, {"moment-changes/linear_mean", 1e-3}}};
    }
    const std::vector<double> by_ics = {2, 1, 3, 4, 5};  // one pair differs from the order by drift: correlation 0.9
    for (size_t i = 0; i < arms.size(); ++i) {
      const double rank = static_cast<double>(i);
      MadeUp arm{.accuracy = 0.5 + 0.05 * (less_is_faster ? -rank : rank) + (less_is_faster ? 0.2 : 0),
                 .values = {{"ics/6/l2", 2 * by_ics[i]},
                            {"ics/6/gradient_norm", 2},
                            {"moment-changes/6/linear_mean", 1 + rank},
                            {"moment-changes/6/mean", 7 - rank}}};
      arm.growth["ics/6/l2"] = 0.01;
      arm.growth["moment-changes/6/linear_mean"] = i == 0 ? plain_growth : i == 1 ? bn_growth : 0.01;
      it.world[arms[i]] = arm;
    }
    const double sign = less_is_faster ? -1 : 1;
    it.effects = {{"together-plain", plain_growth > 0 ? 1 : -1},
                  {"together-bn", bn_growth > 0 ? 1 : -1},
                  {"drift-predicts-speed", sign},
                  {"ics-predicts-speed", 0.9 * sign}};
    return it;
  };
  std::vector<std::string> all = arms;
  all.push_back("noisy BN, rate 0.1");
  all.push_back("noise, no BN, rate 0.1");
  return {"open-question-drift", {truth(true, 0.01, -0.01), truth(false, -0.01, 0.01)}, stuck(all)};
}

const std::vector<Case>& cases() {
  static const std::vector<Case> all = {fig1(),   fig2(),         fig3(),   fig4(), fig5(),
                                        theory(), dln_ics_case(), spiral(), drift()};
  return all;
}

TEST(DirectionCases, ThereIsOneForEveryExperiment) {
  std::set<std::string> covered, known;
  for (const Case& it : cases()) covered.insert(it.experiment);
  for (const Experiment& it : experiments()) known.insert(it.name);
  EXPECT_EQ(covered, known);
}

INSTANTIATE_TEST_SUITE_P(All, Direction, ::testing::ValuesIn(cases()), [](const auto& info) {
  std::string name = info.param.experiment;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

}  // namespace
}  // namespace bnlab
