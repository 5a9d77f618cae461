#include "bnlab/experiments/santurkar_fig1.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "bnlab/experiments/charts.h"
#include "bnlab/experiments/measures.h"

namespace bnlab {
namespace {

// The paper leaves open: whether convolutions keep their bias beside BN (here: yes, in both arms), the momentum of BN's
// running average (0.1) and its eps (1e-5), and what "activations" of a layer are: here what the ReLU gets, which is
// BN's output where there is BN.
struct Protocol {
  std::string model;
  double width;
  int64_t batch, steps;
  int64_t early_layer, late_layer;  // the paper's #3 and #11 of 13; for VGG-A's 8 those at the same relative depth
  int64_t test_every, test_examples;
  int64_t activations_every;
};

Protocol protocol(Scale scale) {
  switch (scale) {
    case Scale::kSmoke:
      return {"vgg11", 0.0625, 16, 12, 2, 7, 4, 100, 4};
    case Scale::kQuick:
      return {"vgg11", 0.25, 128, 400, 2, 7, 50, 1000, 20};
    case Scale::kStandard:
      return {"vgg16", 0.25, 128, 3000, 3, 11, 250, 2000, 150};
    case Scale::kPaper:
      return {"vgg16", 1, 128, 15000, 3, 11, 500, 0, 750};
  }
  throw std::logic_error("santurkar-fig1 has no such scale");
}

struct Arm {
  std::string name;  // as in the plan and the figures
  bool bn;
  double lr;
};
const std::vector<Arm> kArms = {{"BN, rate 0.1", true, 0.1},
                                {"BN, rate 0.5", true, 0.5},
                                {"no BN, rate 0.1", false, 0.1},
                                {"no BN, rate 0.5", false, 0.5}};
const std::vector<ArmStyle> kStyles = {{"BN, rate 0.1", "#c8553d"},
                                       {"BN, rate 0.5", "#c8553d", {6, 4}},
                                       {"no BN, rate 0.1", "#2d5d8c"},
                                       {"no BN, rate 0.5", "#2d5d8c", {6, 4}}};
std::string tested(const std::string& arm) {
  return arm + ", tested";
}

TrainSpec train_spec(const Setting& setting, const Protocol& p, const Arm& arm, int64_t seed) {
  TrainSpec spec;
  spec.data = {setting.data.set, setting.data.digest, "z-score", std::max<int64_t>(32, setting.data.shape.size),
               "none"};
  spec.model.name = p.model;
  spec.model.options = {{"width", p.width}};
  spec.model.norm.kind = arm.bn ? "batch" : "none";
  spec.optimizer.lr = arm.lr;
  spec.batch = p.batch;
  spec.steps = p.steps;
  spec.seed = seed;
  spec.probes.push_back({"accuracy", 0, p.test_every, true, {{"split", "test"}, {"examples", p.test_examples}}});
  spec.probes.push_back({"activations", 0, p.activations_every, true, {{"layers", {p.early_layer, p.late_layer}}}});
  return spec;
}

Plan plan(const Setting& setting) {
  const Protocol p = protocol(setting.scale);
  Plan plan(setting.data);
  for (const int64_t seed : setting.seeds) {
    for (const Arm& arm : kArms) {
      const std::string title = fmt::format("{} width {}, {}, seed {}", p.model, p.width, arm.name, seed);
      const std::string id = plan.add(arm.name, seed, title, train_spec(setting, p, arm, seed));
      plan.add(tested(arm.name), seed, "test of " + title, AnalysisSpec{"evaluation", {{"split", "test"}}, {id}});
    }
  }
  return plan;
}

std::vector<std::string> what_was_run(const Setting& setting) {
  const Protocol p = protocol(setting.scale);
  return {fmt::format(
              "{} at {} of its width with one linear layer as head, on {}, pixels z-scored per channel{}, no "
              "augmentation. Plain SGD at a fixed rate, batch {}, {} steps, Glorot initialization; with BN after every "
              "convolution and before the ReLU (γ, β learned, ε 1e-5), and without. {} seed{}; the two networks of a "
              "seed start from the same weights and see the same batches.",
              p.model == "vgg11" ? "VGG-A (8 convolutions)" : "VGG with 13 convolutions", p.width, setting.data.title,
              setting.data.shape.size < 32 ? ", padded to 32×32" : "", p.batch, p.steps, setting.seeds.size(),
              setting.seeds.size() == 1 ? "" : "s"),
          "The paper: VGG with 13 convolutions on CIFAR-10, 15,000 steps. Where it is silent: convolutions keep their "
          "bias in "
          "both networks; a layer's activations are what its ReLU gets, of the same 128 training images at every "
          "observation, "
          "so that a change between observations is the weights' doing."};
}

// Everything that figures and claims need of one arm; one entry a seed that has its runs.
struct ArmRecord {
  std::vector<int64_t> seeds;
  std::vector<std::vector<double>> accuracy;  // of each step's batch, 0 to 1
  std::vector<Series> test;
  std::vector<double> final_test;
  std::vector<std::string> runs;
};

ArmRecord read_arm(const Setting& setting, Results& results, const std::string& arm) {
  ArmRecord record;
  const double chance = 1.0 / static_cast<double>(setting.data.shape.classes);
  for (const int64_t seed : setting.seeds) {
    RunReader* run = results.find(arm, seed);
    RunReader* test = results.find(tested(arm), seed);
    if (!run || !test) continue;
    record.seeds.push_back(seed);
    record.accuracy.push_back(training_accuracy(*run, setting.data.shape.classes));
    Series series = run->scalars({"accuracy", 0, "test_accuracy"});
    if (run->diverged_at() >= 0) {  // from there on it guesses
      const auto& spec = std::get<TrainSpec>(run->spec());
      for (int64_t step = 0; step <= spec.steps; ++step) {
        const bool observed = spec.probes.front().wants(step) || step == spec.steps;
        if (observed && step >= run->diverged_at()) series.steps.push_back(step), series.values.push_back(chance);
      }
    }
    record.test.push_back(std::move(series));
    record.final_test.push_back(test->scalar_at({"evaluation", 0, "accuracy"}, 0).value_or(NAN));
    record.runs.insert(record.runs.end(), {results.plan().run(arm, seed).id, results.plan().run(tested(arm), seed).id});
  }
  return record;
}

using Records = std::map<std::string, ArmRecord>;

BandPoint band_point(const std::string& arm, double x, const std::vector<double>& values) {
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  double mean = 0;
  for (const double value : values) mean += value / static_cast<double>(values.size());
  return {arm, x, mean, *low, *high};
}

Figure training_figure(const Setting& setting, const Records& records, const Protocol& p) {
  constexpr size_t kPoints = 100;
  const size_t width = std::max<size_t>(1, static_cast<size_t>(p.steps) / 16);
  std::vector<BandPoint> points;
  for (const auto& arm : kArms) {
    std::vector<std::vector<double>> curves;
    for (const auto& accuracy : records.at(arm.name).accuracy) curves.push_back(smoothed(accuracy, width));
    if (curves.empty()) continue;
    for (size_t k = 0; k <= kPoints; ++k) {
      const size_t step = k * (static_cast<size_t>(p.steps) - 1) / kPoints;
      std::vector<double> values;
      for (const auto& curve : curves) values.push_back(100 * curve.at(step));
      points.push_back(band_point(arm.name, static_cast<double>(step), values));
    }
  }
  return {
      "a", "Training accuracy",
      fmt::format(
          "Share of each batch that the network gets right while it trains (average over the last {} steps; line: "
          "mean over seeds, band: lowest to highest seed). Look at the gap between red (with BN) and blue (without), "
          "and at what the higher learning rate (dashed) does to each. Guessing would give {} %.",
          width, 100 / setting.data.shape.classes),
      band_chart(points, kStyles, "training step", "training accuracy (%)")};
}

Figure test_figure(const Records& records, const Protocol& p) {
  std::vector<BandPoint> points;
  for (const auto& arm : kArms) {
    std::map<int64_t, std::vector<double>> by_step;
    for (const auto& series : records.at(arm.name).test) {
      for (size_t i = 0; i < series.steps.size(); ++i) by_step[series.steps[i]].push_back(100 * series.values[i]);
    }
    for (const auto& [step, values] : by_step)
      points.push_back(band_point(arm.name, static_cast<double>(step), values));
  }
  return {"b", "Test accuracy",
          fmt::format(
              "Share of {} test images that the network gets right, in evaluation mode (BN uses its running averages). "
              "Line: mean over seeds, band: lowest to highest seed. Early on, BN's running averages lag behind the "
              "weights, so its test accuracy may jump about while its training accuracy rises steadily.",
              p.test_examples == 0 ? "all" : "the first " + std::to_string(p.test_examples)),
          band_chart(points, kStyles, "training step", "test accuracy (%)", true)};
}

std::vector<std::vector<double>> samples(RunReader& run, int64_t layer) {
  std::vector<std::vector<double>> all;
  for (const auto& record : run.arrays({"activations", layer, "samples"})) all.push_back(record.as_doubles());
  return all;
}

Figure activations_figure(const Setting& setting, const Protocol& p, Results& results) {
  std::vector<Ridge> ridges;
  std::vector<std::string> panels;
  for (const int64_t layer : {p.early_layer, p.late_layer}) {
    for (const char* arm : {"no BN, rate 0.1", "BN, rate 0.1"}) {
      panels.push_back(fmt::format("layer #{}, {}", layer, arm));
      RunReader* run = results.find(arm, setting.seeds.front());
      if (!run) continue;
      for (const auto& record : run->arrays({"activations", layer, "samples"})) {
        ridges.push_back({panels.back(), static_cast<double>(record.step), record.as_doubles()});
      }
    }
  }
  return {"c", "Distribution of a layer's activations over training",
          fmt::format(
              "Each ridge is the distribution of the values that a layer's ReLU gets, at one training step; time runs "
              "downwards and towards the darker ridges (seed {}). BN was invented to keep these distributions steady. "
              "Compare left (without BN) and right (with BN): do the ridges on the right really wander less, as "
              "clearly as the curves above differ?",
              setting.seeds.front()),
          ridge_chart(ridges, panels, 2, "activation (input of the ReLU)", "training step")};
}

// Mean Wasserstein-1 distance between successive observations, in units of their mean standard deviation.
double drift(RunReader& run, int64_t layer) {
  const auto all = samples(run, layer);
  const Series deviations = run.scalars({"activations", layer, "std"});
  double sum = 0;
  for (size_t i = 1; i < all.size(); ++i) {
    sum += wasserstein1(all[i - 1], all[i]) / (0.5 * (deviations.values[i - 1] + deviations.values[i]));
  }
  return all.size() > 1 ? sum / static_cast<double>(all.size() - 1) : NAN;
}

/// The judged claims: what is compared, over the second half of training.
class Claims {
 public:
  Claims(const Setting& setting, const Protocol& p, const Records& records, Results& results)
      : setting_(setting), p_(p), records_(records), results_(results), window_{p.steps / 2, p.steps} {}

  std::vector<std::pair<Claim, Evidence>> all() {
    return {
        faster(), high_rate(), robust(), generalizes(), alike(p_.early_layer, "early"), alike(p_.late_layer, "late")};
  }

 private:
  const ArmRecord& record(const char* arm) const { return records_.at(arm); }

  std::vector<double> accuracy(const char* arm) const {
    std::vector<double> means;
    for (const auto& accuracy : record(arm).accuracy) means.push_back(mean_over(accuracy, window_));
    return means;
  }

  /// Evidence whose effect is `effect(i)` for the i-th seed, if every arm has all its runs.
  template <class Effect>
  Evidence evidence(const std::vector<const char*>& arms, const std::vector<const char*>& must_have_learned,
                    const Effect& effect) const {
    Evidence evidence;
    for (const char* arm : arms) {
      if (record(arm).seeds.size() < setting_.seeds.size()) {
        evidence.missing = fmt::format("runs of \"{}\" are missing", arm);
        return evidence;
      }
      evidence.runs.insert(evidence.runs.end(), record(arm).runs.begin(), record(arm).runs.end());
    }
    for (size_t i = 0; i < setting_.seeds.size(); ++i) evidence.per_seed.push_back(effect(i));
    std::vector<LearnedArm> learned;
    for (const char* arm : must_have_learned) learned.push_back({arm, accuracy(arm)});
    evidence.preconditions.push_back(have_learned("arms-have-learned", learned, setting_.data.shape.classes));
    return evidence;
  }

  std::pair<Claim, Evidence> faster() const {
    const auto bn = accuracy("BN, rate 0.1"), none = accuracy("no BN, rate 0.1");
    return {{"faster-at-0.1", "At the same learning rate (0.1), the network with BN trains faster.",
             "There is a consistent gain in training speed in models with BatchNorm layers. (Fig. 1, caption)",
             "mean training accuracy with BN minus without, over the window", window_.text(), "percentage points",
             Side::above(0), std::nullopt},
            evidence({"BN, rate 0.1", "no BN, rate 0.1"}, {"BN, rate 0.1", "no BN, rate 0.1"},
                     [&](size_t i) { return 100 * (bn[i] - none[i]); })};
  }

  std::pair<Claim, Evidence> high_rate() const {
    const auto bn = accuracy("BN, rate 0.5"), none = accuracy("no BN, rate 0.5");
    return {
        {"better-at-0.5", "At a high learning rate (0.5), the network with BN trains better than the one without.",
         "(Fig. 1a: the curves at learning rate 0.5.)", "mean training accuracy with BN minus without, over the window",
         window_.text(), "percentage points", Side::above(0), std::nullopt},
        evidence({"BN, rate 0.5", "no BN, rate 0.5"}, {"BN, rate 0.5"},
                 [&](size_t i) { return 100 * (bn[i] - none[i]); })};
  }

  std::pair<Claim, Evidence> robust() const {
    const auto bn1 = accuracy("BN, rate 0.1"), bn5 = accuracy("BN, rate 0.5");
    const auto none1 = accuracy("no BN, rate 0.1"), none5 = accuracy("no BN, rate 0.5");
    return {{"robust-to-rate",
             "Raising the learning rate from 0.1 to 0.5 costs the network with BN less than the one without.",
             "(Section 2: BatchNorm makes training less sensitive to the choice of hyperparameters; paraphrased.)",
             "(accuracy at 0.1 minus at 0.5 without BN) minus (the same with BN), over the window", window_.text(),
             "percentage points", Side::above(0), std::nullopt},
            evidence({"BN, rate 0.1", "BN, rate 0.5", "no BN, rate 0.1", "no BN, rate 0.5"},
                     {"BN, rate 0.1", "no BN, rate 0.1"},
                     [&](size_t i) { return 100 * ((none1[i] - none5[i]) - (bn1[i] - bn5[i])); })};
  }

  std::pair<Claim, Evidence> generalizes() const {
    const auto &bn = record("BN, rate 0.1").final_test, &none = record("no BN, rate 0.1").final_test;
    return {{"better-test-accuracy", "After training at rate 0.1, the network with BN does better on the test images.",
             "(Fig. 1b: test accuracy 83 % with BN and 80 % without.)",
             "accuracy on the whole test split after the last step, with BN minus without", "after the last step",
             "percentage points", Side::above(0), 3.0},
            evidence({"BN, rate 0.1", "no BN, rate 0.1"}, {"BN, rate 0.1", "no BN, rate 0.1"},
                     [&](size_t i) { return 100 * (bn[i] - none[i]); })};
  }

  std::pair<Claim, Evidence> alike(int64_t layer, const std::string& which) const {
    const auto effect = [&](size_t i) {
      RunReader* bn = results_.find("BN, rate 0.1", setting_.seeds[i]);
      RunReader* none = results_.find("no BN, rate 0.1", setting_.seeds[i]);
      return std::log(drift(*bn, layer) / drift(*none, layer));
    };
    return {{"activations-drift-alike-" + which,
             fmt::format("The distribution of layer #{}'s activations wanders about as much with BN as without: less "
                         "than twofold apart.",
                         layer),
             "The difference in the evolution of layer input distributions seems to be much less pronounced. (Fig. 1, "
             "caption)",
             "ln of the ratio, with BN to without, of the mean Wasserstein-1 distance between successive observations "
             "in units "
             "of their standard deviation; the bounds are our reading of \"much less pronounced\"",
             fmt::format("all of training, an observation every {} steps, rate 0.1", p_.activations_every), "log ratio",
             Side::within(-std::log(2.0), std::log(2.0)), std::nullopt},
            evidence({"BN, rate 0.1", "no BN, rate 0.1"}, {"BN, rate 0.1", "no BN, rate 0.1"}, effect)};
  }

  const Setting& setting_;
  const Protocol& p_;
  const Records& records_;
  Results& results_;
  Window window_;
};

std::vector<PaperNumber> paper_numbers(const Setting& setting, const Records& records) {
  const auto percent = [](std::vector<double> values) {
    for (double& value : values) value *= 100;
    return values.empty() ? std::string("–") : mean_and_interval(values, 1);
  };
  const std::string note =
      fmt::format("The paper: VGG with 13 convolutions, CIFAR-10, 15,000 steps; here {} at scale {}.",
                  setting.data.title, to_string(setting.scale));
  return {{"test accuracy with BN, rate 0.1 (%)", "83", percent(records.at("BN, rate 0.1").final_test), note},
          {"test accuracy without BN, rate 0.1 (%)", "80", percent(records.at("no BN, rate 0.1").final_test), note}};
}

Findings findings(const Setting& setting, Results& results) {
  const Protocol p = protocol(setting.scale);
  Records records;
  for (const auto& arm : kArms) records[arm.name] = read_arm(setting, results, arm.name);
  return {{training_figure(setting, records, p), test_figure(records, p), activations_figure(setting, p, results)},
          Claims(setting, p, records, results).all(),
          paper_numbers(setting, records)};
}

}  // namespace

Experiment santurkar_fig1() {
  return {"santurkar-fig1",
          "VGG with and without batch normalization",
          {"M9"},
          "Santurkar, Tsipras, Ilyas & Madry 2018, How Does Batch Normalization Help Optimization? (arXiv 1805.11604)",
          "Fig. 1 a, b, c",
          "Does BN make a network train faster and at higher learning rates, and does it do so by keeping its layers' "
          "activations steadier?",
          plan,
          what_was_run,
          findings};
}

}  // namespace bnlab
