// A weight's gradient is a sum over images and places: do its terms add up, or cancel? Bjorck et al. 2018, section 3.3
// and Table 1. Run it: bnlab reproduce --only bjorck-table1
//
// The paper's a = Σ|d| and b = |Σd| are means over all weights of a convolution. Its words "similar in magnitude" and
// "two orders of magnitude" are judged by the same bound, one order of magnitude, halfway between 1 and 100 (ours).
// Its layers are 18, 54 and 90 of 110.
#include <fmt/format.h>

#include <cmath>

#include "bnlab/experiments/bjorck/at_start.h"
#include "bnlab/study/curves.h"

namespace bnlab {
namespace bjorck {
namespace {

constexpr char kTerms[] = "gradient-terms";
const double kOneOrder = std::log(10);

/// a/b of Table 1.
struct PaperRow {
  std::string layer, name;
  double bn, none;
};
const std::vector<PaperRow> kPaperRows = {
    {"low", "18", 251.8, 1.7}, {"middle", "54", 112.8, 2.6}, {"high", "90", 40.7, 2.1}};

PerSeed cancelled(const ArmRuns& runs, const Arm& arm, int64_t layer) {
  return log_ratio(at_step_0(runs, arm, {kTerms, layer, "absolute"}), at_step_0(runs, arm, {kTerms, layer, "sum"}));
}

std::vector<std::pair<Claim, Evidence>> layer_claims(const ArmRuns& runs, const PaperRow& paper) {
  const StartArms& arms = at_start();
  const int64_t layer = seen_layer(runs.setting().scale, paper.layer).number;
  const bool middle = paper.layer == "middle";
  const std::string suffix = middle ? "" : "-" + paper.layer,
                    quote =
                        "(Section 3.3 and Table 1: without BN the sum of magnitudes and the magnitude of the sum are "
                        "similar, so that the terms have matching signs; with BN they differ by about two orders of "
                        "magnitude; paraphrased.)",
                    ratio =
                        "ln of a/b, with a = Σ|d| and b = |Σd| over the batch and all places, each averaged over the "
                        "weights of the convolution",
                    window = fmt::format("before training, one batch, layer {}", layer);
  const PerSeed with = cancelled(runs, arms.bn, layer), without = cancelled(runs, arms.none, layer);
  const auto claim = [&](const std::string& id, const std::string& sentence, const std::string& statistic,
                         const Side& side, double value, const std::vector<Arm>& of, const PerSeed& effects) {
    return std::pair{
        Claim{.id = id + suffix,
              .sentence = sentence,
              .quote = quote,
              .statistic = statistic,
              .window = window,
              .unit = "log ratio",
              .side = side,
              .paper_value = value,
              .rank = middle ? Rank::kPrimary : Rank::kSecondary},
        paired(runs, of, {signal_arrives(runs, of, {{kTerms, layer, "absolute"}, {kTerms, layer, "sum"}})}, effects)};
  };
  return {
      claim("bn-cancels-more",
            fmt::format("In the {} layer the terms of a weight's gradient cancel more with BN than without.",
                        paper.layer),
            ratio + "; BN minus no BN", Side::above(0), std::log(paper.bn / paper.none), arms.both(),
            minus(with, without)),
      claim("bn-cancels",
            fmt::format("With BN they cancel in the {} layer to less than a tenth of their magnitudes.", paper.layer),
            ratio + "; the bound, one order of magnitude, is ours", Side::above(kOneOrder), std::log(paper.bn),
            {arms.bn}, with),
      claim(
          "none-adds-up",
          fmt::format("Without BN they add up in the {} layer to more than a tenth of their magnitudes.", paper.layer),
          ratio + "; the bound, one order of magnitude, is ours", Side::below(kOneOrder), std::log(paper.none),
          {arms.none}, without)};
}

std::vector<std::pair<Claim, Evidence>> table1_claims(const ArmRuns& runs) {
  std::vector<std::pair<Claim, Evidence>> all;
  for (const char* name : {"middle", "low", "high"}) {
    for (const PaperRow& row : kPaperRows) {
      if (row.layer != name) continue;
      for (auto& claim : layer_claims(runs, row)) all.push_back(std::move(claim));
    }
  }
  return all;
}

std::string mean_ratio(const PerSeed& logs) {
  return logs.empty() ? "" : fmt::format("{:.1f}", std::exp(mean_of(logs)));
}

std::vector<PaperNumber> table1_numbers(const ArmRuns& runs) {
  std::vector<PaperNumber> numbers;
  for (const PaperRow& row : kPaperRows) {
    const int64_t layer = seen_layer(runs.setting().scale, row.layer).number;
    const std::string note =
        fmt::format("their layer {}, CIFAR-10, batch 128; ours: layer {}, geometric mean of seeds", row.name, layer);
    numbers.push_back({fmt::format("a/b with BN, {} layer", row.layer), fmt::format("{:.1f}", row.bn),
                       mean_ratio(cancelled(runs, at_start().bn, layer)), note});
    numbers.push_back({fmt::format("a/b without BN, {} layer", row.layer), fmt::format("{:.1f}", row.none),
                       mean_ratio(cancelled(runs, at_start().none, layer)), note});
  }
  return numbers;
}

using Number = std::function<PerSeed(const Arm& arm, int64_t layer)>;

Json by_layer_strip(const ArmRuns& runs, const std::string& title, const Number& number) {
  std::vector<SeedValue> values;
  for (const SeenLayer& layer : seen_layers(runs.setting().scale)) {
    for (const Arm& arm : at_start().both()) {
      const PerSeed numbers = number(arm, layer.number);
      for (size_t i = 0; i < numbers.size(); ++i) {
        values.push_back({fmt::format("layer {}", layer.number), arm.name(), runs.setting().seeds[i], numbers[i]});
      }
    }
  }
  return strip_chart(values, styles_of(at_start().both()), "", title, {.log = true});
}

Figure ratio_figure(const ArmRuns& runs) {
  return {
      "a", "How much the terms of a gradient cancel",
      "A weight's gradient is the sum of what each image and each place of the feature map ask for. Drawn is a/b: the "
      "sum of the magnitudes of these terms over the magnitude of their sum (means over a layer's weights; "
      "logarithmic), in a low, the middle and a high layer. At 1 all terms have one sign, whatever the image; at 100 "
      "only a hundredth is left of them. Terms of independent signs would give about the root of their number. The "
      "paper: blue, without BN, near 2; red, with BN, near 100. A dot a seed, "
      "with mean and 95 % interval of the logarithms.",
      by_layer_strip(runs, "sum of magnitudes / magnitude of the sum (logarithmic)",
                     [&](const Arm& arm, int64_t layer) {
                       PerSeed ratios = cancelled(runs, arm, layer);
                       for (double& value : ratios) value = std::exp(value);
                       return ratios;
                     })};
}

Figure sums_figure(const ArmRuns& runs) {
  const auto recorded = [&](const char* name) {
    return [&runs, name](const Arm& arm, int64_t layer) { return at_step_0(runs, arm, {kTerms, layer, name}); };
  };
  return {
      "b", "Both sums",
      "The two columns of the paper's Table 1. Left: the sum of the terms' magnitudes, right: the magnitude of their "
      "sum, which is that of the gradient. If the networks differ on the left as much as on the right, they differ "
      "in size and not in cancelling.",
      panels({{"a: sum of magnitudes", by_layer_strip(runs, "Σ|d| (logarithmic)", recorded("absolute"))},
              {"b: magnitude of the sum", by_layer_strip(runs, "|Σd| (logarithmic)", recorded("sum"))}},
             2)};
}

std::vector<std::string> table1_was_run(const Setting& setting) {
  return {
      what_was_started(setting),
      "Looked at once, before the first step. For a convolution's weight the terms of the gradient of the batch's "
      "mean loss are the products of the gradient at a place of the layer's result and the input under the weight "
      "there, one for every image and place. The probe sums their magnitudes exactly: the magnitude of a product is "
      "the product of the magnitudes.",
      "How far terms can cancel depends on how many there are: n terms of independent signs give an a/b of about √n. "
      "The paper's layers have 131,072, 32,768 and 8,192 terms (√n: 362, 181, 91). Smaller images and batches have "
      "fewer: 64 images of 14×14 pixels give 12,544, 3,136 and 1,024 (√n: 112, 56, 32), so that there the paper's "
      "numbers with BN are out of reach, and only their order can be compared."};
}

Findings table1_findings(const Setting& setting, Results& results) {
  const ArmRuns runs(setting, results);
  return {{ratio_figure(runs), sums_figure(runs)}, table1_claims(runs), table1_numbers(runs)};
}

}  // namespace
}  // namespace bjorck

Experiment bjorck_table1() {
  return {
      "bjorck-table1",
      "Do the terms of a gradient cancel?",
      {"M23"},
      bjorck::kSource,
      "Table 1",
      "Does a weight's gradient depend on the image, so that its terms cancel, with BN more than without?",
      runs_of(bjorck::at_start().both()),
      bjorck::table1_was_run,
      bjorck::table1_findings,
      {.plainly = "Every image and every place of a feature map has its own say in how a weight should change, and the "
                  "gradient is the sum of all of them. The picture shows how much is lost because they disagree: "
                  "nothing at 1, almost all far to the right."}};
}

}  // namespace bnlab
