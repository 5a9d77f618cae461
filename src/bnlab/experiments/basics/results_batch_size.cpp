// The size of the batch, with BN and without. Run it: bnlab reproduce --only results-batch-size
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "bnlab/experiments/basics/basics.h"
#include "bnlab/record/number_text.h"
#include "bnlab/study/curves.h"
#include "bnlab/study/evidence.h"

namespace bnlab {
namespace {

constexpr int64_t kSmall = 2, kUsual = 32;  // Wu & He go from 2 to 32 images a worker
constexpr double kAlike = 2;                // percentage points of test error that still count as alike: ours
constexpr int64_t kRateBatch = 64;          // the batch at which a network has its base rate

struct BatchProtocol {
  std::vector<int64_t> batches;  ///< of the perceptron with BN
  std::vector<int64_t> few;      ///< of the others
  int64_t examples;              ///< that the perceptron sees in training, whatever its batch
  int64_t conv_examples;         ///< and the convolutional network, which learns more slowly
  int64_t width;
  double conv_width;
  int64_t test_examples;
};

BatchProtocol batch_protocol(Scale scale) {
  const std::vector<int64_t> all = {2, 4, 8, 16, 32, 64, 128, 256};
  switch (scale) {
    case Scale::kSmoke:
      return {{2, 8, 32}, {2, 32}, 128, 128, 16, 0.0625, 40};
    case Scale::kQuick:
      return {{2, 4, 8, 32}, {2, 32}, 1536, 6144, 100, 0.125, 2000};
    case Scale::kStandard:
      return {all, all, 60000, 60000, 100, 0.125, 10000};
    case Scale::kPaper:
      return {all, all, 1200000, 1200000, 100, 0.5, 10000};
  }
  throw std::logic_error("no such scale");
}

struct BatchNet {
  std::string id, name, model;
  double base_rate;        ///< at a batch of kRateBatch, tuned on pilot seeds
  int64_t least_elements;  ///< of an example, that a channel of the last hidden layer has at 28 pixels
};
const BatchNet kMlp{"mlp", "MLP", "mlp", 0.2, 1}, kConv{"conv", "CNN", "vgg11", 0.1, 9};

struct BatchNorm {
  std::string kind, name, color;
};
const BatchNorm kBn{"batch", "BN", colors::kRed}, kNone{"none", "no normalization", colors::kBlue},
    kGroup{"group", "group norm", colors::kGreen}, kLayer{"layer", "layer norm", colors::kGold};

const std::vector<std::pair<BatchNet, std::vector<BatchNorm>>> kNets = {{kMlp, {kBn, kNone, kGroup, kLayer}},
                                                                        {kConv, {kBn, kGroup}}};

std::vector<int64_t> batches_of(Scale scale, const BatchNet& net, const BatchNorm& norm) {
  const BatchProtocol p = batch_protocol(scale);
  return net.id == kMlp.id && norm.kind == kBn.kind ? p.batches : p.few;
}

/// The learning rate grows in proportion to the batch.
double rate_of(const BatchNet& net, int64_t batch) {
  return net.base_rate * static_cast<double>(batch) / kRateBatch;
}

int64_t steps_of(Scale scale, const BatchNet& net, int64_t batch) {
  const BatchProtocol p = batch_protocol(scale);
  return (net.id == kConv.id ? p.conv_examples : p.examples) / batch;
}

Arm arm(const BatchNet& net, const BatchNorm& norm, int64_t batch) {
  return {{fmt::format("{}, {}, batch {}", net.name, norm.name, batch), norm.color},
          [=](const Setting& setting, int64_t seed) {
            const BatchProtocol p = batch_protocol(setting.scale);
            TrainSpec spec;
            spec.data = {setting.data.set, setting.data.digest};
            spec.model.name = net.model;
            if (net.id == kConv.id) {
              spec.data.pool = 2;
              spec.model.options = {{"width", p.conv_width}, {"pools", 2}};
            } else {
              spec.model.options = {{"width", static_cast<double>(p.width)}};
            }
            spec.model.norm.kind = norm.kind;
            if (norm.kind == kGroup.kind) spec.model.norm.options = {{"groups", 4}};
            spec.optimizer.lr = rate_of(net, batch);
            spec.optimizer.schedule = "cosine";  // ends at rest, so that the last step's noise does not count
            spec.batch = batch;
            spec.steps = steps_of(setting.scale, net, batch);
            spec.seed = seed;
            spec.probes.push_back({"accuracy", spec.steps, 1, true, {{"examples", p.test_examples}}});
            return spec;
          }};
}

std::vector<Arm> arms(Scale scale, const BatchNet& net, const BatchNorm& norm) {
  std::vector<Arm> all;
  for (const int64_t batch : batches_of(scale, net, norm)) all.push_back(arm(net, norm, batch));
  return all;
}

Plan plan(const Setting& setting) {
  Plan plan(setting);
  for (const auto& [net, norms] : kNets) {
    for (const BatchNorm& norm : norms) add_runs(plan, setting, arms(setting.scale, net, norm));
  }
  return plan;
}

std::vector<std::string> what_was_run(const Setting& setting) {
  const BatchProtocol p = batch_protocol(setting.scale);
  return {
      fmt::format(
          "Two networks on {}, pixels z-scored: a multilayer perceptron (3 hidden layers of {} ReLU units), with BN at "
          "batches of {}, without and with group and layer norm at {}; and VGG-A at {} of its width, with two pools, "
          "on images of half the size, at {}. A perceptron sees {} images, a convolutional network {}, whatever the "
          "batch, so that one with small "
          "batches makes more and smaller steps: plain SGD at a rate in proportion to the batch, {} (MLP) and {} (CNN) "
          "at {} images, tuned on "
          "pilot seeds; it falls to 0 along a cosine. {} seed{}. Test error in evaluation mode, BN with its running "
          "averages of momentum 0.1, on {} test images.",
          setting.data.title, p.width, fmt::join(p.batches, ", "), fmt::join(p.few, ", "), p.conv_width,
          fmt::join(p.few, ", "), p.examples, p.conv_examples, kMlp.base_rate, kConv.base_rate, kRateBatch,
          setting.seeds.size(), setting.seeds.size() == 1 ? "" : "s", p.test_examples),
      "BN takes a channel's mean and variance over all examples of the batch and all positions of the image. In the "
      "perceptron there is one position, so that a batch of 2 gives two numbers, of which BN makes +1 and −1 whatever "
      "they were; in the last layers of the convolutional network there are nine an image. Group norm (4 groups) "
      "and layer norm use one example alone.",
      "The source: ResNet-50 on ImageNet, 8 workers, each with statistics of its own 2 to 32 images."};
}

/// What an arm lost or gained, in points of test error, when its batch went from 32 to 2.
PerSeed harm(const ArmRuns& runs, const BatchNet& net, const BatchNorm& norm) {
  return minus(test_error(runs, arm(net, norm, kSmall)), test_error(runs, arm(net, norm, kUsual)));
}

/// The steps in which an arm sees the second half of its images.
Window second_half(const ArmRuns& runs, const BatchNet& net, int64_t batch) {
  const int64_t steps = steps_of(runs.setting().scale, net, batch);
  return {steps / 2, steps};
}

using BatchClaim = std::pair<Claim, Evidence>;

struct Said {
  std::string id, sentence, quote, statistic = {};
  Side side = {};
  std::optional<double> paper = {};
  Rank rank = Rank::kSecondary;
  std::string window = "after the last step";
};

/// A network with a normalization at a size of batch.
struct Trained {
  BatchNet net;
  BatchNorm norm;
  int64_t batch;
  Arm arm() const { return bnlab::arm(net, norm, batch); }
};

BatchClaim claim(const ArmRuns& runs, const std::vector<Trained>& compared, const std::vector<Trained>& learners,
                 const PerSeed& effects, const Said& said) {
  std::vector<Arm> arms;
  for (const Trained& it : compared) arms.push_back(it.arm());
  std::vector<Precondition> have_learned;
  for (const Trained& it : learners)
    have_learned.push_back(learned(runs, {it.arm()}, second_half(runs, it.net, it.batch)));
  return {{.id = said.id,
           .sentence = said.sentence,
           .quote = said.quote,
           .statistic =
               said.statistic +
               (said.side.kind == Side::Kind::kWithin ? fmt::format("; the bounds, {} points, are ours", kAlike) : ""),
           .window = said.window,
           .unit = "percentage points",
           .side = said.side,
           .paper_value = said.paper,
           .rank = said.rank},
          paired(runs, arms, have_learned, effects)};
}

/// Of two test errors. That they are alike means nothing unless both networks have learned.
BatchClaim difference(const ArmRuns& runs, const Trained& one, const Trained& other, Said said) {
  said.statistic = fmt::format("test error of \"{}\" minus \"{}\"", one.arm().name(), other.arm().name());
  const bool alike = said.side.kind == Side::Kind::kWithin;
  return claim(runs, {one, other}, alike ? std::vector{one, other} : std::vector{other},
               minus(test_error(runs, one.arm()), test_error(runs, other.arm())), said);
}

/// At a batch of 2 minus at one of 32.
BatchClaim harm_claim(const ArmRuns& runs, const BatchNet& net, const BatchNorm& norm, const Said& said) {
  return difference(runs, {net, norm, kSmall}, {net, norm, kUsual}, said);
}

/// With BN minus with group norm, at the same batch.
BatchClaim beside_group(const ArmRuns& runs, int64_t batch, const Said& said) {
  return difference(runs, {kMlp, kBn, batch}, {kMlp, kGroup, batch}, said);
}

std::vector<BatchClaim> claims(const ArmRuns& runs) {
  const Side worse = Side::above(0), alike = Side::within(-kAlike, kAlike);
  const std::string rapidly =
                        "BN's error increases rapidly when the batch size becomes smaller, caused by inaccurate batch "
                        "statistics estimation. (Wu & He 2018, abstract)",
                    stable =
                        "GN's computation is independent of batch sizes, and its accuracy is stable in a wide "
                        "range of batch sizes. (Wu & He 2018, abstract)",
                    ours = "(Ours: no source states it.)";
  std::vector<BatchClaim> all = {
      harm_claim(
          runs, kMlp, kBn,
          {.id = "bn-suffers",
           .sentence = "With BN, the perceptron makes more errors if it is trained with batches of 2 than of 32.",
           .quote = rapidly,
           .side = worse,
           .paper = 34.7 - 23.6,
           .rank = Rank::kPrimary}),
      harm_claim(runs, kConv, kBn,
                 {.id = "bn-suffers-cnn",
                  .sentence = "With BN, the convolutional network makes more errors if it is trained with batches of 2 "
                              "than of 32.",
                  .quote = rapidly,
                  .side = worse,
                  .paper = 34.7 - 23.6,
                  .rank = Rank::kPrimary}),
      harm_claim(runs, kMlp, kGroup,
                 {.id = "group-norm-stable",
                  .sentence = "With group norm it does not matter to the perceptron, within two points.",
                  .quote = stable,
                  .side = alike,
                  .paper = 0,
                  .rank = Rank::kPrimary}),
      beside_group(runs, kSmall,
                   {.id = "group-norm-better",
                    .sentence = "With batches of 2, the perceptron makes fewer errors with group norm than with BN.",
                    .quote = "GN has 10.6% lower error than its BN counterpart when using a batch size of 2 (Wu & He "
                             "2018, abstract, of ResNet-50 on ImageNet)",
                    .side = worse,
                    .paper = 34.7 - 24.1,
                    .rank = Rank::kPrimary}),
      beside_group(runs, kUsual,
                   {.id = "group-norm-as-good",
                    .sentence = "With batches of 32, BN and group norm are about as good, within two points.",
                    .quote = "when using typical batch sizes, GN is comparably good with BN (Wu & He 2018, abstract)",
                    .side = alike,
                    .paper = 23.6 - 24.1}),
      harm_claim(runs, kMlp, kLayer,
                 {.id = "layer-norm-stable",
                  .sentence = "With layer norm it does not matter to the perceptron, within two points.",
                  .quote = "(Ba, Kiros & Hinton 2016: layer norm does not depend on the batch; paraphrased.)",
                  .side = alike}),
      harm_claim(runs, kMlp, kNone,
                 {.id = "none-stable",
                  .sentence = "Without normalization it does not matter to the perceptron, within two points.",
                  .quote = ours,
                  .side = alike}),
      harm_claim(runs, kConv, kGroup,
                 {.id = "group-norm-stable-cnn",
                  .sentence = "With group norm it does not matter to the convolutional network, within two points.",
                  .quote = stable,
                  .side = alike,
                  .paper = 0})};
  const Trained mlp_small{kMlp, kBn, kSmall}, mlp_usual{kMlp, kBn, kUsual}, conv_small{kConv, kBn, kSmall},
      conv_usual{kConv, kBn, kUsual};
  all.push_back(claim(runs, {mlp_small, mlp_usual, conv_small, conv_usual}, {mlp_usual, conv_usual},
                      minus(harm(runs, kMlp, kBn), harm(runs, kConv, kBn)),
                      {.id = "positions-protect",
                       .sentence = "Small batches harm BN less in the convolutional network, where each example brings "
                                   "many positions, than in the perceptron.",
                       .quote = ours,
                       .statistic = "test error with BN at a batch of 2 minus at one of 32, MLP minus CNN",
                       .side = worse}));
  const auto trained_with = [&](const Trained& it) {
    return accuracy(runs, it.arm(), second_half(runs, it.net, it.batch));
  };
  all.push_back(claim(runs, {mlp_small, mlp_usual}, {mlp_usual},
                      points_between(trained_with(mlp_usual), trained_with(mlp_small)),
                      {.id = "bn-suffers-in-training",
                       .sentence = "The perceptron with BN suffers from batches of 2 already while it trains, where BN "
                                   "uses the batch itself and no running averages.",
                       .quote = ours,
                       .statistic = "mean training accuracy at a batch of 32 minus at one of 2",
                       .side = worse,
                       .window = "the second half of the training images"}));
  return all;
}

/// One curve over the batch for each normalization of a network.
Json error_panel(const ArmRuns& runs, const BatchNet& net, const std::vector<BatchNorm>& norms) {
  std::vector<BandPoint> points;
  std::vector<ArmStyle> styles;
  for (const BatchNorm& norm : norms) {
    styles.push_back({norm.name, norm.color});
    for (const int64_t batch : batches_of(runs.setting().scale, net, norm)) {
      const PerSeed errors = test_error(runs, arm(net, norm, batch));
      if (!errors.empty()) points.push_back(band_point(norm.name, static_cast<double>(batch), errors));
    }
  }
  return band_chart(points, styles, "batch size (logarithmic)", "test error (%)", {.points = true, .log_x = true});
}

Figure error_figure(const ArmRuns& runs) {
  std::vector<Panel> charts;
  for (const auto& [net, norms] : kNets) {
    charts.push_back(
        {net.id == kMlp.id ? "multilayer perceptron" : "convolutional network", error_panel(runs, net, norms)});
  }
  return {"a", "Test error against the size of the batch",
          "Share of test images that the network gets wrong; all have seen the same number of training images. Follow "
          "the red line, BN, to the left: with few images in a batch its statistics are noise, and from two "
          "numbers it makes +1 and −1, whatever they were. The others do not look at the batch. Line: mean over seeds, "
          "band: lowest to highest.",
          panels(charts, 1)};
}

Figure elements_figure(const ArmRuns& runs) {
  std::vector<BandPoint> points;
  std::vector<ArmStyle> styles;
  for (const auto& [net, color] : {std::pair{kMlp, colors::kRed}, std::pair{kConv, colors::kPurple}}) {
    styles.push_back({net.name, color});
    const PerSeed usual = test_error(runs, arm(net, kBn, kUsual));
    for (const int64_t batch : batches_of(runs.setting().scale, net, kBn)) {
      const PerSeed excess = minus(test_error(runs, arm(net, kBn, batch)), usual);
      if (excess.empty()) continue;
      points.push_back(band_point(net.name, static_cast<double>(batch * net.least_elements), excess));
    }
  }
  return {"b", "What counts is how many numbers a channel has",
          "Test error with BN above that of the same network at a batch of 32, against the number of values over which "
          "a channel of the last hidden layer takes its mean and variance: images in the batch, times positions in "
          "the image (1 in the perceptron, 9 in the convolutional network, more in its earlier layers). If that number "
          "is what counts, the lines lie on each other.",
          band_chart(points, styles, "values a channel, N·H·W (logarithmic)", "test error above batch 32 (points)",
                     {.points = true, .log_x = true})};
}

Figure harm_figure(const ArmRuns& runs) {
  std::vector<SeedValue> values;
  std::vector<ArmStyle> styles;
  for (const auto& [net, norms] : kNets) {
    for (const BatchNorm& norm : norms) {
      if (net.id == kMlp.id) styles.push_back({norm.name, norm.color});
      const PerSeed harms = harm(runs, net, norm);
      for (size_t i = 0; i < harms.size(); ++i) {
        values.push_back({net.name, norm.name, runs.setting().seeds[i], harms[i]});
      }
    }
  }
  return {"c", "What batches of 2 cost",
          "Test error with batches of 2 minus with batches of 32; a dot a seed, with mean and 95 % interval. Right of "
          "the dashed line: batches of 2 are worse.",
          strip_chart(values, styles, "", "percentage points of test error",
                      {.reference = 0.0, .reference_label = "as with 32"})};
}

Json training_panel(const ArmRuns& runs, const BatchNorm& norm) {
  const std::vector<int64_t> batches = batches_of(runs.setting().scale, kMlp, norm);
  std::vector<BandPoint> points;
  std::vector<ArmStyle> styles;
  for (const int64_t batch : batches) {
    const std::string name = fmt::format("batch {}", batch);
    const double place = static_cast<double>(styles.size()) / static_cast<double>(batches.size() - 1);
    styles.push_back({name, mixed(colors::kGold, colors::kBlue, place)});
    const auto images = std::max<int64_t>(256, batch);
    for (BandPoint point : accuracy_curves(runs, {arm(kMlp, norm, batch)}, static_cast<size_t>(images / batch))) {
      point.arm = name;
      point.x = (point.x + 1) * static_cast<double>(batch);
      points.push_back(point);
    }
  }
  return band_chart(points, styles, "training images seen", "training accuracy (%)");
}

Figure training_figure_by_images(const ArmRuns& runs) {
  return {"d", "Training accuracy of the perceptron",
          "Share of the last 256 training images, or of the last batch, that the network got right, in training mode, "
          "against the images seen. Where small batches are behind already here, they disturb learning itself, and not "
          "only the running averages that BN is tested with.",
          panels({{kBn.name, training_panel(runs, kBn)}, {kGroup.name, training_panel(runs, kGroup)}}, 2)};
}

std::vector<PaperNumber> numbers(const ArmRuns& runs) {
  const auto ours = [&](const BatchNorm& norm, int64_t batch) {
    const PerSeed errors = test_error(runs, arm(kMlp, norm, batch));
    return errors.empty() ? std::string("–") : mean_and_interval(errors, 1);
  };
  const std::string note = "Theirs: ResNet-50 on ImageNet, images a worker; ours: the perceptron.";
  return {{"test error (%), BN, batch 32", "23.6", ours(kBn, kUsual), note},
          {"test error (%), BN, batch 2", "34.7", ours(kBn, kSmall), note},
          {"test error (%), group norm, batch 32", "24.1", ours(kGroup, kUsual), note},
          {"test error (%), group norm, batch 2", "24.1", ours(kGroup, kSmall), note}};
}

std::vector<std::string> answer(const std::vector<BatchClaim>& all) {
  if (!have_evidence(all)) return {};
  const auto judged = judge(all);
  const auto says = [&](const char* id) {
    const JudgedClaim& it = find_claim(judged, id);
    return fmt::format("{} ({} points)", to_string(it.verdict), signed_text(it.interval.mean, 1));
  };
  return {
      fmt::format("That BN makes more errors with batches of 2 than of 32 is {} in the perceptron and {} in the "
                  "convolutional network; that group norm does not care, {}. That many positions protect BN: {}.",
                  says("bn-suffers"), says("bn-suffers-cnn"), says("group-norm-stable"), says("positions-protect"))};
}

Findings findings(const Setting& setting, Results& results) {
  const ArmRuns runs(setting, results);
  const auto all = claims(runs);
  return {{error_figure(runs), elements_figure(runs), harm_figure(runs), training_figure_by_images(runs)},
          all,
          numbers(runs),
          answer(all)};
}

}  // namespace

Experiment results_batch_size() {
  return {
      "results-batch-size",
      "BN and the size of the batch",
      {"M8"},
      "Wu & He 2018, Group Normalization (arXiv 1803.08494)",
      "Fig. 1 and Table 2",
      "How large must a batch be for BN, and does it hold for other normalizations?",
      plan,
      what_was_run,
      findings,
      {.chapter = Chapter::kResults,
       .plainly = "BN takes its mean and variance from the images of a batch: from two images they are little more "
                  "than noise. Networks see the same images in small or in large batches; the lower a curve, the "
                  "fewer errors on new images.",
       .headline = "bn-suffers",
       .in_short = "In a network without convolutions BN makes more errors if there are only two images in a batch."}};
}

}  // namespace bnlab
