// Why gamma and beta: Ioffe & Szegedy 2015, section 3. Run it: bnlab reproduce --only affine
#include <fmt/format.h>

#include <cmath>
#include <functional>
#include <tuple>

#include "bnlab/experiments/basics/basics.h"
#include "bnlab/study/curves.h"
#include "bnlab/study/evidence.h"

namespace bnlab {
namespace {

constexpr int64_t kHiddenLayers = 3;      // of 100 units with sigmoids: the network of the paper's section 4.1
constexpr double kRounding = 1e-3;        // of the outputs' spread: far above float's rounding, far below what one sees
constexpr double kAnotherFunction = 0.1;  // of the outputs' spread
constexpr double kLittle = 2;             // percentage points: the paper trains no such networks and gives no number

struct Protocol {
  int64_t width, batch, steps, observe_every;
};

Protocol protocol(Scale scale) {
  switch (scale) {
    case Scale::kSmoke:
      return {16, 16, 12, 4};
    case Scale::kQuick:
      return {100, 60, 1000, 50};
    case Scale::kStandard:
      return {100, 60, 10000, 250};
    case Scale::kPaper:
      return {100, 60, 50000, 500};
  }
  throw std::logic_error("no such scale");
}

/// An activation function, and the rate at which all its networks are trained.
struct Kind {
  std::string id, name;
  double rate;
};
const Kind kSigmoid{"sigmoid", "sigmoid", 0.5}, kRelu{"relu", "ReLU", 0.1};

/// What BN learns, if there is BN.
struct Variant {
  std::string name, norm;
  Options options;
  std::string color;
  std::vector<int> dash;
};
const Variant kNone{"no BN", "none", {}, colors::kBlue, {}},
    kBoth{"BN, γ and β learned", "batch", {}, colors::kRed, {}},
    kFrozen{"BN, γ = 1, β = 0", "batch", {{"affine", 0}}, colors::kGold, {}},
    kOnlyGamma{"BN, β = 0", "batch", {{"beta", 0}}, colors::kGreen, {6, 4}},
    kOnlyBeta{"BN, γ = 1", "batch", {{"gamma", 0}}, colors::kPurple, {2, 3}};
const std::vector<Variant> kVariants = {kNone, kBoth, kFrozen, kOnlyGamma, kOnlyBeta};

TrainSpec train_spec(const Setting& setting, int64_t seed, const Kind& kind, const Variant& variant) {
  const Protocol p = protocol(setting.scale);
  TrainSpec spec;
  spec.data = {setting.data.set, setting.data.digest, "z-score", 0, "none"};
  spec.model.name = "mlp";
  spec.model.options = {
      {"layers", static_cast<double>(kHiddenLayers)}, {"width", static_cast<double>(p.width)}, {"activation", kind.id}};
  spec.model.norm.kind = variant.norm;
  spec.model.norm.options = variant.options;
  spec.optimizer.lr = kind.rate;
  spec.batch = p.batch;
  spec.steps = p.steps;
  spec.seed = seed;
  spec.probes.push_back({"activations", 0, p.observe_every, true, {{"layers", {1, 2, 3}}, {"samples", 512}}});
  return spec;
}

Arm arm(const Kind& kind, const Variant& variant) {
  return {{kind.name + ", " + variant.name, variant.color, variant.dash},
          [=](const Setting& setting, int64_t seed) { return train_spec(setting, seed, kind, variant); }};
}

std::vector<Arm> arms(const Kind& kind) {
  std::vector<Arm> all;
  for (const Variant& variant : kVariants) all.push_back(arm(kind, variant));
  return all;
}

/// The analysis of the finished networks without BN, into which it is inserted.
Arm inserted(const Kind& kind) {
  return {{kind.name + ", BN inserted", colors::kInk}};
}

Plan plan(const Setting& setting) {
  Plan plan(setting);
  for (const Kind& kind : {kSigmoid, kRelu}) {
    add_runs(plan, setting, arms(kind));
    for (const int64_t seed : setting.seeds) {
      const PlannedRun input = plan.run(arm(kind, kNone).name(), seed);
      plan.add(inserted(kind).name(), seed, "BN inserted into " + input.title,
               AnalysisSpec{"identity-recovery", Json::object(), {input.id}});
    }
  }
  return plan;
}

Window second_half(const Setting& setting) {
  const int64_t steps = protocol(setting.scale).steps;
  return {steps / 2, steps};
}

std::vector<std::string> what_was_run(const Setting& setting) {
  const Protocol p = protocol(setting.scale);
  return {
      fmt::format("A perceptron of {} hidden layers of {} units (the network of the paper's section 4.1) on {}, pixels "
                  "z-scored, once with sigmoids (learning rate {}) and once with ReLUs (rate {}): without BN; and with "
                  "BN before every activation, of whose γ and β are learned both, neither (γ = 1, β = 0), or one. "
                  "Plain SGD, batch {}, {} steps, Glorot initialization, {} seed{}; all networks of a seed start from "
                  "the same weights and see the same batches.",
                  kHiddenLayers, p.width, setting.data.title, kSigmoid.rate, kRelu.rate, p.batch, p.steps,
                  setting.seeds.size(), setting.seeds.size() == 1 ? "" : "s"),
      "Then BN is inserted into each finished network without it, nothing is trained any more, and the same 128 "
      "training images pass through: once with γ = √(σ² + ε) and β = μ, the mean and variance that each unit has on "
      "them, and once with γ = 1 and β = 0."};
}

PerSeed of_inserted(const ArmRuns& runs, const Kind& kind, int64_t layer, const std::string& name) {
  return each(runs, inserted(kind), [&](RunReader& run) {
    return run.scalar_at({"identity-recovery", layer, name}, 0).value_or(NAN);
  });
}

std::vector<std::pair<Claim, Evidence>> insertion_claims(const ArmRuns& runs, const Kind& kind, Rank rank) {
  const std::string window = "after the last step, 128 training images, network with " + kind.name + "s";
  const auto of = [&](const std::string& name) {
    return paired(runs, {inserted(kind)}, {}, of_inserted(runs, kind, 0, name));
  };
  return {
      {{.id = "identity-recovered-" + kind.id,
        .sentence = "BN can be inserted into a trained network and change nothing: with γ = √(σ² + ε) and β = μ its "
                    "outputs are the same up to rounding.",
        .quote = "Indeed, by setting γ = √Var[x] and β = E[x], we could recover the original activations, if that "
                 "were the optimal thing to do. (Section 3; the layer's index left out.)",
        .statistic = "largest |output with BN inserted − output without| / standard deviation of the outputs; the "
                     "bound is ours, float rounds at 1e-7",
        .window = window,
        .unit = "share of the outputs' standard deviation",
        .side = Side::below(kRounding),
        .paper_value = {},
        .rank = rank},
       of("recovered")},
      {{.id = "standardizing-changes-" + kind.id,
        .sentence = "With γ = 1 and β = 0 instead, the same insertion makes another function of the network.",
        .quote = "Note that simply normalizing each input of a layer may change what the layer can represent. "
                 "(Section 3)",
        .statistic = "root mean square of output with BN inserted − output without, / standard deviation of the "
                     "outputs; the bound is ours",
        .window = window,
        .unit = "share of the outputs' standard deviation",
        .side = Side::above(kAnotherFunction),
        .paper_value = {},
        .rank = rank},
       of("standardized")}};
}

/// 1 - r², where r is the correlation between what the sigmoids get and what they give: 0 on a straight line. Mean over
/// the layers and the window.
double bend(RunReader& run, const Window& window) {
  std::vector<double> bends;
  for (int64_t layer = 1; layer <= kHiddenLayers; ++layer) {
    for (const ArrayRecord& row : run.arrays({"activations", layer, "samples"})) {
      if (row.step < window.begin || row.step >= window.end) continue;
      const std::vector<double> x = row.as_doubles();
      std::vector<double> y;
      for (const double value : x) y.push_back(1 / (1 + std::exp(-value)));
      const double x_mean = mean_of(x), y_mean = mean_of(y);
      double xx = 0, xy = 0, yy = 0;
      for (size_t i = 0; i < x.size(); ++i) {
        xx += (x[i] - x_mean) * (x[i] - x_mean);
        xy += (x[i] - x_mean) * (y[i] - y_mean);
        yy += (y[i] - y_mean) * (y[i] - y_mean);
      }
      bends.push_back(1 - xy * xy / (xx * yy));
    }
  }
  return mean_of(bends);
}

std::pair<Claim, Evidence> bend_claim(const ArmRuns& runs) {
  const Arm frozen = arm(kSigmoid, kFrozen), both = arm(kSigmoid, kBoth);
  const Window window = second_half(runs.setting());
  const auto of = [&](const Arm& arm) { return each(runs, arm, [&](RunReader& run) { return bend(run, window); }); };
  return {
      {.id = "straighter-when-frozen-sigmoid",
       .sentence = "With γ = 1 and β = 0 the sigmoids work nearer to a straight line than where γ and β are learned.",
       .quote = "For instance, normalizing the inputs of a sigmoid would constrain them to the linear regime of the "
                "nonlinearity. (Section 3)",
       .statistic = "ln of the ratio, of γ = 1 and β = 0 to both learned, of 1 − r², where r is the correlation "
                    "between what the sigmoids get and what they give, over 512 values a layer; mean over the layers",
       .window = window.text(),
       .unit = "log ratio",
       .side = Side::below(0),
       .paper_value = {},
       .rank = Rank::kPrimary},
      paired(runs, {frozen, both}, {learned(runs, {frozen, both}, window)}, log_ratio(of(frozen), of(both)))};
}

/// What training with `variant` loses or gains beside `other`.
std::pair<Claim, Evidence> training_claim(const ArmRuns& runs, const Kind& kind, const Variant& variant,
                                          const Variant& other, const std::string& id, const std::string& sentence,
                                          const Side& side) {
  const Window window = second_half(runs.setting());
  const Arm one = arm(kind, variant), two = arm(kind, other);
  return {{.id = id + "-" + kind.id,
           .sentence = fmt::format("With {}s: {}", kind.name, sentence),
           .quote = "(Section 3 gives the reason for γ and β; it compares no networks without them; paraphrased.)",
           .statistic = fmt::format("mean training accuracy of \"{}\" minus \"{}\", over the window{}", variant.name,
                                    other.name, side.kind == Side::Kind::kWithin ? "; the bounds are ours" : ""),
           .window = window.text(),
           .unit = "percentage points",
           .side = side,
           .paper_value = {}},
          paired(runs, {one, two}, {learned(runs, {arm(kind, kBoth)}, window)},
                 points_between(accuracy(runs, one, window), accuracy(runs, two, window)))};
}

std::vector<std::pair<Claim, Evidence>> training_claims(const ArmRuns& runs, const Kind& kind) {
  const Side little = Side::within(-kLittle, kLittle);
  return {
      training_claim(runs, kind, kFrozen, kNone, "gains-without",
                     "BN helps also without γ and β: with γ = 1 and β = 0 the network trains better than without "
                     "BN.",
                     Side::above(0)),
      training_claim(runs, kind, kFrozen, kBoth, "freezing-costs-little",
                     "without learning γ and β the network with BN trains about as well, within two points.", little),
      training_claim(runs, kind, kOnlyGamma, kBoth, "gamma-alone",
                     "with γ learned and β = 0 it trains about as well as with both, within two points.", little),
      training_claim(runs, kind, kOnlyBeta, kBoth, "beta-alone",
                     "with β learned and γ = 1 it trains about as well as with both, within two points.", little)};
}

std::vector<std::pair<Claim, Evidence>> all_claims(const ArmRuns& runs) {
  std::vector<std::pair<Claim, Evidence>> all;
  for (const Kind& kind : {kSigmoid, kRelu}) {
    const Rank rank = kind.id == kSigmoid.id ? Rank::kPrimary : Rank::kSecondary;  // the paper's network has sigmoids
    for (auto& claim : insertion_claims(runs, kind, rank)) all.push_back(std::move(claim));
    if (kind.id == kSigmoid.id) all.push_back(bend_claim(runs));
    for (auto& claim : training_claims(runs, kind)) all.push_back(std::move(claim));
  }
  return all;
}

Figure insertion_figure(const ArmRuns& runs) {
  std::vector<Bar> bars;
  std::vector<ArmStyle> styles;
  for (const auto& [name, label, color] : {std::tuple{"standardized", "γ = 1, β = 0", colors::kGold},
                                           std::tuple{"recovered", "γ = √(σ² + ε), β = μ", colors::kRed}}) {
    styles.push_back({label, color});
    for (const Kind& kind : {kSigmoid, kRelu}) {
      for (int64_t layer = 1; layer <= kHiddenLayers + 1; ++layer) {
        const bool outputs = layer > kHiddenLayers;
        const PerSeed values = of_inserted(runs, kind, outputs ? 0 : layer, name);
        if (values.empty()) continue;
        const BandPoint point = band_point(label, 0, values);
        bars.push_back({fmt::format("{}, {}", kind.name, outputs ? "outputs" : fmt::format("layer {}", layer)), label,
                        point.mean, point.low, point.high});
      }
    }
  }
  return {"a", "BN inserted into a trained network",
          "How far the values in front of each activation, and the network's outputs, are from those without BN, in "
          "units of their standard deviation; logarithmic; dot: mean over seeds, line: lowest to highest. Gold: with "
          "γ = 1, β = 0, root mean square: another function. Red: with γ and β set to what BN takes away, the largest "
          "difference of all: only the rounding of float numbers (1e-7 a number) is left. So a network with BN can "
          "still be the network without.",
          bar_chart(bars, styles, "", "difference / standard deviation", {.log = true, .horizontal = true})};
}

/// A chart for each activation function, in which the variants have their own names.
Json by_kind(const std::function<std::vector<BandPoint>(const std::vector<Arm>& arms)>& points,
             const std::string& y_title) {
  std::vector<Panel> charts;
  for (const Kind& kind : {kSigmoid, kRelu}) {
    std::vector<BandPoint> all;
    std::vector<ArmStyle> styles;
    for (const Variant& variant : kVariants) {
      styles.push_back({variant.name, variant.color, variant.dash});
      for (BandPoint point : points({arm(kind, variant)})) {
        point.arm = variant.name;
        all.push_back(point);
      }
    }
    charts.push_back({kind.name + "s", band_chart(all, styles, "training step", y_title)});
  }
  return panels(charts, 2);
}

Figure accuracy_figure(const ArmRuns& runs) {
  constexpr size_t kSmoothed = 50;
  return {
      "b", "Training accuracy",
      fmt::format("Share of each batch that the network gets right while it trains, average over the last {} steps; "
                  "line: mean over seeds, band: lowest to highest. Blue is the network without BN; all others have "
                  "BN, and differ in what of γ and β they may learn. Figure c shows how little those differ.",
                  kSmoothed),
      by_kind([&](const std::vector<Arm>& arms) { return accuracy_curves(runs, arms, kSmoothed); },
              "training accuracy (%)")};
}

Figure cost_figure(const ArmRuns& runs) {
  const Window window = second_half(runs.setting());
  std::vector<SeedValue> values;
  std::vector<ArmStyle> styles;
  for (const Variant& variant : kVariants) {
    if (variant.name == kBoth.name) continue;
    styles.push_back({variant.name, variant.color});
    for (const Kind& kind : {kSigmoid, kRelu}) {
      const PerSeed points =
          points_between(accuracy(runs, arm(kind, variant), window), accuracy(runs, arm(kind, kBoth), window));
      for (size_t i = 0; i < points.size(); ++i) {
        values.push_back({kind.name + "s", variant.name, runs.setting().seeds.at(i), points[i]});
      }
    }
  }
  return {"c", "What training loses",
          "Training accuracy minus that of the network with BN whose γ and β are both learned, mean over " +
              window.text() +
              "; a dot a seed, with mean and 95 % interval. Left of the dashed line: worse. Compare what is lost "
              "without BN (blue) with what is lost without γ, β or both.",
          strip_chart(values, styles, "", "percentage points", {.reference = 0.0, .reference_label = "both learned"})};
}

Figure spread_figure(const ArmRuns& runs) {
  return {"d", "Spread of what the last hidden layer's activation gets",
          "Standard deviation of the inputs of the last hidden layer's activation function over units and 128 training "
          "images; line: mean over seeds, band: lowest to highest. With γ = 1 and β = 0 it is 1 by construction. A "
          "sigmoid is nearly straight between −1 and 1: where γ or β is learned, how much wider does the network make "
          "its inputs, and so bends them more?",
          by_kind(
              [&](const std::vector<Arm>& arms) {
                return curves(runs, arms, {"activations", kHiddenLayers, "std"});
              },
              "standard deviation")};
}

Findings findings(const Setting& setting, Results& results) {
  const ArmRuns runs(setting, results);
  return {
      {insertion_figure(runs), accuracy_figure(runs), cost_figure(runs), spread_figure(runs)}, all_claims(runs), {}};
}

}  // namespace

Experiment affine() {
  return {
      "affine",
      "Why gamma and beta",
      {"M26"},
      "Ioffe & Szegedy 2015, Batch Normalization (arXiv 1502.03167)",
      "section 3; no figure",
      "Can a network with BN still compute what one without BN can, and what does training lose when γ and β are "
      "not learned?",
      plan,
      what_was_run,
      findings,
      {.chapter = Chapter::kWhat,
       .plainly = "BN's γ and β are learned numbers that scale and shift each channel again after it was normalized. "
                  "With the right ones BN changes nothing at all; the others show what is lost where they are not "
                  "learned."}};
}

}  // namespace bnlab
