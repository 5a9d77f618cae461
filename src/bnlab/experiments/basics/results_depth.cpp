// How gradients grow or shrink on their way back through a deep network. Run it: bnlab reproduce --only results-depth
#include <fmt/format.h>

#include <cmath>
#include <numbers>

#include "bnlab/experiments/basics/basics.h"
#include "bnlab/study/curves.h"
#include "bnlab/study/evidence.h"

namespace bnlab {
namespace {

const std::string kFlow = "gradient-flow";
const std::vector<int64_t> kDepths = {10, 20, 40, 60};
constexpr int64_t kDeepest = 60;
/// ReLUs of standard normal values that are independent of each other have variance (1 - 1/π)/2, by whose root BN
/// divides, and pass half of a gradient's square on: together π/(π - 1) a layer.
const double kTheory = 0.5 * std::log(std::numbers::pi / (std::numbers::pi - 1));
const double kAlike = std::log(1.05);  // growth by 5 % a layer: ours; twentyfold over 60 layers

struct FlowProtocol {
  int64_t width, batch;
};

FlowProtocol flow_protocol(Scale scale) {
  switch (scale) {
    case Scale::kSmoke:
      return {8, 16};
    case Scale::kQuick:
      return {100, 128};
    case Scale::kStandard:
      return {300, 256};
    case Scale::kPaper:
      return {1000, 512};
  }
  throw std::logic_error("no such scale");
}

struct DeepNet {
  std::string name, activation, norm;
  double init_scale;  ///< on Glorot's initialization
  std::string color;
  std::vector<int> dash = {};
};
const DeepNet kBn{"BN", "relu", "batch", 1, colors::kRed}, kGlorot{"no BN, Glorot", "relu", "none", 1, colors::kBlue},
    kHe{"no BN, He", "relu", "none", std::numbers::sqrt2, colors::kGreen},
    kTanhBn{"tanh, BN", "tanh", "batch", 1, colors::kRed, {6, 4}},
    kTanh{"tanh, no BN", "tanh", "none", 1, colors::kBlue, {6, 4}},
    kSigmoidBn{"sigmoid, BN", "sigmoid", "batch", 1, colors::kRed, {2, 3}},
    kSigmoid{"sigmoid, no BN", "sigmoid", "none", 1, colors::kBlue, {2, 3}};
const std::vector<DeepNet> kRelus = {kBn, kHe, kGlorot}, kOthers = {kTanhBn, kTanh, kSigmoidBn, kSigmoid};

Arm deep(const DeepNet& net, int64_t layers) {
  return {{fmt::format("{}, {} layers", net.name, layers), net.color, net.dash},
          [=](const Setting& setting, int64_t seed) {
            const FlowProtocol p = flow_protocol(setting.scale);
            TrainSpec spec;
            spec.data = {setting.data.set, setting.data.digest};
            spec.model.name = "mlp";
            spec.model.options = {{"layers", static_cast<double>(layers)},
                                  {"width", static_cast<double>(p.width)},
                                  {"activation", net.activation}};
            spec.model.norm.kind = net.norm;
            spec.model.init = "glorot-normal";
            spec.model.init_scale = net.init_scale;
            spec.optimizer.lr = 1e-6;  // of the one step, which is made after the look
            spec.batch = p.batch;
            spec.steps = 1;
            spec.seed = seed;
            spec.probes.push_back({kFlow, 0, 1, false, Json::object()});
            return spec;
          }};
}

std::vector<Arm> all_deep() {
  std::vector<Arm> all;
  for (const DeepNet& net : kRelus) {
    for (const int64_t layers : kDepths) all.push_back(deep(net, layers));
  }
  for (const DeepNet& net : kOthers) all.push_back(deep(net, kDeepest));
  return all;
}

std::vector<std::string> what_was_run(const Setting& setting) {
  const FlowProtocol p = flow_protocol(setting.scale);
  return {
      fmt::format(
          "Multilayer perceptrons of 10, 20, 40 and 60 hidden layers of {} units on {}, pixels z-scored, looked at "
          "before any training: {} images pass through, and the gradient of their mean loss passes back, {} seed{}. "
          "With ReLUs: with BN before each (γ = 1, β = 0, statistics of the batch), and without, where the same "
          "weights are drawn as Glorot & Bengio have it (variance 1/{}) or √2 times as large, as He et al. have it for "
          "ReLUs; BN divides such a factor out. With tanh and with sigmoids: 60 layers, with and without BN.",
          p.width, setting.data.title, p.batch, setting.seeds.size(), setting.seeds.size() == 1 ? "" : "s", p.width),
      "The gradient is taken with respect to what a layer's linear map gives, for all images together, in double "
      "precision: behind 60 sigmoids without BN it lies at the end of what float can hold (1e-38). Its growth a layer "
      "is taken over the middle half of the layers, so that neither the images nor the output layer play a part.",
      "The theory is that of infinitely wide networks and large batches."};
}

/// The middle half of the layers.
struct Middle {
  int64_t first, last;
  explicit Middle(int64_t layers) : first(layers / 4 + 1), last(3 * layers / 4) {}
  std::string text() const { return fmt::format("before training, layers {} to {}", first, last); }
};

double norm_at(RunReader& run, int64_t layer, const std::string& name) {
  return run.scalar_at({kFlow, layer, name}, 0).value_or(NAN);
}

/// ln of the factor by which the gradient grows from a layer to the one before it.
PerSeed growth(const ArmRuns& runs, const DeepNet& net, int64_t layers) {
  const Middle middle(layers);
  return each(runs, deep(net, layers), [&](RunReader& run) {
    return std::log(norm_at(run, middle.first, "linear") / norm_at(run, middle.last, "linear")) /
           static_cast<double>(middle.last - middle.first);
  });
}

/// Whether the gradient arrives at every layer as a number above 0.
Precondition arrives(const ArmRuns& runs, const std::vector<Arm>& arms) {
  Precondition precondition{"gradient-arrives", true, ""};
  double least = INFINITY;
  for (const Arm& arm : arms) {
    for (RunReader* run : runs.of(arm)) {
      const auto layers = std::get<TrainSpec>(run->spec()).model.options.number("layers");
      for (int64_t layer = 1; layer <= std::lround(layers); ++layer) lower_to(least, norm_at(*run, layer, "linear"));
    }
  }
  precondition.holds = std::isfinite(least) && least > 0;
  precondition.detail = fmt::format("smallest norm of a layer: {:.2g} (asked: above 0)", least);
  return precondition;
}

using FlowClaim = std::pair<Claim, Evidence>;

struct Said {
  std::string id, sentence, quote;
  Rank rank = Rank::kSecondary;
};

FlowClaim growth_claim(const ArmRuns& runs, const DeepNet& net, int64_t layers, const Side& side,
                       std::optional<double> theory, const Said& said) {
  const Arm arm = deep(net, layers);
  return {{.id = said.id,
           .sentence = said.sentence,
           .quote = said.quote,
           .statistic =
               fmt::format("\"{}\": ln of the factor by which the gradient's norm grows from a layer to the "
                           "one before it{}",
                           arm.name(), side.kind == Side::Kind::kWithin ? "; the bounds, 5 % a layer, are ours" : ""),
           .window = Middle(layers).text(),
           .unit = "log ratio a layer",
           .side = side,
           .paper_value = theory,
           .rank = said.rank},
          paired(runs, {arm}, {arrives(runs, {arm})}, growth(runs, net, layers))};
}

const std::string kExponentially =
                      "gradient signals grow exponentially in depth and [...] these exploding gradients cannot be "
                      "eliminated by tuning the initial weight variances or by adjusting the nonlinear activation "
                      "function. (Yang et al. 2019, abstract)",
                  kItself =
                      "Indeed, batch normalization itself is the cause of gradient explosion. (Yang et al. 2019, "
                      "abstract)";

/// BN beside no BN with the same weights: how much more the gradient grows a layer.
FlowClaim cause_claim(const ArmRuns& runs) {
  const std::vector<Arm> arms = {deep(kBn, kDeepest), deep(kHe, kDeepest)};
  return {{.id = "bn-is-the-cause",
           .sentence = "It is BN that does it: with weights of the size that He et al. chose for ReLUs, gradients grow "
                       "more with BN than without.",
           .quote = kItself,
           .statistic = "ln of the factor by which the gradient's norm grows from a layer to the one before it, with "
                        "BN minus without",
           .window = Middle(kDeepest).text(),
           .unit = "log ratio a layer",
           .side = Side::above(0),
           .paper_value = kTheory,
           .rank = Rank::kPrimary},
          paired(runs, arms, {arrives(runs, arms)}, minus(growth(runs, kBn, kDeepest), growth(runs, kHe, kDeepest)))};
}

std::vector<FlowClaim> claims(const ArmRuns& runs) {
  const Side grows = Side::above(0), shrinks = Side::below(0), stays = Side::within(-kAlike, kAlike),
             as_theory = Side::within(kTheory - kAlike, kTheory + kAlike);
  const std::string activations =
      "(Yang et al. 2019, abstract: no choice of activation function avoids it; "
      "paraphrased.)";
  std::vector<FlowClaim> all = {
      growth_claim(runs, kBn, kDeepest, stays, {},
                   {.id = "bn-keeps-size",
                    .sentence = "With BN a gradient keeps its size on the way back: it changes by less than 5 % a "
                                "layer.",
                    .quote = "Batch Normalization may lead the layer Jacobians to have singular values close to 1 "
                             "(Ioffe & Szegedy 2015, section 3.3, a conjecture of theirs)",
                    .rank = Rank::kPrimary}),
      growth_claim(runs, kBn, kDeepest, grows, kTheory,
                   {.id = "bn-explodes",
                    .sentence = "With BN and ReLUs a gradient grows with every layer on the way back: it explodes.",
                    .quote = kExponentially,
                    .rank = Rank::kPrimary}),
      growth_claim(runs, kBn, kDeepest, as_theory, kTheory,
                   {.id = "bn-grows-as-theory",
                    .sentence = "It grows by the factor of the theory, √(π/(π − 1)) = 1.21 a layer, to within 5 %.",
                    .quote = "(Yang et al. 2019, on ReLUs: the gradient's square grows by π/(π − 1) a layer, in wide "
                             "networks and large batches; paraphrased.)",
                    .rank = Rank::kPrimary}),
      cause_claim(runs),
      growth_claim(runs, kGlorot, kDeepest, shrinks, -0.5 * std::numbers::ln2,
                   {.id = "plain-vanishes",
                    .sentence = "Without BN, with ReLUs and Glorot's initialization, a gradient shrinks with every "
                                "layer: it vanishes.",
                    .quote = "(He et al. 2015, section 2.2: Glorot's initialization is made for linear units; with "
                             "ReLUs its signals lose a factor √2 a layer against theirs; paraphrased.)"}),
      growth_claim(runs, kHe, kDeepest, stays, 0,
                   {.id = "he-keeps-size",
                    .sentence = "Without BN, with weights √2 times as large, a gradient keeps its size: it changes by "
                                "less than 5 % a layer.",
                    .quote = "(He et al. 2015, section 2.2: initialization for ReLUs; paraphrased.)"}),
      growth_claim(runs, kTanhBn, kDeepest, grows, {},
                   {.id = "tanh-explodes",
                    .sentence = "With BN and tanh, too, a gradient grows with every layer.",
                    .quote = activations}),
      growth_claim(runs, kSigmoidBn, kDeepest, grows, {},
                   {.id = "sigmoid-explodes",
                    .sentence = "With BN and sigmoids, too, a gradient grows with every layer.",
                    .quote = activations}),
      growth_claim(runs, kSigmoid, kDeepest, shrinks, std::log(0.25),
                   {.id = "sigmoid-vanishes",
                    .sentence = "Without BN, with sigmoids, a gradient vanishes.",
                    .quote = "(A sigmoid's derivative is at most 1/4, and Glorot's weights keep a gradient's size; "
                             "paraphrased.)"})};
  for (const int64_t layers : {10, 20, 40}) {
    all.push_back(growth_claim(
        runs, kBn, layers, grows, kTheory,
        {.id = fmt::format("bn-explodes-{}", layers),
         .sentence = fmt::format("With BN and ReLUs a gradient grows with every layer of {}, too.", layers),
         .quote = kExponentially}));
  }
  return all;
}

/// A gradient's norm at each layer of networks of the same depth.
Json by_layer(const ArmRuns& runs, const std::vector<DeepNet>& nets, int64_t layers, const std::string& name) {
  std::vector<BandPoint> points;
  std::vector<ArmStyle> styles;
  for (const DeepNet& net : nets) {
    styles.push_back({net.name, net.color, net.dash});
    const Arm arm = deep(net, layers);
    for (int64_t layer = 1; layer <= layers && !runs.of(arm).empty(); ++layer) {
      points.push_back(band_point(net.name, static_cast<double>(layer),
                                  each(runs, arm, [&](RunReader& run) { return norm_at(run, layer, name); })));
    }
  }
  return band_chart(points, styles, "layer (1: next to the images)", "norm of the gradient (logarithmic)",
                    {.log_y = true});
}

Figure flow_figure(const ArmRuns& runs) {
  return {"a", "A gradient on its way back through 60 layers",
          "It begins at the last layer, on the right, and runs to the images, on the left; nothing is trained yet. A "
          "straight line is growth, or decay, by the same factor in every layer. Red, with BN: up to the left, the "
          "gradient explodes. Blue, without BN: down to the left, it vanishes. Green, without BN and with the same "
          "weights times √2: it stays, on average, where it is. Line: mean over seeds, band: lowest to highest.",
          by_layer(runs, kRelus, kDeepest, "linear")};
}

Figure growth_figure(const ArmRuns& runs) {
  std::vector<SeedValue> values;
  const auto add = [&](const DeepNet& net, const DeepNet& like, int64_t layers) {
    const PerSeed growths = growth(runs, net, layers);
    for (size_t i = 0; i < growths.size(); ++i) {
      values.push_back({fmt::format("{}, {} layers", net.activation == "relu" ? "ReLU" : net.activation, layers),
                        like.name, runs.setting().seeds[i], std::exp(growths[i])});
    }
  };
  for (const int64_t layers : kDepths) {
    for (const DeepNet& net : kRelus) add(net, net, layers);
  }
  for (const DeepNet& net : kOthers) add(net, net.norm == kBn.norm ? kBn : kGlorot, kDeepest);
  std::vector<ArmStyle> styles;
  for (const DeepNet& net : kRelus) styles.push_back({net.name, net.color});
  return {"b", "Growth of the gradient a layer",
          "The factor by which the norm of the gradient grows from a layer to the one before it, in the middle half of "
          "the layers; a dot a seed, with mean and 95 % interval. At 1 it would keep its size. The dashed line is what "
          "theory says of BN with ReLUs, 1.21. With BN (red) every activation function lies above 1, ReLUs most; the "
          "depth of the network does not matter.",
          strip_chart(values, styles, "", "factor a layer",
                      {.reference = std::exp(kTheory), .reference_label = "theory, BN and ReLU"})};
}

Figure depth_figure(const ArmRuns& runs) {
  std::vector<BandPoint> points;
  std::vector<ArmStyle> styles;
  for (const DeepNet& net : kRelus) {
    styles.push_back({net.name, net.color});
    for (const int64_t layers : kDepths) {
      const Arm arm = deep(net, layers);
      if (runs.of(arm).empty()) continue;
      points.push_back(band_point(net.name, static_cast<double>(layers),
                                  each(runs, arm, [](RunReader& run) { return norm_at(run, 1, "weight"); })));
    }
  }
  return {"c", "What arrives at the first layer's weights",
          "Norm of the gradient of the first layer's weights, by which they would be changed, for networks of 10 to 60 "
          "layers with ReLUs; logarithmic. Without BN (blue) the first layer of a deep network would not move; with BN "
          "(red) it would jump, at a learning rate that suits the last layer.",
          band_chart(points, styles, "hidden layers", "norm of the gradient (logarithmic)",
                     {.points = true, .log_y = true})};
}

Figure activations_figure(const ArmRuns& runs) {
  return {"d", "The same with tanh and sigmoids",
          "As figure a. BN bends every blue line, which falls to the left, into a red one that rises: without BN, "
          "sigmoids let a quarter of a gradient pass. The lowest numbers on the left are beyond what single precision "
          "holds well (1e-38), so that all are computed in double.",
          panels({{"tanh", by_layer(runs, {kTanhBn, kTanh}, kDeepest, "linear")},
                  {"sigmoid", by_layer(runs, {kSigmoidBn, kSigmoid}, kDeepest, "linear")}},
                 2)};
}

Figure weights_figure(const ArmRuns& runs) {
  return {"e", "The gradients of the weights",
          "As figure a, of the layers' weights. Without BN they are alike in all layers: what a gradient loses on its "
          "way back, the images' signal has not yet lost in the first layers. So with Glorot's initialization all "
          "layers of a deep network learn slowly; with BN they learn at different rates.",
          by_layer(runs, kRelus, kDeepest, "weight")};
}

std::vector<PaperNumber> numbers(const ArmRuns& runs) {
  const auto factor = [&](const DeepNet& net) {
    PerSeed values = growth(runs, net, kDeepest);
    for (double& value : values) value = std::exp(value);
    return values.empty() ? std::string("–") : mean_and_interval(values, 3);
  };
  const std::string note = "Factor by which a gradient's norm grows a layer, 60 layers; theirs is the theory's.";
  return {{"growth, BN and ReLU", fmt::format("{:.3f}", std::exp(kTheory)), factor(kBn), note},
          {"growth, ReLU, Glorot", fmt::format("{:.3f}", std::sqrt(0.5)), factor(kGlorot), note},
          {"growth, ReLU, He", "1", factor(kHe), note}};
}

std::vector<std::string> answer(const ArmRuns& runs, const std::vector<FlowClaim>& all) {
  if (!have_evidence(all)) return {};
  const auto judged = judge(all);
  const auto factor = [&](const char* id) {
    const double growth = find_claim(judged, id).interval.mean;
    return !std::isfinite(growth) ? std::string("by an unknown factor (it arrives as 0)")
                                  : fmt::format("{:.3f}-fold", std::exp(growth));
  };
  const auto verdict = [&](const char* id) { return to_string(find_claim(judged, id).verdict); };
  return {fmt::format(
      "That BN keeps gradients at their size is {}; that with BN they explode is {}: before training, "
      "a gradient's norm grows {} with each of the {} layers on its way back. Without BN and "
      "with the same weights it grows {} (Glorot) or {} (He). {} seed{}.",
      verdict("bn-keeps-size"), verdict("bn-explodes"), factor("bn-explodes"), kDeepest, factor("plain-vanishes"),
      factor("he-keeps-size"), runs.setting().seeds.size(), runs.setting().seeds.size() == 1 ? "" : "s")};
}

Findings findings(const Setting& setting, Results& results) {
  const ArmRuns runs(setting, results);
  const auto all = claims(runs);
  return {{flow_figure(runs), growth_figure(runs), depth_figure(runs), activations_figure(runs), weights_figure(runs)},
          all,
          numbers(runs),
          answer(runs, all)};
}

}  // namespace

Experiment results_depth() {
  return {"results-depth",
          "Gradients in deep networks",
          {"M8"},
          "Yang, Pennington, Rao, Sohl-Dickstein & Schoenholz 2019, A Mean Field Theory of Batch Normalization (arXiv "
          "1902.08129); Ioffe & Szegedy 2015 (arXiv 1502.03167), section 3.3; He et al. 2015 (arXiv 1502.01852)",
          "no figure of theirs",
          "Does BN keep the gradients of a deep network from vanishing, and from exploding?",
          runs_of(all_deep()),
          what_was_run,
          findings,
          {.chapter = Chapter::kResults,
           .plainly = "A network learns from gradients, which run from its last layer back to its first. In a deep "
                      "network they may fade on the way, or grow without bounds: the picture follows them back, from "
                      "right to left, with BN and without.",
           .headline = "bn-explodes",
           .in_short = "Before training, BN makes gradients grow with every layer that they pass on their way back: it "
                       "keeps them from vanishing, not from exploding."}};
}

}  // namespace bnlab
