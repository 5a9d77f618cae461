// Whose images BN's statistics are of where several processes share a batch. Run it: bnlab reproduce --only
// sync-batch-size
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "bnlab/experiments/basics/basics.h"
#include "bnlab/record/number_text.h"
#include "bnlab/study/curves.h"
#include "bnlab/study/evidence.h"

namespace bnlab {
namespace {

constexpr int64_t kRanks = 2;
constexpr int64_t kFew = 2, kMany = 32;  // images a rank: Wu & He's range
constexpr double kAlike = 2;             // percentage points of test error that still count as alike: ours
constexpr int64_t kRateBatch = 64;       // the batch at which the network has its base rate
constexpr double kBaseRate = 0.2;        // as in results-batch-size
constexpr int64_t kFirstSteps = 5;       // over which rounding has not grown, on pilot seeds
constexpr double kRounding = 1e-3;       // of the loss: ours

struct SharedProtocol {
  std::vector<int64_t> batches;  ///< images a rank
  int64_t examples;              ///< seen in training by all ranks together, whatever the batch
  int64_t width, test_examples;
};

SharedProtocol shared_protocol(Scale scale) {
  switch (scale) {
    case Scale::kSmoke:
      return {{2, 32}, 256, 16, 40};
    case Scale::kQuick:
      return {{2, 4, 8, 16, 32}, 3072, 100, 2000};
    case Scale::kStandard:
      return {{2, 4, 8, 16, 32}, 60000, 100, 10000};
    case Scale::kPaper:
      return {{2, 4, 8, 16, 32}, 1200000, 100, 10000};
  }
  throw std::logic_error("no such scale");
}

/// Whose images a channel's mean and variance are of.
struct Statistics {
  std::string name, color;
  int64_t ranks;
  std::string of;  ///< as a run spec says it
};
const Statistics kLocal{"local", colors::kBlue, kRanks, "local"},
    kSynchronized{"synchronized", colors::kRed, kRanks, "synchronized"},
    kAlone{"one process", colors::kGrey, 1, "synchronized"};

int64_t steps_of(Scale scale, int64_t batch) {
  return shared_protocol(scale).examples / (kRanks * batch);
}

/// `batch`: images a rank; one process alone has all that the ranks have together.
Arm arm(const Statistics& statistics, int64_t batch) {
  return {{fmt::format("{}, {} a rank", statistics.name, batch), statistics.color},
          [=](const Setting& setting, int64_t seed) {
            const SharedProtocol p = shared_protocol(setting.scale);
            TrainSpec spec;
            spec.data = {setting.data.set, setting.data.digest};
            spec.model.name = "mlp";
            spec.model.options = {{"width", static_cast<double>(p.width)}};
            spec.model.norm.kind = "batch";
            spec.batch = kRanks * batch;
            spec.ranks = statistics.ranks;
            spec.rank_statistics = statistics.of;
            spec.optimizer.lr = kBaseRate * static_cast<double>(spec.batch) / kRateBatch;
            spec.optimizer.schedule = "cosine";
            spec.steps = steps_of(setting.scale, batch);
            spec.seed = seed;
            spec.probes.push_back({"accuracy", spec.steps, 1, true, {{"examples", p.test_examples}}});
            return spec;
          }};
}

std::vector<Arm> arms(Scale scale, const Statistics& statistics) {
  std::vector<Arm> all;
  for (const int64_t batch : shared_protocol(scale).batches) all.push_back(arm(statistics, batch));
  return all;
}

Plan plan(const Setting& setting) {
  Plan plan(setting);
  add_runs(plan, setting, arms(setting.scale, kLocal));
  add_runs(plan, setting, arms(setting.scale, kSynchronized));
  add_runs(plan, setting, {arm(kAlone, kFew)});
  return plan;
}

std::vector<std::string> what_was_run(const Setting& setting) {
  const SharedProtocol p = shared_protocol(setting.scale);
  return {
      fmt::format(
          "A multilayer perceptron (3 hidden layers of {} ReLU units, each with BN) on {}, pixels z-scored, trained by "
          "{} processes that share each batch, {} images each, and add up their gradients: once with local statistics, "
          "each process's BN over its own images, and once with synchronized ones, over all images of the batch. Both "
          "have the same batches, learning rates and initial weights. {} images in all, plain SGD at a rate of {} for "
          "{} images in proportion to the batch, which falls to 0 along a cosine (results-batch-size has chosen it). "
          "{} seed{}. Test error in evaluation mode on {} test images; with local statistics, by the first process's "
          "running averages, as is usual.",
          p.width, setting.data.title, kRanks, fmt::join(p.batches, ", "), p.examples, kBaseRate, kRateBatch,
          setting.seeds.size(), setting.seeds.size() == 1 ? "" : "s", p.test_examples),
      "The processes talk through libtorch's c10d: two small messages a layer and step, in which moments and sums of "
      "gradients are merged in double. Whoever trains on several devices meets this choice: a framework's "
      "data-parallel training leaves statistics local unless it is told otherwise.",
      "One process with the whole batch is the reference: what is synchronized must train as it does, but for "
      "rounding."};
}

PerSeed error_of(const ArmRuns& runs, const Statistics& statistics, int64_t batch) {
  return test_error(runs, arm(statistics, batch));
}

/// Points of test error that synchronizing saves.
PerSeed saved(const ArmRuns& runs, int64_t batch) {
  return minus(error_of(runs, kLocal, batch), error_of(runs, kSynchronized, batch));
}

/// The largest relative difference between the losses of synchronized ranks and of one process, over the first steps.
PerSeed departure(const ArmRuns& runs) {
  const auto& together = runs.of(arm(kSynchronized, kFew));
  const auto& alone = runs.of(arm(kAlone, kFew));
  PerSeed all;
  for (size_t seed = 0; seed < std::min(together.size(), alone.size()); ++seed) {
    const Series a = together[seed]->scalars({"train", 0, "loss"}), b = alone[seed]->scalars({"train", 0, "loss"});
    double largest = 0;
    for (size_t step = 0; step < kFirstSteps; ++step) {
      const bool both = step < a.values.size() && step < b.values.size();
      const double difference = both ? std::abs(a.values[step] - b.values[step]) / b.values[step] : NAN;
      if (!std::isnan(largest) && !(difference <= largest)) largest = difference;
    }
    all.push_back(largest);
  }
  return all;
}

Window second_half(const ArmRuns& runs, int64_t batch) {
  const int64_t steps = steps_of(runs.setting().scale, batch);
  return {steps / 2, steps};
}

using SharedClaim = std::pair<Claim, Evidence>;

Precondition has_learned(const ArmRuns& runs, const Statistics& statistics, int64_t batch) {
  return learned(runs, {arm(statistics, batch)}, second_half(runs, batch));
}

std::vector<SharedClaim> claims(const ArmRuns& runs) {
  const Arm local_few = arm(kLocal, kFew), local_many = arm(kLocal, kMany), joint_few = arm(kSynchronized, kFew),
            joint_many = arm(kSynchronized, kMany);
  const std::string ours = "(Ours: no source states it.)";
  return {
      {{.id = "synchronizing-saves",
        .sentence = "With 2 images a process, BN makes fewer errors if its statistics are synchronized.",
        .quote = "(Wu & He 2018, section 2: synchronized BN lowers the error where a device has few images, at the "
                 "price of communication; paraphrased.)",
        .statistic = "test error with local statistics minus with synchronized ones",
        .window = "after the last step",
        .unit = "percentage points",
        .side = Side::above(0),
        .paper_value = std::nullopt,
        .rank = Rank::kPrimary},
       paired(runs, {local_few, joint_few}, {has_learned(runs, kSynchronized, kFew)}, saved(runs, kFew))},
      {{.id = "many-images-suffice",
        .sentence = "With 32 images a process it does not matter, within two points.",
        .quote =
            "(Goyal et al. 2017, section 2.3: statistics over 32 images of each worker serve as well; paraphrased.)",
        .statistic = fmt::format(
            "test error with local statistics minus with synchronized ones; the bounds, {} points, are ours", kAlike),
        .window = "after the last step",
        .unit = "percentage points",
        .side = Side::within(-kAlike, kAlike),
        .paper_value = 0,
        .rank = Rank::kPrimary},
       paired(runs, {local_many, joint_many},
              {has_learned(runs, kLocal, kMany), has_learned(runs, kSynchronized, kMany)}, saved(runs, kMany))},
      {{.id = "as-one-process",
        .sentence = "Synchronized, two processes train as one process with the whole batch does, but for rounding.",
        .quote = ours,
        .statistic = fmt::format("largest relative difference of their losses over {} steps; the bound, {}, is ours",
                                 kFirstSteps, kRounding),
        .window = fmt::format("steps 0 to {}", kFirstSteps - 1),
        .unit = "of the loss",
        .side = Side::within(-kRounding, kRounding),
        .paper_value = 0,
        .rank = Rank::kPrimary},
       paired(runs, {joint_few, arm(kAlone, kFew)}, {}, departure(runs))},
      {{.id = "local-suffers-more",
        .sentence = "Few images a process harm local statistics more than synchronized ones.",
        .quote = ours,
        .statistic = "what synchronizing saves with 2 images a process, minus with 32",
        .window = "after the last step",
        .unit = "percentage points",
        .side = Side::above(0),
        .paper_value = std::nullopt},
       paired(runs, {local_few, local_many, joint_few, joint_many}, {has_learned(runs, kSynchronized, kFew)},
              minus(saved(runs, kFew), saved(runs, kMany)))},
      {{.id = "synchronized-still-suffers",
        .sentence = "Two processes do not bring enough: synchronized, 2 images each still make more errors than 32.",
        .quote = "(Wu & He 2018, section 2: synchronizing does not remove the problem of small batches; paraphrased.)",
        .statistic = "test error with synchronized statistics, 2 images a process minus 32",
        .window = "after the last step",
        .unit = "percentage points",
        .side = Side::above(0),
        .paper_value = std::nullopt},
       paired(runs, {joint_few, joint_many}, {has_learned(runs, kSynchronized, kMany)},
              minus(error_of(runs, kSynchronized, kFew), error_of(runs, kSynchronized, kMany)))}};
}

Figure error_figure(const ArmRuns& runs) {
  std::vector<BandPoint> points;
  std::vector<ArmStyle> styles;
  for (const Statistics& statistics : {kLocal, kSynchronized}) {
    styles.push_back({statistics.name, statistics.color});
    for (const int64_t batch : shared_protocol(runs.setting().scale).batches) {
      const PerSeed errors = error_of(runs, statistics, batch);
      if (!errors.empty()) points.push_back(band_point(statistics.name, static_cast<double>(batch), errors));
    }
  }
  return {
      "a", "Test error against the images of one process",
      "Two processes share each batch. Blue: each normalizes by the statistics of its own images; red: by those of "
      "all. To the left, where a process has few images, the lines part: from two numbers BN makes +1 and −1, "
      "whatever they were. Line: mean over seeds, band: lowest to highest.",
      band_chart(points, styles, "images a process (logarithmic)", "test error (%)", {.points = true, .log_x = true})};
}

Figure saved_figure(const ArmRuns& runs) {
  std::vector<SeedValue> values;
  for (const int64_t batch : shared_protocol(runs.setting().scale).batches) {
    const PerSeed points = saved(runs, batch);
    for (size_t i = 0; i < points.size(); ++i) {
      values.push_back({fmt::format("{} a process", batch), "saved", runs.setting().seeds[i], points[i]});
    }
  }
  return {"b", "What synchronizing saves",
          "Test error with local statistics minus with synchronized ones, of networks that saw the same batches; a dot "
          "a seed, with mean and 95 % interval. Right of the dashed line synchronizing helps.",
          strip_chart(values, {{"saved", colors::kRed}}, "", "percentage points of test error",
                      {.reference = 0.0, .reference_label = "no difference"})};
}

Figure loss_figure(const ArmRuns& runs) {
  return {
      "c", "Synchronized processes train as one process",
      "Training loss of two processes with two images each, synchronized (red) and local (blue), and of one process "
      "with all four (grey), which the red line covers: the same batches, the same statistics, the same updates.",
      band_chart(loss_curves(runs, {arm(kAlone, kFew), arm(kSynchronized, kFew), arm(kLocal, kFew)}),
                 styles_of({arm(kAlone, kFew), arm(kSynchronized, kFew), arm(kLocal, kFew)}), "step",
                 "training loss (nats)")};
}

std::vector<std::string> answer(const std::vector<SharedClaim>& all) {
  if (!have_evidence(all)) return {};
  const auto judged = judge(all);
  const auto says = [&](const char* id) {
    const JudgedClaim& it = find_claim(judged, id);
    return fmt::format("{} ({} points)", to_string(it.verdict), signed_text(it.interval.mean, 1));
  };
  return {
      fmt::format("That synchronizing saves errors with 2 images a process: {}; that it does not matter with 32: "
                  "{}. That two processes are too few to make up for 2 images each: {}.",
                  says("synchronizing-saves"), says("many-images-suffice"), says("synchronized-still-suffers"))};
}

Findings findings(const Setting& setting, Results& results) {
  const ArmRuns runs(setting, results);
  const auto all = claims(runs);
  return {{error_figure(runs), saved_figure(runs), loss_figure(runs)}, all, {}, answer(all)};
}

}  // namespace

Experiment sync_batch_size() {
  return {
      "sync-batch-size",
      "BN where several processes share a batch",
      {"B7", "M8"},
      "Wu & He 2018, Group Normalization (arXiv 1803.08494); Goyal et al. 2017 (arXiv 1706.02677)",
      "no figure of theirs",
      "Must BN's statistics be synchronized over processes, and from how many images a process on is it no matter?",
      plan,
      what_was_run,
      findings,
      {.chapter = Chapter::kResults,
       .plainly = "Two processes train one network, each with its own part of every batch. BN can go by the part or, "
                  "by two short messages a layer, by the whole: look at how the two lines part to the left, where a "
                  "part is small."}};
}

}  // namespace bnlab
