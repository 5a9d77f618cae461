// Why gamma and beta: Ioffe & Szegedy 2015, section 3. Run it: bnlab reproduce --only affine
#include <fmt/format.h>

#include <cmath>
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

/// Standard deviation of what the activation functions get, mean over the layers.
PerSeed spread(const ArmRuns& runs, const Arm& arm, const Window& window) {
  std::vector<PerSeed> layers;
  for (int64_t layer = 1; layer <= kHiddenLayers; ++layer) {
    layers.push_back(mean(runs, arm, {"activations", layer, "std"}, window));
  }
  return mean_of_all(layers);
}

std::pair<Claim, Evidence> spread_claim(const ArmRuns& runs, const Kind& kind, Rank rank) {
  const Arm learned_arm = arm(kind, kBoth), frozen = arm(kind, kFrozen);
  const Window window = second_half(runs.setting());
  return {
      {.id = "wider-when-learned-" + kind.id,
       .sentence = fmt::format("Where γ and β may be learned, training makes the {}s' inputs wider than the unit "
                               "variance to which plain normalization holds them.",
                               kind.name),
       .quote = "For instance, normalizing the inputs of a sigmoid would constrain them to the linear regime of the "
                "nonlinearity. (Section 3)",
       .statistic = "ln of the ratio, γ and β learned to γ = 1 and β = 0, of the standard deviation of what the "
                    "activation function gets, mean over the hidden layers and the window",
       .window = window.text(),
       .unit = "log ratio",
       .side = Side::above(0),
       .paper_value = {},
       .rank = rank},
      paired(runs, {learned_arm, frozen}, {learned(runs, {learned_arm, frozen}, window)},
             log_ratio(spread(runs, learned_arm, window), spread(runs, frozen, window)))};
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
    all.push_back(spread_claim(runs, kind, rank));
    for (auto& claim : training_claims(runs, kind)) all.push_back(std::move(claim));
  }
  return all;
}

Figure insertion_figure(const ArmRuns& runs) {
  std::vector<BandPoint> points;
  std::vector<ArmStyle> styles;
  for (const Kind& kind : {kSigmoid, kRelu}) {
    const std::vector<int> dash = kind.id == kRelu.id ? std::vector<int>{6, 4} : std::vector<int>{};
    for (const auto& [name, label, color] : {std::tuple{"standardized", "γ = 1, β = 0", colors::kGold},
                                             std::tuple{"recovered", "γ = √(σ² + ε), β = μ", colors::kRed}}) {
      styles.push_back({fmt::format("{}, {}", kind.name, label), color, dash});
      for (int64_t layer = 1; layer <= kHiddenLayers + 1; ++layer) {
        const PerSeed values = of_inserted(runs, kind, layer > kHiddenLayers ? 0 : layer, name);
        if (values.empty()) continue;
        points.push_back(band_point(styles.back().arm, static_cast<double>(layer), values));
      }
    }
  }
  return {"a", "BN inserted into a trained network",
          "How far the values in front of each activation, and (as layer 4) the outputs, are from those of the network "
          "without BN, in units of their standard deviation; logarithmic. Gold: with γ = 1, β = 0, root mean square: "
          "another function. Red: with γ and β set to the standard deviation and mean that BN takes away, the largest "
          "difference of all: only the rounding of float numbers is left, so that a network with BN can be the network "
          "without.",
          band_chart(points, styles, "layer", "difference / standard deviation", {.points = true, .log_y = true})};
}

Figure spread_figure(const ArmRuns& runs) {
  std::vector<Panel> charts;
  for (const Kind& kind : {kSigmoid, kRelu}) {
    charts.push_back({kind.name + "s", band_chart(curves(runs, arms(kind), {"activations", kHiddenLayers, "std"}),
                                                  styles_of(arms(kind)), "training step", "standard deviation")});
  }
  return {"d", "Spread of what the last hidden layer's activation gets",
          "Standard deviation of the inputs of the last hidden layer's activation function over units and 128 training "
          "images; line: mean over seeds, band: lowest to highest. With γ = 1 it is 1 by construction. A sigmoid is "
          "nearly straight between −1 and 1: where γ is learned (red, green), does the network widen its inputs, and "
          "bend them more?",
          panels(charts, 2)};
}

Findings findings(const Setting& setting, Results& results) {
  const ArmRuns runs(setting, results);
  const int64_t steps = protocol(setting.scale).steps;
  const std::string look = "Compare γ and β learned (red) with neither (gold), and each with no BN (blue).";
  return {{insertion_figure(runs), training_figure("b", runs, arms(kSigmoid), steps, "Sigmoids. " + look),
           training_figure("c", runs, arms(kRelu), steps, "ReLUs. " + look), spread_figure(runs)},
          all_claims(runs),
          {}};
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
