// A residual network with and without BN at three learning rates, and the rates at which the deep one diverges. Run it:
// bnlab reproduce --only bjorck-fig1
#include <fmt/format.h>

#include <algorithm>

#include "bnlab/experiments/bjorck/fig1_figures.h"
#include "bnlab/record/number_text.h"

namespace bnlab {
namespace {

using namespace bjorck;

PerSeed larger(const PerSeed& a, const PerSeed& b) {
  PerSeed result;
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) result.push_back(std::max(a[i], b[i]));
  return result;
}

using RateClaim = std::pair<Claim, Evidence>;

struct RateSaid {
  std::string id, sentence, quote, statistic, window;
  Side side;
  Rank rank = Rank::kSecondary;
  std::string unit = "percentage points";
};

RateClaim rate_claim(const RateSaid& said, const Evidence& evidence) {
  return {{.id = said.id,
           .sentence = said.sentence,
           .quote = said.quote,
           .statistic = said.statistic,
           .window = said.window,
           .unit = said.unit,
           .side = said.side,
           .paper_value = {},
           .rank = said.rank},
          evidence};
}

const std::string kLargerRates =
    "BN primarily enables training with larger learning rates, which is the cause for faster convergence and better "
    "generalization. (Abstract)";

std::vector<Arm> with_tests(const std::vector<Arm>& arms) {
  std::vector<Arm> all = arms;
  for (const Arm& arm : arms) all.push_back(tested_after(arm));
  return all;
}

std::vector<RateClaim> accuracy_claims(const ArmRuns& runs) {
  const TrainedNetwork p = trained_network(runs.setting());
  const Window window = p.last_quarter();
  const Arm &high = with_bn()[0], &middle = with_bn()[1], &low = with_bn()[2], &plain_high = without_bn()[0],
            &plain_middle = without_bn()[1], &plain_low = without_bn()[2];
  const PerSeed at_high = tested(runs, high), at_middle = tested(runs, middle), at_low = tested(runs, low),
                without = tested(runs, plain_low);
  const PerSeed from_rate = points_between(at_high, at_low), from_bn = points_between(at_low, without);
  const std::string end = "after the last step", test = "accuracy on the whole test split, ";
  const std::vector<Arm> low_pair = {low, plain_low};
  return {
      rate_claim(
          {.id = "highest-rate-is-best",
           .sentence = fmt::format("With BN the network does best on test images at the highest rate, {}.", p.high),
           .quote = kLargerRates,
           .statistic = test + "at the highest rate minus the better of the other two, with BN",
           .window = end,
           .side = Side::above(0),
           .rank = Rank::kPrimary},
          paired(runs, with_tests(with_bn()), {learned(runs, {high}, window)},
                 points_between(at_high, larger(at_middle, at_low)))),
      rate_claim({.id = "alike-at-lowest-rate",
                  .sentence = fmt::format("At the lowest rate, {}, BN makes no difference to the test accuracy: less "
                                          "than two points.",
                                          p.low),
                  .quote = "(Section 2, on Fig. 1: at the rate that the network without BN needs, the one with BN does "
                           "no better; paraphrased.)",
                  .statistic = test + "with BN minus without, at the lowest rate; the bound is ours",
                  .window = end,
                  .side = Side::within(-2, 2),
                  .rank = Rank::kPrimary},
                 paired(runs, with_tests(low_pair), {learned(runs, low_pair, window)}, from_bn)),
      rate_claim({.id = "rate-not-bn",
                  .sentence = "What BN gains on test images it gains by the higher rate: from the lowest rate to the "
                              "highest, more than from no BN to BN at the lowest.",
                  .quote = kLargerRates,
                  .statistic = test + "(BN at the highest rate minus BN at the lowest) minus (BN minus none at the "
                                      "lowest)",
                  .window = end,
                  .side = Side::above(0),
                  .rank = Rank::kPrimary},
                 paired(runs, with_tests({high, low, plain_low}), {learned(runs, {high, low, plain_low}, window)},
                        minus(from_rate, from_bn))),
      rate_claim({.id = "faster-at-highest-rate",
                  .sentence = "With BN the network trains faster at the highest rate than at the lowest.",
                  .quote = kLargerRates,
                  .statistic = "mean training accuracy over the window, at the highest rate minus at the lowest, with "
                               "BN",
                  .window = Window{0, p.steps / 2}.text(),
                  .side = Side::above(0)},
                 paired(runs, {high, low}, {learned(runs, {high}, window)},
                        points_between(accuracy(runs, high, {0, p.steps / 2}), accuracy(runs, low, {0, p.steps / 2})))),
      rate_claim({.id = "bn-stands-highest-rate",
                  .sentence = "At the highest rate the network trains with BN and not without.",
                  .quote = kLargerRates,
                  .statistic = "mean training accuracy over the window, with BN minus without, at the highest rate; a "
                               "run that diverges counts as guessing",
                  .window = window.text(),
                  .side = Side::above(0)},
                 paired(runs, {high, plain_high}, {learned(runs, {high}, window)},
                        points_between(accuracy(runs, high, window), accuracy(runs, plain_high, window)))),
      rate_claim({.id = "bn-better-at-middle-rate",
                  .sentence = "At the middle rate the network does better on test images with BN.",
                  .quote = "(Fig. 1: without BN it cannot be trained at this rate; paraphrased.)",
                  .statistic = test + "with BN minus without, at the middle rate",
                  .window = end,
                  .side = Side::above(0)},
                 paired(runs, with_tests({middle, plain_middle}), {learned(runs, {middle}, window)},
                        points_between(at_middle, tested(runs, plain_middle))))};
}

std::vector<RateClaim> divergence_claims(const ArmRuns& runs) {
  const TrainedNetwork p = trained_network(runs.setting());
  const std::string quote =
                        "For networks without BN we demonstrate how large updates can result in diverging loss. "
                        "(Abstract)",
                    unit = "share of seeds", first = fmt::format("the first {} steps", kDeepSteps);
  const auto share = [&](bool bn, double rate) { return diverged(runs, deep_at(bn, rate)); };
  const double lowest = kDeepRates.front(), highest = kDeepRates.back();
  return {
      rate_claim({.id = "deep-diverges-without-bn",
                  .sentence = fmt::format("At rate {} the deep network diverges within its first steps without BN, and "
                                          "does not with BN.",
                                          highest),
                  .quote = quote,
                  .statistic = "1 if a mini-batch's loss passes 1000, else 0: without BN minus with; supported if "
                               "above a half",
                  .window = first,
                  .side = Side::above(0.5),
                  .rank = Rank::kPrimary,
                  .unit = unit},
                 paired(runs, {deep_at(true, highest), deep_at(false, highest)}, {},
                        minus(share(false, highest), share(true, highest)))),
      rate_claim({.id = "deep-stands-lowest-rate",
                  .sentence = fmt::format("At rate {} the deep network does not diverge without BN.", lowest),
                  .quote = "(Section 2: the highest rate at which it could be trained without BN; paraphrased.)",
                  .statistic = "1 if a mini-batch's loss passes 1000, else 0; supported if below a half",
                  .window = first,
                  .side = Side::below(0.5),
                  .unit = unit},
                 paired(runs, {deep_at(false, lowest)}, {}, share(false, lowest))),
      rate_claim({.id = "trained-diverges-without-bn",
                  .sentence = fmt::format(
                      "The network of the curves, too, diverges without BN at the highest rate, {}.", p.high),
                  .quote = quote,
                  .statistic = "1 if a mini-batch's loss passes 1000, else 0; supported if above a half",
                  .window = Window{0, p.steps}.text(),
                  .side = Side::above(0.5),
                  .unit = unit},
                 paired(runs, {without_bn()[0]}, {}, diverged(runs, without_bn()[0])))};
}

std::vector<RateClaim> claims_of_rates(const ArmRuns& runs) {
  std::vector<RateClaim> all = accuracy_claims(runs);
  for (RateClaim& claim : divergence_claims(runs)) all.push_back(std::move(claim));
  return all;
}

std::vector<PaperNumber> numbers_of_rates(const ArmRuns& runs) {
  const TrainedNetwork p = trained_network(runs.setting());
  std::vector<PaperNumber> numbers;
  for (const auto& [name, arms] : {std::pair("with BN", with_bn()), std::pair("without BN", without_bn())}) {
    for (size_t i = 0; i < arms.size(); ++i) {
      PerSeed values = tested(runs, arms[i]);
      for (double& value : values) value *= 100;
      numbers.push_back({fmt::format("test accuracy {}, rate {} (%)", name, p.rates()[i]), "–",
                         values.empty() ? "–" : mean_and_interval(values, 1), outcomes_in_words(runs, arms[i])});
    }
  }
  return numbers;
}

std::vector<std::string> answer_of_rates(const ArmRuns& runs, const std::vector<RateClaim>& all) {
  if (!have_evidence(all)) return {};
  const auto judged = judge(all);
  const auto text = [&](const char* id, const char* unit) {
    const JudgedClaim& claim = find_claim(judged, id);
    return fmt::format("{} ({} {})", to_string(claim.verdict), signed_text(claim.interval.mean, 1), unit);
  };
  const auto verdict = [&](const char* id) { return to_string(find_claim(judged, id).verdict); };
  return {
      fmt::format("That with BN the highest rate does best on test images is {}; that at the lowest rate BN makes no "
                  "difference, {}; that the rate gives more than BN at the lowest rate does, {}.",
                  text("highest-rate-is-best", "points"), text("alike-at-lowest-rate", "points"),
                  text("rate-not-bn", "points")),
      fmt::format("That the deep network diverges at once without BN, at a rate at which it does not with BN, is {}. "
                  "The network of the curves at the highest rate without BN: {}.",
                  verdict("deep-diverges-without-bn"), outcomes_in_words(runs, without_bn()[0]))};
}

Findings findings_of_rates(const Setting& setting, Results& results) {
  const ArmRuns runs(setting, results);
  const auto all = claims_of_rates(runs);
  return {{rates_curves_figure(runs), outcomes_figure(runs), deep_losses_figure(runs)},
          all,
          numbers_of_rates(runs),
          answer_of_rates(runs, all)};
}

}  // namespace

Experiment bjorck_fig1() {
  return {
      "bjorck-fig1",
      "BN and the learning rate",
      {"M17"},
      bjorck::kSource,
      "Fig. 1",
      "Is it the higher learning rate that BN allows, rather than BN itself, that makes networks train faster and "
      "do better on test images?",
      plan_of_rates,
      what_was_trained_at_rates,
      findings_of_rates,
      {.chapter = Chapter::kWhyItWorks,
       .plainly = "The same residual network is trained with BN and without at a high, a middle and a low learning "
                  "rate. Compare red and blue at the same rate, and then red at different rates: which makes more "
                  "of a difference?",
       .headline = "deep-diverges-without-bn",
       .in_short = "A deep network without BN breaks in its first steps at learning rates that it stands with BN."}};
}

}  // namespace bnlab
