// Inside a network without BN while the update is made that breaks it. Run it: bnlab reproduce --only bjorck-fig4
#include <fmt/format.h>

#include <cmath>

#include "bnlab/experiments/bjorck/bjorck.h"
#include "bnlab/study/curves.h"
#include "bnlab/study/evidence.h"

namespace bnlab {
namespace {

const std::string kFractions = "update-fractions";
// A rate at which the first update makes the paper's network diverge, and does not lead out of the range of float.
constexpr double kBreakingRate = 0.005, kLongRate = 0.5;
constexpr double kDivergedLoss = 1000;                                    // the paper's
const double kExplodes = std::log(100.0), kStaysInSize = std::log(10.0);  // ours
const double kMostCounted = std::log(1e4);
const std::string kCounted = "; one above 10,000 counts as 10,000",
                  kBounds = kCounted + ", and that 100 is \"orders of magnitude\" is ours",
                  kTenfold = kCounted + ", and the bound, 10, is ours";

/// The paper's layers #8, #44 and #80 of 110.
struct ThreeLayers {
  int64_t low, middle, high;
  explicit ThreeLayers(Scale scale) {
    const int64_t layers = bjorck::deep_network(scale).layers;
    low = std::max<int64_t>(1, 8 * layers / 109);
    middle = 44 * layers / 109;
    high = 80 * layers / 109;
  }
  std::vector<int64_t> all() const { return {low, middle, high}; }
};

// Plain SGD without weight decay, whose first update is the paper's but for a two-thousandth of the weights.
Arm updated(const std::string& name, const ArmStyle& style, bool bn, double rate) {
  return {{name, style.color, style.dash}, [bn, rate](const Setting& setting, int64_t seed) {
            TrainSpec spec = bjorck::first_steps(setting, seed, bn, rate, 2);
            spec.optimizer.name = "sgd";
            spec.optimizer.options = {};
            spec.optimizer.weight_decay = 0;
            spec.probes.push_back({kFractions, 0, 2, false, {{"layers", ThreeLayers(setting.scale).all()}}});
            return spec;
          }};
}
const Arm kBreaking = updated("no BN, rate 0.005", {"", colors::kBlue}, false, kBreakingRate),
          kSameRate = updated("BN, rate 0.005", {"", colors::kRed}, true, kBreakingRate),
          kSameLength = updated("BN, rate 0.5", {"", colors::kRed, {6, 4}}, true, kLongRate);
const std::vector<Arm> kUpdated = {kBreaking, kSameRate, kSameLength};

std::vector<std::string> what_was_updated(const Setting& setting) {
  const ThreeLayers layers(setting.scale);
  return {bjorck::what_was_started(setting),
          fmt::format(
              "One update of plain SGD, the first, is made in steps of 10 %, and the mini-batch that it was made for "
              "passes through at each. Looked at: what convolutions #{}, #{} and #{} give (in "
              "front of BN, where there is one). A network has diverged when the loss of a mini-batch is above {}; "
              "without BN, at rate {}, it is so behind the first update. With BN two updates are shown beside it: at "
              "the same rate, which makes a far shorter one, and at rate {}, which makes one that is about as long.",
              layers.low, layers.middle, layers.high, kDivergedLoss, kBreakingRate, kLongRate)};
}

/// What a run recorded; infinity where it went beyond all numbers, NaN where there is no record.
double recorded(RunReader& run, int64_t layer, const std::string& name) {
  const auto value = run.scalar_at({kFractions, layer, name}, 0);
  if (!value) return NAN;
  return std::isfinite(*value) ? *value : INFINITY;
}

/// ln of large / small as it counts: at most kMostCounted, since else the mean over the seeds would be that of the one
/// in which values grow the most; NaN where one is missing or both are beyond all numbers.
double counted(double large, double small) {
  return std::min(std::log(large / small), kMostCounted);  // of NaN, min gives its first argument
}

/// ln of the factor by which a whole update raises "variance" or "mean" of a layer.
PerSeed raised(const ArmRuns& runs, const Arm& arm, int64_t layer, const std::string& what) {
  return each(runs, arm, [&](RunReader& run) {
    return counted(recorded(run, layer, what + "_after"), recorded(run, layer, what + "_before"));
  });
}

/// Whether the update is one behind which the network has diverged, in every seed.
Precondition breaks(const ArmRuns& runs) {
  Precondition precondition{"update-diverges", true, ""};
  double least = INFINITY;
  for (RunReader* run : runs.of(kBreaking)) {
    const double loss = run->scalar_at({"train", 0, "loss"}, 1).value_or(0);
    if (loss <= kDivergedLoss) precondition.holds = false;
    if (!std::isnan(loss)) least = std::min(least, loss);
  }
  precondition.detail = fmt::format("{}: smallest loss behind the update {:.2g} (asked: above {})", kBreaking.name(),
                                    least, kDivergedLoss);
  return precondition;
}

using UpdateClaim = std::pair<Claim, Evidence>;

std::vector<UpdateClaim> update_claims(const ArmRuns& runs) {
  const ThreeLayers layers(runs.setting().scale);
  const std::string abstract =
                        "For networks without BN we demonstrate how large updates can result in diverging loss and "
                        "activations growing uncontrollably with network depth. (Abstract)",
                    bn = "BN avoids this problem by constantly correcting activations to be zero-mean and of unit "
                         "standard deviation, which enables larger gradient steps. (Abstract)",
                    figure =
                        "(Section 3, on Fig. 4: activations and variances of the later layers are orders of "
                        "magnitude higher than those of the earlier; paraphrased.)";
  const auto claim = [&](const std::string& id, const std::string& sentence, const std::string& quote,
                         const std::string& statistic, int64_t layer, const Side& side, Rank rank,
                         const std::vector<Arm>& arms, const PerSeed& effects) -> UpdateClaim {
    return {{.id = id,
             .sentence = sentence,
             .quote = quote,
             .statistic = statistic,
             .window = fmt::format("the first update, layer #{}", layer),
             .unit = "log ratio",
             .side = side,
             .paper_value = {},
             .rank = rank},
            paired(runs, arms, {breaks(runs)}, effects)};
  };
  const std::string of_variance = "ln of the factor by which the whole update raises the mean variance of a channel",
                    of_means =
                        "ln of the factor by which the whole update raises the root mean square of the "
                        "channels' means";
  const Side explodes = Side::above(kExplodes), contained = Side::below(kExplodes);
  const PerSeed scales = each(runs, kBreaking, [&](RunReader& run) {
    return counted(recorded(run, layers.high, "variance_after"), recorded(run, layers.low, "variance_after"));
  });
  return {
      claim("upper-explodes",
            "A diverging update raises the variances of the channels of an upper layer by orders of "
            "magnitude.",
            abstract, of_variance + kBounds, layers.high, explodes, Rank::kPrimary, {kBreaking},
            raised(runs, kBreaking, layers.high, "variance")),
      claim("lower-stays", "It does not do so in a lower layer: less than tenfold.", figure, of_variance + kTenfold,
            layers.low, Side::below(kStaysInSize), Rank::kPrimary, {kBreaking},
            raised(runs, kBreaking, layers.low, "variance")),
      claim("upper-beyond-lower",
            "Behind it the variances of the upper layer are orders of magnitude higher than "
            "those of the lower.",
            figure,
            fmt::format("ln of the ratio, layer #{} to layer #{}, of the mean variance of a channel{}", layers.high,
                        layers.low, kBounds),
            layers.high, explodes, Rank::kPrimary, {kBreaking}, scales),
      claim("bn-contains-length",
            "With BN an update about as long leaves the upper layer's variances within those "
            "bounds: less than 100-fold.",
            bn, of_variance + kBounds, layers.high, contained, Rank::kPrimary, {kBreaking, kSameLength},
            raised(runs, kSameLength, layers.high, "variance")),
      claim("bn-contains-rate", "With BN so does an update at the same rate.", bn, of_variance + kBounds, layers.high,
            contained, Rank::kSecondary, {kBreaking, kSameRate}, raised(runs, kSameRate, layers.high, "variance")),
      claim("middle-explodes", "In a middle layer, too, the variances rise by orders of magnitude.", figure,
            of_variance + kBounds, layers.middle, explodes, Rank::kSecondary, {kBreaking},
            raised(runs, kBreaking, layers.middle, "variance")),
      claim("upper-means-explode", "So do the means of the upper layer's channels.", abstract, of_means + kBounds,
            layers.high, explodes, Rank::kSecondary, {kBreaking}, raised(runs, kBreaking, layers.high, "mean")),
      claim("lower-means-stay", "The means of the lower layer's channels rise less than tenfold.", figure,
            of_means + kTenfold, layers.low, Side::below(kStaysInSize), Rank::kSecondary, {kBreaking},
            raised(runs, kBreaking, layers.low, "mean"))};
}

/// The values of an array of the first look that a run has under `key`; empty if none.
std::vector<double> first_array(RunReader& run, const Key& key, int64_t* columns = nullptr) {
  const auto arrays = run.arrays(key);
  if (arrays.empty()) return {};
  if (columns) *columns = arrays.front().shape.back();
  return arrays.front().as_doubles();
}

/// Against the share of the update that is made: geometric mean, lowest and highest of the seeds of a number.
Json by_fraction(const ArmRuns& runs, const std::string& y_title,
                 const std::function<std::vector<double>(RunReader& run)>& line) {
  std::vector<BandPoint> points;
  for (const Arm& arm : kUpdated) {
    std::vector<std::vector<double>> logs;  // by fraction
    std::vector<double> fractions;
    for (RunReader* run : runs.of(arm)) {
      const std::vector<double> values = line(*run);
      fractions = first_array(*run, {kFractions, 0, "fraction"});
      logs.resize(values.size());
      for (size_t k = 0; k < values.size(); ++k) logs[k].push_back(std::log(values[k]));
    }
    for (size_t k = 0; k < logs.size(); ++k) {
      const BandPoint point = band_point(arm.name(), 100 * fractions.at(k), logs[k]);
      points.push_back({point.arm, point.x, std::exp(point.mean), std::exp(point.low), std::exp(point.high)});
    }
  }
  return band_chart(points, styles_of(kUpdated), "share of the update (%)", y_title, {.log_y = true});
}

/// The mean over the channels at each fraction.
std::vector<double> over_channels(RunReader& run, int64_t layer, const std::string& name) {
  int64_t channels = 1;
  const std::vector<double> values = first_array(run, {kFractions, layer, name}, &channels);
  const auto count = static_cast<size_t>(channels);
  std::vector<double> means(values.size() / count);
  for (size_t i = 0; i < values.size(); ++i) means[i / count] += values[i] / static_cast<double>(channels);
  return means;
}

Figure growing_figure(const ArmRuns& runs) {
  std::vector<Panel> charts;
  for (const int64_t layer : ThreeLayers(runs.setting().scale).all()) {
    charts.push_back({fmt::format("layer #{}", layer),
                      by_fraction(runs, "variance of a channel (logarithmic)",
                                  [=](RunReader& run) { return over_channels(run, layer, "variance"); })});
  }
  charts.push_back({"the loss", by_fraction(runs, "loss (logarithmic)", [](RunReader& run) {
                      return first_array(run, {kFractions, 0, "loss"});
                    })});
  return {"a", "One update, made bit by bit",
          "From left to right more and more of one and the same update is made. The first three panels: how widely the "
          "values of a low, a middle and a high layer spread (variance of a channel, mean over channels); the last: "
          "the loss. Logarithmic: a straight rise is growth by ever the same factor. Blue, without BN: the update "
          "under which the network diverges. Does the high layer's curve leave the picture while the low layer's "
          "hardly moves? Then the values grow from layer to layer. Red, with BN: the first update at the same rate, "
          "and, dashed, one that is about as long. Line: geometric mean over seeds, band: lowest to highest.",
          panels(charts, 2)};
}

/// Channels from left to right, more of the update from above downwards.
Json channels_map(const ArmRuns& runs, const Arm& arm, int64_t layer, const std::string& name) {
  std::vector<HeatCell> cells;
  if (!runs.of(arm).empty()) {
    int64_t channels = 1;
    const auto values = first_array(*runs.of(arm).front(), {kFractions, layer, name}, &channels);
    const auto fractions = first_array(*runs.of(arm).front(), {kFractions, 0, "fraction"});
    const auto count = static_cast<size_t>(channels);
    for (size_t i = 0; i < values.size(); ++i) {
      cells.push_back(
          {fmt::format("{:.0f} %", 100 * fractions.at(i / count)), std::to_string(i % count + 1), std::abs(values[i])});
    }
  }
  return heat_map_chart(cells, "share of the update", "channel", name == "mean" ? "|mean|" : "variance", {.log = true});
}

Figure map_figure(const std::string& id, const std::string& title, const std::string& caption, const ArmRuns& runs,
                  const Arm& arm) {
  std::vector<Panel> charts;
  for (const int64_t layer : ThreeLayers(runs.setting().scale).all()) {
    charts.push_back({fmt::format("layer #{}, means", layer), channels_map(runs, arm, layer, "mean")});
    charts.push_back({fmt::format("layer #{}, variances", layer), channels_map(runs, arm, layer, "variance")});
  }
  return {id, title,
          fmt::format("Each column is a channel, each row a share of the update, from nothing (above) to the whole "
                      "(below); sizes of means on the left, variances on the right, a low, a middle and a high layer "
                      "from above (seed {}). Every map has its own scale of colours, which is logarithmic: {}",
                      runs.setting().seeds.front(), caption),
          panels(charts, 2)};
}

std::vector<PaperNumber> numbers_of_updates(const ArmRuns& runs) {
  const auto geometric = [&](const Arm& arm, int64_t layer, const std::string& name) {
    PerSeed logs = each(runs, arm, [&](RunReader& run) { return std::log(recorded(run, layer, name)); });
    return logs.empty() ? std::string("–") : fmt::format("{:.2g}", std::exp(mean_of(logs)));
  };
  std::vector<PaperNumber> numbers;
  for (const Arm& arm : kUpdated) {
    numbers.push_back({"length of the update, " + arm.name(), "–", geometric(arm, 0, "length"),
                       "L2 norm over all weights; geometric mean over seeds."});
    numbers.push_back({"loss before and behind, " + arm.name(), "above 1000 behind",
                       geometric(arm, 0, "loss_before") + " → " + geometric(arm, 0, "loss_after"),
                       "Geometric means over seeds; the paper's is its criterion, without BN."});
  }
  return numbers;
}

std::vector<std::string> answer_of_updates(const ArmRuns& runs, const std::vector<UpdateClaim>& all) {
  if (!have_evidence(all)) return {};
  const auto judged = judge(all);
  const auto text = [&](const char* id) {
    const JudgedClaim& claim = find_claim(judged, id);
    return fmt::format("{} ({}{:.0f}-fold)", to_string(claim.verdict),
                       claim.interval.mean < kMostCounted ? "" : "at least ", std::exp(claim.interval.mean));
  };
  const ThreeLayers layers(runs.setting().scale);
  return {fmt::format(
      "That the update which makes the network diverge raises the variances of layer #{} by orders of magnitude is {}; "
      "that those of layer #{} rise less than tenfold, {}. That with BN an update about as long does no such thing in "
      "layer #{} is {}.",
      layers.high, text("upper-explodes"), layers.low, text("lower-stays"), layers.high, text("bn-contains-length"))};
}

Findings findings_of_updates(const Setting& setting, Results& results) {
  const ArmRuns runs(setting, results);
  const auto all = update_claims(runs);
  return {{growing_figure(runs),
           map_figure("b", "Every channel, without BN",
                      "read off at its ends by how much values grow. The paper's Fig. 4.", runs, kBreaking),
           map_figure("c", "Every channel, with BN, under an update about as long",
                      "do its ends lie as far apart as in figure b? (The paper does not show it.)", runs, kSameLength)},
          all,
          numbers_of_updates(runs),
          answer_of_updates(runs, all)};
}

}  // namespace

Experiment bjorck_fig4() {
  return {"bjorck-fig4",
          "Inside a network that diverges",
          {"M22"},
          bjorck::kSource,
          "Fig. 4",
          "What happens to the values inside a network while an update is made that makes it diverge?",
          runs_of(kUpdated),
          what_was_updated,
          findings_of_updates,
          {.chapter = Chapter::kWhyItWorks,
           .plainly = "One step of training breaks a deep network without BN; here it is made in tenths. Look at how "
                      "the values in a low, a middle and a high layer grow as more of it is made.",
           .headline = "upper-explodes",
           .in_short = "A step that breaks a deep network without BN makes the values of its upper layers explode."}};
}

}  // namespace bnlab
