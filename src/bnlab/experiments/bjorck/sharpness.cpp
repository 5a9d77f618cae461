// Whether noisier steps end in flatter minima that generalize better: networks over a grid of learning rates and batch
// sizes. Run it: bnlab reproduce --only bjorck-sharpness
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "bnlab/experiments/bjorck/bjorck.h"
#include "bnlab/experiments/bjorck/hessian.h"
#include "bnlab/record/number_text.h"
#include "bnlab/study/curves.h"
#include "bnlab/study/evidence.h"

namespace bnlab {
namespace {

const std::vector<double> kGridRates = {0.025, 0.1, 0.4};
const std::vector<std::string> kRateColors = {colors::kBlue, colors::kGold, colors::kRed};

struct GridProtocol {
  std::string model;
  Options options;
  int64_t pool, pad_to;
  std::vector<int64_t> batches;
  int64_t seen;            ///< images that a network trains on, some of them several times
  int64_t images, tested;  ///< of the Hessian, and of each accuracy
  int64_t looks;           ///< at accuracy and loss along training
};

GridProtocol grid_protocol(Scale scale) {
  const Options perceptron = {{"layers", 2}, {"width", 32}};
  switch (scale) {
    case Scale::kSmoke:
      return {"mlp", perceptron, 2, 0, {4, 8, 16}, 192, 32, 40, 3};
    case Scale::kQuick:
      return {"mlp", perceptron, 2, 0, {16, 64, 256}, 96000, 256, 2000, 25};
    case Scale::kStandard:
      return {"vgg11", {{"width", 0.125}, {"pools", 4}}, 2, 16, {16, 64, 256}, 600000, 1024, 10000, 25};
    case Scale::kPaper:
      return {"resnet110", {}, 1, 0, {32, 128, 512}, 8250000, 2048, 0, 25};
  }
  throw std::logic_error("no such scale");
}

/// A network of the grid.
struct Cell {
  size_t rate, batch;  ///< places in kGridRates and GridProtocol::batches
  Arm arm;
};

int64_t steps_of(const GridProtocol& p, size_t batch) {
  return p.seen / p.batches.at(batch);
}

Arm grid_arm(const GridProtocol& at_scale, size_t rate, size_t batch) {
  const int64_t size = at_scale.batches.at(batch);
  return {
      {fmt::format("α = {}, |B| = {}", kGridRates[rate], size), kRateColors[rate]},
      [rate, batch](const Setting& setting, int64_t seed) {
        const GridProtocol p = grid_protocol(setting.scale);
        const int64_t steps = steps_of(p, batch);
        TrainSpec spec;
        spec.data = {setting.data.set, setting.data.digest};
        spec.data.pool = p.pool;
        spec.data.pad_to = p.pad_to;
        spec.model.name = p.model;
        spec.model.options = p.options;
        spec.model.norm.kind = "batch";
        spec.optimizer.lr = kGridRates[rate];
        spec.batch = p.batches[batch];
        spec.steps = steps;
        spec.seed = seed;
        for (const char* split : {"train", "test"}) {
          spec.probes.push_back(
              {"accuracy", 0, std::max<int64_t>(1, steps / p.looks), true, {{"split", split}, {"examples", p.tested}}});
        }
        const Json parameters = {{"images", p.images}, {"batch", p.images}, {"count", 1},
                                 {"products", 150},    {"tolerance", 0.01}, {"probes", 20}};
        spec.probes.push_back({"curvature", steps, 1, true, parameters});
        return spec;
      }};
}

std::vector<Cell> grid(Scale scale) {
  const GridProtocol p = grid_protocol(scale);
  std::vector<Cell> cells;
  for (size_t rate = 0; rate < kGridRates.size(); ++rate) {
    for (size_t batch = 0; batch < p.batches.size(); ++batch) cells.push_back({rate, batch, grid_arm(p, rate, batch)});
  }
  return cells;
}

double noise_of(Scale scale, const Cell& cell) {
  return kGridRates[cell.rate] / static_cast<double>(grid_protocol(scale).batches.at(cell.batch));
}

std::vector<std::string> what_was_run(const Setting& setting) {
  const GridProtocol p = grid_protocol(setting.scale);
  const std::string net = p.model == "mlp"     ? "A perceptron of two hidden layers of 32 ReLUs"
                          : p.model == "vgg11" ? "VGG-A at an eighth of its width"
                                               : "ResNet-110";
  return {
      fmt::format(
          "{} with BN on {}{}, z-scored; plain SGD at a constant rate α of {}, {} or {} in batches of {}, {} or {}: "
          "nine networks a seed, {} seed{}. All train on the same number of images, {}, so that one with batches "
          "of {} makes {} steps and one with {} makes {}.",
          net, setting.data.title, p.pool == 1 ? "" : ", images reduced to means of 2×2 pixels", kGridRates[0],
          kGridRates[1], kGridRates[2], p.batches[0], p.batches[1], p.batches[2], setting.seeds.size(),
          setting.seeds.size() == 1 ? "" : "s", p.seen, p.batches[0], steps_of(p, 0), p.batches[2], steps_of(p, 2)),
      fmt::format(
          "At the end: the largest eigenvalue of the Hessian of the loss of {} training images, and its trace, in "
          "training mode (all {} as one batch) and in evaluation mode, raw and by relative change of the weights "
          "(curvature-modes says what that means).",
          p.images, p.images),
      "After the same number of images the networks have come differently far, and how far explains much of how well "
      "they do on test images. So test errors are compared a second time at equal training loss: at the last one of "
      "the "
      "slowest network of the seed, read off each network's curve; and eigenvalues with the training loss held "
      "constant "
      "by partial correlation.",
      "α/|B| is not all: the paper's argument makes it the measure of SGD's noise, and the grid has several networks "
      "at "
      "the same α/|B|. The trend of a seed is Spearman's rank correlation over its nine networks."};
}

RunReader* run_of(const ArmRuns& runs, const Arm& arm, size_t seed) {
  const auto& all = runs.of(arm);
  return seed < all.size() ? all[seed] : nullptr;
}

using Number = std::function<double(RunReader& run)>;

double last_of(RunReader& run, const Key& key) {
  const Series series = run.scalars(key);
  return series.values.empty() ? NAN : series.values.back();
}
Number at_end(const std::string& probe, const std::string& name) {
  return [=](RunReader& run) { return last_of(run, {probe, 0, name}); };
}
double test_error(double accuracy) {
  return 100 * (1 - accuracy);
}
double final_error(RunReader& run) {
  return test_error(last_of(run, {"accuracy", 0, "test_accuracy"}));
}
double final_loss(RunReader& run) {
  return last_of(run, {"accuracy", 0, "train_loss"});
}

/// The test error where the training loss first passes `level`, between two looks by interpolation.
double error_at_loss(RunReader& run, double level) {
  const std::vector<double> loss = run.scalars({"accuracy", 0, "train_loss"}).values,
                            accuracy = run.scalars({"accuracy", 0, "test_accuracy"}).values;
  for (size_t i = 0; i < std::min(loss.size(), accuracy.size()); ++i) {
    if (!(loss[i] <= level)) continue;
    if (i == 0) return test_error(accuracy[0]);
    const double share = (loss[i - 1] - level) / (loss[i - 1] - loss[i]);
    return test_error(accuracy[i - 1] + share * (accuracy[i] - accuracy[i - 1]));
  }
  return NAN;
}

/// The grid of one seed: what each of its networks has, in the order of cells.
class Grid {
 public:
  explicit Grid(const ArmRuns& runs) : runs_(runs), cells_(grid(runs.setting().scale)) {}

  const std::vector<Cell>& cells() const { return cells_; }
  std::vector<double> noise() const {
    std::vector<double> values;
    for (const Cell& cell : cells_) values.push_back(noise_of(runs_.setting().scale, cell));
    return values;
  }
  std::vector<double> numbers(size_t seed, const Number& number) const {
    std::vector<double> values;
    for (const Cell& cell : cells_) {
      RunReader* run = run_of(runs_, cell.arm, seed);
      values.push_back(run ? number(*run) : NAN);
    }
    return values;
  }
  std::vector<double> errors_at_equal_loss(size_t seed) const {
    double level = -INFINITY;
    for (const double loss : numbers(seed, final_loss)) raise_to(level, loss);
    return numbers(seed, [&](RunReader& run) { return error_at_loss(run, level); });
  }
  /// One number a seed of which all runs are there.
  PerSeed each_seed(const std::function<double(size_t seed)>& number) const {
    size_t seeds = runs_.setting().seeds.size();
    for (const Cell& cell : cells_) seeds = std::min(seeds, runs_.of(cell.arm).size());
    PerSeed values;
    for (size_t seed = 0; seed < seeds; ++seed) values.push_back(number(seed));
    return values;
  }

 private:
  const ArmRuns& runs_;
  std::vector<Cell> cells_;
};

/// Spearman's correlation of a and b with c held constant (Kendall 1942).
double partial_spearman(const std::vector<double>& a, const std::vector<double>& b, const std::vector<double>& c) {
  const double ab = spearman(a, b), ac = spearman(a, c), bc = spearman(b, c);
  return (ab - ac * bc) / std::sqrt((1 - ac * ac) * (1 - bc * bc));
}

/// The mean correlation of a number with the rate, at each batch size, or with 1/|B|, at each rate.
double along_one(const std::vector<Cell>& cells, const std::vector<double>& numbers, bool rate) {
  std::vector<double> found;
  for (size_t fixed = 0; fixed < kGridRates.size(); ++fixed) {
    std::vector<double> place, value;
    for (size_t i = 0; i < cells.size(); ++i) {
      if ((rate ? cells[i].batch : cells[i].rate) != fixed) continue;
      place.push_back(rate ? static_cast<double>(cells[i].rate) : -static_cast<double>(cells[i].batch));
      value.push_back(numbers[i]);
    }
    found.push_back(spearman(place, value));
  }
  return mean_of(found);
}

Precondition grid_learned(const ArmRuns& runs, const std::vector<Cell>& cells) {
  std::vector<LearnedArm> all;
  for (const Cell& cell : cells) {
    const int64_t steps = steps_of(grid_protocol(runs.setting().scale), cell.batch);
    all.push_back({cell.arm.name(), accuracy(runs, cell.arm, {3 * steps / 4, steps})});
  }
  return have_learned("arms-have-learned", all, runs.classes());
}

Precondition grid_converged(const ArmRuns& runs, const std::vector<Cell>& cells) {
  std::vector<bjorck::Spectrum> spectra;
  for (const Cell& cell : cells) {
    for (const char* name : {"batch_", "batch_scaled_", "population_", "population_scaled_"}) {
      spectra.push_back({cell.arm, name});
    }
  }
  return bjorck::eigenvalues_converged(runs, spectra);
}

using GridClaim = std::pair<Claim, Evidence>;

const std::string
    kWider =
        "(Section 2: a higher learning rate adds noise as a smaller batch does, which keeps the network from "
        "getting trapped in sharp minima and biases it towards wider ones with better generalization; paraphrased.)",
    kAlike =
        "(Section 2: the noise in an SGD step is affected by the learning rate as by the inverse mini-batch size; "
        "paraphrased.)";

class GridClaims {
 public:
  explicit GridClaims(const ArmRuns& runs)
      : runs_(runs),
        grid_(runs),
        preconditions_({grid_learned(runs, grid_.cells()), grid_converged(runs, grid_.cells())}) {}

  GridClaim correlation(const std::string& id, const std::string& sentence, const std::string& statistic,
                        const std::string& quote, const Side& side, Rank rank,
                        const std::function<double(size_t seed)>& number) const {
    std::vector<Arm> arms;
    for (const Cell& cell : grid_.cells()) arms.push_back(cell.arm);
    return {{.id = id,
             .sentence = sentence,
             .quote = quote,
             .statistic = statistic,
             .window = "after the last step",
             .unit = "rank correlation",
             .side = side,
             .paper_value = {},
             .rank = rank},
            paired(runs_, arms, preconditions_, grid_.each_seed(number))};
  }
  /// Spearman's correlation with α/|B|.
  GridClaim with_noise(const std::string& id, const std::string& sentence, const std::string& what, Rank rank,
                       const std::function<std::vector<double>(size_t seed)>& numbers) const {
    return correlation(id, sentence, "Spearman's rank correlation of α/|B| and " + what + " over the nine networks",
                       kWider, Side::below(0), rank,
                       [&](size_t seed) { return spearman(grid_.noise(), numbers(seed)); });
  }
  GridClaim flatter(const std::string& id, const std::string& sentence, const std::string& what,
                    const std::string& name, Rank rank) const {
    return with_noise(id, sentence, what, rank,
                      [&](size_t seed) { return grid_.numbers(seed, at_end("curvature", name)); });
  }
  const Grid& grid() const { return grid_; }

 private:
  const ArmRuns& runs_;
  Grid grid_;
  std::vector<Precondition> preconditions_;
};

std::vector<GridClaim> grid_claims(const ArmRuns& runs) {
  const GridClaims make(runs);
  const Grid& all = make.grid();
  const Rank first = Rank::kPrimary, second = Rank::kSecondary;
  const Number scaled = at_end("curvature", "batch_scaled_top_1");
  const auto given_loss = [&](size_t seed) {
    return partial_spearman(all.noise(), all.numbers(seed, scaled), all.numbers(seed, final_loss));
  };
  const auto sharp_is_worse = [&](size_t seed) {
    return spearman(all.numbers(seed, scaled), all.numbers(seed, final_error));
  };
  const auto along = [&](bool rate) {
    return [&all, scaled, rate](size_t seed) { return along_one(all.cells(), all.numbers(seed, scaled), rate); };
  };
  return {make.flatter("flatter", "The larger α/|B|, the smaller the largest eigenvalue where training ends.",
                       "λ₁ in training mode", "batch_top_1", first),
          make.flatter("flatter-scaled", "So it is by relative change of the weights, of which BN does not make light.",
                       "λ₁ in training mode, scaled", "batch_scaled_top_1", first),
          make.with_noise("generalizes", "The larger α/|B|, the smaller the test error.", "the test error", first,
                          [&](size_t seed) { return all.numbers(seed, final_error); }),
          make.with_noise("generalizes-at-equal-loss",
                          "At equal training loss, too, the larger α/|B|, the smaller the test error.",
                          "the test error at the training loss at which the slowest of the nine ends", first,
                          [&](size_t seed) { return all.errors_at_equal_loss(seed); }),
          make.flatter("flatter-evaluation", "In evaluation mode, too, the largest eigenvalue is smaller.",
                       "λ₁ in evaluation mode", "population_top_1", second),
          make.flatter("flatter-evaluation-scaled", "In evaluation mode and by relative change, too.",
                       "λ₁ in evaluation mode, scaled", "population_scaled_top_1", second),
          make.flatter("smaller-trace", "The larger α/|B|, the smaller the trace.", "the trace in training mode",
                       "batch_trace", second),
          make.flatter("smaller-scaled-trace", "So is the trace by relative change.",
                       "the trace in training mode, scaled", "batch_scaled_trace", second),
          make.correlation(
              "flatter-given-loss",
              "Among networks of equal training loss, too, a larger α/|B| goes with a smaller scaled eigenvalue.",
              "partial rank correlation of α/|B| and the scaled λ₁ in training mode, the training loss held "
              "constant",
              kWider, Side::below(0), second, given_loss),
          make.correlation("sharp-is-worse", "The sharper a minimum, the larger the test error.",
                           "Spearman's rank correlation of the scaled λ₁ in training mode and the test error", kWider,
                           Side::above(0), second, sharp_is_worse),
          make.correlation("by-the-rate", "At each batch size, the larger the rate, the smaller the scaled eigenvalue.",
                           "Spearman's rank correlation of α and the scaled λ₁ in training mode, mean over |B|", kAlike,
                           Side::below(0), second, along(true)),
          make.correlation("by-the-batch", "At each rate, the smaller the batches, the smaller the scaled eigenvalue.",
                           "Spearman's rank correlation of 1/|B| and the scaled λ₁ in training mode, mean over α",
                           kAlike, Side::below(0), second, along(false))};
}

/// A number of all networks against α/|B|: a colour a rate.
Json grid_chart(const ArmRuns& runs, const std::string& title, bool log_y,
                const std::function<std::vector<double>(const Grid& grid, size_t seed)>& numbers) {
  const Grid all(runs);
  std::vector<std::vector<double>> values(all.cells().size());
  const PerSeed seeds = all.each_seed([](size_t seed) { return static_cast<double>(seed); });
  for (size_t seed = 0; seed < seeds.size(); ++seed) {
    const std::vector<double> found = numbers(all, seed);
    for (size_t i = 0; i < found.size(); ++i) values[i].push_back(found[i]);
  }
  std::vector<BandPoint> points;
  std::vector<ArmStyle> styles;
  for (size_t rate = 0; rate < kGridRates.size(); ++rate) {
    styles.push_back({fmt::format("α = {}", kGridRates[rate]), kRateColors[rate]});
  }
  const std::vector<double> noise = all.noise();
  for (size_t i = 0; i < values.size(); ++i) {
    if (!values[i].empty()) points.push_back(band_point(styles[all.cells()[i].rate].arm, noise[i], values[i]));
  }
  return band_chart(points, styles, "α/|B| (logarithmic)", title, {.points = true, .log_x = true, .log_y = log_y});
}

Json end_chart(const ArmRuns& runs, const std::string& title, bool log_y, const Number& number) {
  return grid_chart(runs, title, log_y, [&](const Grid& all, size_t seed) { return all.numbers(seed, number); });
}

std::vector<Figure> grid_figures(const ArmRuns& runs) {
  const auto curvature = [&](const std::string& name, const std::string& title) {
    return end_chart(runs, title, true, at_end("curvature", name));
  };
  return {
      {"a", "Flatter minima, better networks?",
       "Nine networks, trained on equally many images; from left to right the noise α/|B| of SGD's steps grows (a line "
       "a "
       "learning rate; on it, the smaller the batches, the further right). Left: how sharp the loss is where training "
       "ends, by relative change of the weights. Right: errors on test images. If the paper is right, both fall to the "
       "right, and points that stand at one place but on different lines agree. Band: lowest to highest seed.",
       panels({{"sharpness at the end, scaled", curvature("batch_scaled_top_1", "λ₁, scaled (logarithmic)")},
               {"test error", end_chart(runs, "test error (%)", false, final_error)}},
              2)},
      {"b", "At equal training loss",
       "Left: the training loss of each network at the end. Where it still falls to the right, the networks on the "
       "left "
       "have simply not come as far. Right: the test error of each at the training loss at which the slowest of its "
       "seed "
       "ends: what is left of the difference is not due to that.",
       panels({{"training loss", end_chart(runs, "training loss at the end", false, final_loss)},
               {"test error at equal training loss",
                grid_chart(runs, "test error (%)", false,
                           [](const Grid& all, size_t seed) { return all.errors_at_equal_loss(seed); })}},
              2)},
      {"c", "Sharpness in both modes, raw and scaled",
       "The largest eigenvalue as training sees it and as evaluation mode does, raw and by relative change of the "
       "weights. "
       "BN makes the loss independent of the weights' scale in front of it, but not the raw eigenvalue: large steps "
       "make "
       "large weights, and large weights a small raw eigenvalue.",
       panels({{"training mode, raw", curvature("batch_top_1", "λ₁ (logarithmic)")},
               {"evaluation mode, raw", curvature("population_top_1", "λ₁ (logarithmic)")},
               {"training mode, scaled", curvature("batch_scaled_top_1", "λ₁, scaled (logarithmic)")},
               {"evaluation mode, scaled", curvature("population_scaled_top_1", "λ₁, scaled (logarithmic)")}},
              2)},
      {"d", "The trace",
       "As figure c, of the sum of all eigenvalues in training mode, by Hutchinson's estimate from at most twenty "
       "vectors.",
       panels({{"raw", end_chart(runs, "trace", false, at_end("curvature", "batch_trace"))},
               {"scaled", end_chart(runs, "trace, scaled", false, at_end("curvature", "batch_scaled_trace"))}},
              2)}};
}

std::vector<std::string> grid_answer(const ArmRuns& runs, const std::vector<GridClaim>& all) {
  if (!have_evidence(all)) return {};
  const auto judged = judge(all);
  const auto said = [&](const char* id) {
    const JudgedClaim& claim = find_claim(judged, id);
    return fmt::format("{} (rank correlation {})", to_string(claim.verdict), fixed_text(claim.interval.mean, 2));
  };
  return {
      fmt::format("That a larger α/|B| ends in flatter places is {} by the raw eigenvalue and {} by relative change of "
                  "the weights. That it generalizes better is {}; at equal training loss, where the slowest network "
                  "of a seed ends, it is {}: the others are there early. {} seed{}.",
                  said("flatter"), said("flatter-scaled"), said("generalizes"), said("generalizes-at-equal-loss"),
                  runs.setting().seeds.size(), runs.setting().seeds.size() == 1 ? "" : "s")};
}

Plan grid_plan(const Setting& setting) {
  Plan plan(setting);
  std::vector<Arm> arms;
  for (const Cell& cell : grid(setting.scale)) arms.push_back(cell.arm);
  add_runs(plan, setting, arms);
  return plan;
}

Findings grid_findings(const Setting& setting, Results& results) {
  const ArmRuns runs(setting, results);
  const auto all = grid_claims(runs);
  return {grid_figures(runs), all, {}, grid_answer(runs, all)};
}

}  // namespace

Experiment bjorck_sharpness() {
  return {
      "bjorck-sharpness",
      "Noise, sharpness and generalization",
      {"M19"},
      bjorck::kSource,
      "section 2; no figure of theirs",
      "Does a larger α/|B| lead to wider minima, and to better generalization?",
      grid_plan,
      what_was_run,
      grid_findings,
      {.chapter = Chapter::kWhyItWorks,
       .plainly = "Nine networks take steps that are more and more noisy, from left to right. The paper says that they "
                  "end in flatter places and err less on new images: both should fall.",
       .headline = "generalizes-at-equal-loss",
       .in_short = "Noisier steps, by a larger rate or smaller batches, make a network with BN generalize better."}};
}

}  // namespace bnlab
