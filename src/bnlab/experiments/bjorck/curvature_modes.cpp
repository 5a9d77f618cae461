// Curvature with BN as in training and as in evaluation, where the common tools look. Run it: bnlab reproduce --only
// curvature-modes
#include <fmt/format.h>

#include <cmath>
#include <numbers>

#include "bnlab/experiments/bjorck/bjorck.h"
#include "bnlab/experiments/bjorck/hessian.h"
#include "bnlab/study/curves.h"
#include "bnlab/study/evidence.h"

namespace bnlab {
namespace {

const std::string kHessian = "curvature";
constexpr double kModesRate = 0.1;
constexpr double kResidual = 0.01;   // of the largest eigenvalue; the eigenvalues themselves are nearer than that
constexpr double kModesAlike = 0.1;  // ours: numbers that differ by less than 10 % say the same

struct ModesProtocol {
  std::string model;
  Options options;
  int64_t pool, pad_to, batch, steps, images, lanczos;
};

/// At `quick` a perceptron: its twin without BN learns, where a VGG-A that small is still on its first plateau.
ModesProtocol modes_protocol(Scale scale) {
  switch (scale) {
    case Scale::kSmoke:
      return {"mlp", {{"layers", 4}, {"width", 16}}, 2, 0, 16, 12, 32, 8};
    case Scale::kQuick:
      return {"mlp", {{"layers", 4}, {"width", 64}}, 2, 0, 64, 300, 256, 60};
    case Scale::kStandard:
      return {"vgg11", {{"width", 0.25}}, 1, 32, 128, 2000, 512, 80};
    case Scale::kPaper:
      return {"vgg11", {{"width", 1}}, 1, 32, 128, 15000, 10240, 100};
  }
  throw std::logic_error("no such scale");
}

Arm curved_net(const std::string& name, const std::string& color, const std::string& norm) {
  return {{name, color}, [norm](const Setting& setting, int64_t seed) {
            const ModesProtocol p = modes_protocol(setting.scale);
            TrainSpec spec;
            spec.data = {setting.data.set, setting.data.digest};
            spec.data.pool = p.pool;
            spec.data.pad_to = p.pad_to;
            spec.model.name = p.model;
            spec.model.options = p.options;
            spec.model.norm.kind = norm;
            spec.model.init_scale = std::numbers::sqrt2;  // He's for ReLUs, without which the twin hardly starts
            spec.optimizer.lr = kModesRate;
            spec.batch = p.batch;
            spec.steps = p.steps;
            spec.seed = seed;
            const Json parameters = {{"images", p.images}, {"count", setting.data.shape.classes},
                                     {"products", 2000},   {"tolerance", kResidual},
                                     {"probes", 20},       {"steps", p.lanczos},
                                     {"starts", 1}};
            spec.probes.push_back({kHessian, 0, p.steps / 3, true, parameters});
            return spec;
          }};
}
const Arm kCurvedBn = curved_net("BN", colors::kRed, "batch"),
          kCurvedPlain = curved_net("no BN", colors::kBlue, "none");

/// The Hessian of a network in one of the modes of probes/curvature.h.
struct Mode {
  Arm arm;
  std::string mode;
  ArmStyle style;
};
const Mode kTraining{kCurvedBn, "batch", {"BN, training mode", colors::kRed}},
    kEvaluation{kCurvedBn, "population", {"BN, evaluation mode", colors::kRed, {6, 4}}},
    kTwin{kCurvedPlain, "batch", {"no BN", colors::kBlue}};
const std::vector<Mode> kModes = {kTraining, kEvaluation, kTwin};

std::vector<ArmStyle> mode_styles() {
  std::vector<ArmStyle> styles;
  for (const Mode& mode : kModes) styles.push_back(mode.style);
  return styles;
}

std::vector<std::string> what_was_run(const Setting& setting) {
  const ModesProtocol p = modes_protocol(setting.scale);
  return {
      fmt::format("{} with BN before every ReLU, and its twin without, on {}{}, z-scored; initial weights of the size "
                  "that He et al. chose for ReLUs, plain SGD at rate {}, batches of {}, {} steps, {} seed{}. Both "
                  "networks of a seed start from the same weights and see the same batches.",
                  p.model == "mlp"
                      ? fmt::format("A perceptron of 4 hidden layers of {} units", p.options.number("width"))
                      : fmt::format("VGG-A (8 convolutions) at {} of its width", p.options.number("width")),
                  setting.data.title, p.pool == 1 ? "" : ", images reduced to means of 2×2 pixels", kModesRate, p.batch,
                  p.steps, setting.seeds.size(), setting.seeds.size() == 1 ? "" : "s"),
      fmt::format(
          "Before training, after each third: the Hessian of the mean loss of {} training images with respect to all "
          "parameters, by its products with vectors. In training mode each batch of {} images is normalized by its own "
          "mean and variance, which change with the weights: this is the function that training descends. In "
          "evaluation mode BN's mean and variance are constants: here those of these very images at these very "
          "weights, "
          "so that the two modes differ in nothing but what is held constant. (Running averages, which the tools take, "
          "lag behind in addition.)",
          p.images, p.batch),
      fmt::format(
          "The {} largest eigenvalues by Lanczos with restarts; the trace by Hutchinson's estimate; the density "
          "of eigenvalues by Lanczos quadrature of {} steps. \"Scaled\": each entry of the Hessian times the "
          "norms of the two parameter tensors that it belongs to, which gives the curvature by relative change. "
          "In front of BN the loss does not depend on the weights' scale, the raw curvature does: weights twice "
          "as large have a quarter of it.",
          setting.data.shape.classes, p.lanczos)};
}

std::string later_points(const Setting& setting) {
  const int64_t third = modes_protocol(setting.scale).steps / 3;
  return fmt::format("mean over steps {}, {} and the end", third, 2 * third);
}

/// The values of a scalar after the start, or before it.
std::vector<double> values_at(RunReader& run, const std::string& name, bool at_start) {
  const Series series = run.scalars({kHessian, 0, name});
  std::vector<double> values;
  for (size_t i = 0; i < series.steps.size(); ++i) {
    if ((series.steps[i] == 0) == at_start) values.push_back(series.values[i]);
  }
  return values;
}

PerSeed mean_log(const ArmRuns& runs, const Mode& mode, const std::string& name, bool at_start = false) {
  return each(runs, mode.arm, [&](RunReader& run) {
    std::vector<double> values = values_at(run, mode.mode + "_" + name, at_start);
    for (double& value : values) value = std::log(value);
    return mean_of(values);
  });
}

/// Of evaluation and training: 2 (e − t) / (|e| + |t|), which also numbers of different sign have.
PerSeed relative_difference(const ArmRuns& runs, const std::string& name) {
  return each(runs, kCurvedBn, [&](RunReader& run) {
    const auto e = values_at(run, kEvaluation.mode + "_" + name, false),
               t = values_at(run, kTraining.mode + "_" + name, false);
    std::vector<double> differences;
    for (size_t i = 0; i < std::min(e.size(), t.size()); ++i) {
      differences.push_back(2 * (e[i] - t[i]) / (std::abs(e[i]) + std::abs(t[i])));
    }
    return mean_of(differences);
  });
}

/// λ₁/λ_K, logarithm.
PerSeed outliers(const ArmRuns& runs, const Mode& mode) {
  return minus(mean_log(runs, mode, "top_1"), mean_log(runs, mode, fmt::format("top_{}", runs.classes())));
}

PerSeed gradient_share(const ArmRuns& runs, const Mode& mode) {
  return each(runs, mode.arm, [&](RunReader& run) {
    return mean_of(values_at(run, mode.mode + "_gradient_share", /*at_start=*/false));
  });
}

using ModesClaim = std::pair<Claim, Evidence>;

class ModesClaims {
 public:
  explicit ModesClaims(const ArmRuns& runs) : runs_(runs) {}

  /// ln of a number in one mode over that in another.
  ModesClaim log_ratio_of(const Mode& a, const Mode& b, const std::string& kind, bool at_start, Claim claim) const {
    claim.statistic = fmt::format("ln(λ₁ of \"{}\" / λ₁ of \"{}\"){}", a.style.arm, b.style.arm, of(kind)) +
                      (claim.side.kind == Side::Kind::kWithin ? "; the bounds, 10 %, are ours" : "");
    claim.window = at_start ? "before training" : later_points(runs_.setting());
    claim.unit = "log ratio";
    const PerSeed effects =
        minus(mean_log(runs_, a, kind + "top_1", at_start), mean_log(runs_, b, kind + "top_1", at_start));
    return {claim, evidence({a, b}, kind, effects)};
  }
  ModesClaim same_trace(const std::string& kind, Claim claim) const {
    claim.statistic = "2 (e − t) / (|e| + |t|) of the traces e in evaluation and t in training mode" + of(kind) +
                      "; the bounds, 10 %, are ours";
    claim.window = later_points(runs_.setting());
    claim.unit = "relative difference";
    return {claim, evidence({kTraining, kEvaluation}, kind, relative_difference(runs_, kind + "trace"))};
  }
  ModesClaim fewer_outliers(const Mode& mode, Claim claim) const {
    claim.statistic =
        fmt::format("ln(λ₁/λ_{0}) of \"{1}\" minus that of \"{2}\"", runs_.classes(), mode.style.arm, kTwin.style.arm);
    claim.window = later_points(runs_.setting());
    claim.unit = "log ratio";
    return {claim, evidence({mode, kTwin}, "", minus(outliers(runs_, mode), outliers(runs_, kTwin)))};
  }
  ModesClaim less_gradient(const Mode& mode, Claim claim) const {
    claim.statistic = fmt::format("share of ‖∇L‖² in the space of the {} top eigenvectors, \"{}\" minus \"{}\"",
                                  runs_.classes(), mode.style.arm, kTwin.style.arm);
    claim.window = later_points(runs_.setting());
    claim.unit = "percentage points";
    return {claim,
            evidence({mode, kTwin}, "", points_between(gradient_share(runs_, mode), gradient_share(runs_, kTwin)))};
  }

 private:
  static std::string of(const std::string& kind) { return kind.empty() ? "" : ", of the scaled Hessian"; }

  Evidence evidence(const std::vector<Mode>& modes, const std::string& kind, const PerSeed& effects) const {
    std::vector<bjorck::Spectrum> spectra;
    for (const Mode& mode : modes) spectra.push_back({mode.arm, mode.mode + "_" + kind});
    std::vector<Arm> arms = {modes.front().arm};
    if (modes.back().arm.name() != arms.front().name()) arms.push_back(modes.back().arm);
    const int64_t steps = modes_protocol(runs_.setting().scale).steps;
    return paired(runs_, arms,
                  {learned(runs_, arms, {3 * steps / 4, steps}), bjorck::eigenvalues_converged(runs_, spectra)},
                  effects);
  }

  const ArmRuns& runs_;
};

Claim modes_claim(const std::string& id, const std::string& sentence, const std::string& quote, const Side& side,
                  Rank rank) {
  return {.id = id,
          .sentence = sentence,
          .quote = quote,
          .statistic = {},
          .window = {},
          .unit = {},
          .side = side,
          .paper_value = {},
          .rank = rank};
}

std::vector<ModesClaim> modes_claims(const ArmRuns& runs) {
  const std::string
      granted = "(No source says it. Tools that measure a network with BN in evaluation mode take it for granted.)",
      ghorbani =
          "in non-batch normalized networks, we observe the rapid appearance of large isolated eigenvalues "
          "in the spectrum, along with a surprising concentration of the gradient in the corresponding "
          "eigenspaces. In batch normalized networks, these two effects are almost absent. (Ghorbani et al. "
          "2019, abstract)",
      smoother =
          "(Santurkar et al. 2018, section 3: BN makes the landscape smoother; paraphrased. They do not "
          "measure eigenvalues.)";
  const double ln = std::log1p(kModesAlike);
  const Side alike = Side::within(-ln, ln), same = Side::within(-kModesAlike, kModesAlike), less = Side::below(0);
  const Rank first = Rank::kPrimary, second = Rank::kSecondary;
  const ModesClaims make(runs);
  return {
      make.log_ratio_of(kEvaluation, kTraining, "", false,
                        modes_claim("same-sharpness",
                                    "The largest eigenvalue in evaluation mode is that of the function that training "
                                    "descends, to within 10 %.",
                                    granted, alike, first)),
      make.same_trace("", modes_claim("same-trace", "So is the trace.", granted, same, first)),
      make.log_ratio_of(kEvaluation, kTraining, "", true,
                        modes_claim("same-sharpness-at-start", "Before training, too, the largest eigenvalues agree.",
                                    granted, alike, first)),
      make.fewer_outliers(kTraining,
                          modes_claim("bn-suppresses-outliers",
                                      "With BN the largest eigenvalue stands out less from the next ones than "
                                      "without.",
                                      ghorbani, less, first)),
      make.fewer_outliers(kEvaluation, modes_claim("bn-suppresses-outliers-evaluation",
                                                   "In evaluation mode, too, it stands out less than without BN.",
                                                   ghorbani, less, second)),
      make.less_gradient(kTraining, modes_claim("bn-spreads-the-gradient",
                                                "With BN less of the gradient lies in the directions in which the loss "
                                                "bends most than without.",
                                                ghorbani, less, second)),
      make.less_gradient(kEvaluation, modes_claim("bn-spreads-the-gradient-evaluation",
                                                  "In evaluation mode, too, less of it lies there than without BN.",
                                                  ghorbani, less, second)),
      make.log_ratio_of(
          kEvaluation, kTraining, "scaled_", false,
          modes_claim("same-scaled-sharpness", "The largest eigenvalues by relative change of the weights agree, too.",
                      granted, alike, second)),
      make.same_trace("scaled_",
                      modes_claim("same-scaled-trace", "So do the traces by relative change.", granted, same, second)),
      make.log_ratio_of(kTraining, kTwin, "", false,
                        modes_claim("bn-flatter", "In training mode the largest eigenvalue is smaller than without BN.",
                                    smoother, less, second)),
      make.log_ratio_of(
          kEvaluation, kTwin, "", false,
          modes_claim("bn-flatter-evaluation", "In evaluation mode the largest eigenvalue is smaller than without BN.",
                      smoother, less, second)),
      make.log_ratio_of(
          kTraining, kTwin, "scaled_", false,
          modes_claim("bn-flatter-scaled",
                      "In training mode the largest eigenvalue by relative change is smaller than without "
                      "BN.",
                      smoother, less, second))};
}

/// A number of each mode along training.
Json along(const ArmRuns& runs, const std::string& title, bool log_y,
           const std::function<PerSeed(const Mode& mode, int64_t step)>& numbers) {
  std::vector<BandPoint> points;
  const int64_t steps = modes_protocol(runs.setting().scale).steps;
  for (const Mode& mode : kModes) {
    for (int64_t step = 0; step <= steps; step += steps / 3) {
      const PerSeed values = numbers(mode, step);
      if (!values.empty()) points.push_back(band_point(mode.style.arm, static_cast<double>(step), values));
    }
  }
  return band_chart(points, mode_styles(), "training step", title, {.points = true, .log_y = log_y});
}

PerSeed at_step(const ArmRuns& runs, const Mode& mode, const std::string& name, int64_t step) {
  return each(runs, mode.arm, [&](RunReader& run) {
    return run.scalar_at({kHessian, 0, mode.mode + "_" + name}, step).value_or(NAN);
  });
}

Json along(const ArmRuns& runs, const std::string& name, const std::string& title, bool log_y) {
  return along(runs, title, log_y, [&](const Mode& mode, int64_t step) { return at_step(runs, mode, name, step); });
}

Figure sharpness_figure(const ArmRuns& runs) {
  return {
      "a", "One network, two curvatures",
      "The largest eigenvalue of the Hessian (left) and the sum of all (right, the trace) along training. Red: with "
      "BN, "
      "as training sees it. Red dashed: the same network at the same weights, with BN's mean and variance held "
      "constant, as evaluation mode has them and the common tools report. If the two red lines lie on each other, the "
      "tools measure the function that training descends; if not, another one. Blue: the same network without BN, "
      "which has one mode only. Line: mean over seeds, band: lowest to highest.",
      panels({{"largest eigenvalue", along(runs, "top_1", "λ₁ (logarithmic)", true)},
              {"trace", along(runs, "trace", "trace", false)}},
             2)};
}

Figure scaled_figure(const ArmRuns& runs) {
  return {
      "b", "The same by relative change of the weights",
      "As figure a, of the Hessian times the norms of the parameters: how the loss bends if a layer's weights change "
      "by a share of themselves. It does not depend on how large the weights in front of BN are, which the raw one "
      "does though the loss does not.",
      panels({{"largest eigenvalue, scaled", along(runs, "scaled_top_1", "λ₁, scaled (logarithmic)", true)},
              {"trace, scaled", along(runs, "scaled_trace", "trace, scaled", false)}},
             2)};
}

/// The density at the end of the first seed's runs, each eigenvalue as a Gaussian of `width`.
Json density_chart(const ArmRuns& runs) {
  constexpr int kPoints = 120;
  std::vector<BandPoint> points;
  for (const Mode& mode : kModes) {
    if (runs.of(mode.arm).empty()) continue;
    RunReader& run = *runs.of(mode.arm).front();
    const auto nodes = run.arrays({kHessian, 0, mode.mode + "_nodes"}),
               weights = run.arrays({kHessian, 0, mode.mode + "_weights"});
    if (nodes.empty() || weights.size() != nodes.size()) continue;
    const std::vector<double> place = nodes.back().as_doubles(), weight = weights.back().as_doubles();
    if (place.empty()) continue;
    const auto [least, most] = std::minmax_element(place.begin(), place.end());
    const double width = 0.02 * (*most - *least), from = *least - 4 * width, to = *most + 4 * width;
    for (int i = 0; i <= kPoints; ++i) {
      const double x = from + (to - from) * i / kPoints;
      double density = 0, all = 0;
      for (size_t k = 0; k < place.size(); ++k) {
        const double z = (x - place[k]) / width;
        density += weight[k] * std::exp(-z * z / 2) / (width * std::sqrt(2 * std::numbers::pi));
        all += weight[k];
      }
      constexpr double kLeast = 1e-6;
      if (density / all > kLeast) points.push_back({mode.style.arm, x, density / all, density / all, density / all});
    }
  }
  return band_chart(points, mode_styles(), "eigenvalue λ", "density (logarithmic)", {.log_y = true});
}

Figure density_figure(const ArmRuns& runs) {
  return {
      "c", "All eigenvalues at the end of training",
      "How many of the Hessian's eigenvalues lie where (first seed; each as a bell of 2 % of the spectrum's width; "
      "logarithmic). Nearly all are close to 0, the tall peak. What stands apart on the right are the outliers: few "
      "directions in which the loss bends most. Left of 0 it bends downwards.",
      density_chart(runs)};
}

Figure outliers_figure(const ArmRuns& runs) {
  const int64_t k = runs.classes();
  Json ratio = along(runs, fmt::format("λ₁/λ_{} (logarithmic)", k), true, [&](const Mode& mode, int64_t step) {
    PerSeed ratios = log_ratio(at_step(runs, mode, "top_1", step), at_step(runs, mode, fmt::format("top_{}", k), step));
    for (double& value : ratios) value = std::exp(value);
    return ratios;
  });
  Json share = along(runs, "% of ‖∇L‖²", false, [&](const Mode& mode, int64_t step) {
    PerSeed percent = at_step(runs, mode, "gradient_share", step);
    for (double& value : percent) value *= 100;
    return percent;
  });
  return {
      "d", "Does the largest eigenvalue stand out?",
      fmt::format(
          "Left: λ₁/λ_{0}, the largest eigenvalue over the {0}th (as many as there are classes), along training. "
          "Right: how much of the gradient lies in the directions of those {0}. "
          "Ghorbani et al. say that without BN (blue) few eigenvalues stand out, and the gradient lies mostly in "
          "their directions, and that with BN (red) both are hardly so: red should lie below blue.",
          k),
      panels({{"the largest eigenvalue beside the others", std::move(ratio)}, {"the gradient", std::move(share)}}, 2)};
}

std::vector<std::string> modes_answer(const ArmRuns& runs, const std::vector<ModesClaim>& all) {
  if (!have_evidence(all)) return {};
  const auto judged = judge(all);
  const auto verdict = [&](const char* id) { return to_string(find_claim(judged, id).verdict); };
  const auto factor = [&](const char* id) { return std::exp(find_claim(judged, id).interval.mean); };
  return {
      fmt::format("That evaluation mode shows the sharpness of the function that training descends is {}: its largest "
                  "eigenvalue is {:.2f} times the one of training mode along training, and {:.2f} times before it; by "
                  "relative change of the weights {:.2f} times. {} seed{}.",
                  verdict("same-sharpness"), factor("same-sharpness"), factor("same-sharpness-at-start"),
                  factor("same-scaled-sharpness"), runs.setting().seeds.size(),
                  runs.setting().seeds.size() == 1 ? "" : "s"),
      fmt::format(
          "Whether BN flattens depends on where one looks: beside the network without BN the largest eigenvalue is "
          "{:.2f} times as large in training mode, {:.2f} times in evaluation mode, and {:.2f} times in training "
          "mode by relative change.",
          factor("bn-flatter"), factor("bn-flatter-evaluation"), factor("bn-flatter-scaled")),
      fmt::format("That BN keeps eigenvalues from standing out is {}: λ₁/λ_{} is {:.2f} times that without BN.",
                  verdict("bn-suppresses-outliers"), runs.classes(), factor("bn-suppresses-outliers"))};
}

Findings modes_findings(const Setting& setting, Results& results) {
  const ArmRuns runs(setting, results);
  const auto all = modes_claims(runs);
  return {{sharpness_figure(runs), scaled_figure(runs), density_figure(runs), outliers_figure(runs),
           training_figure("e", runs, {kCurvedBn, kCurvedPlain}, modes_protocol(setting.scale).steps,
                           "A network that has not left its plateau is flat for a reason of its own.")},
          all,
          {},
          modes_answer(runs, all)};
}

}  // namespace

Experiment curvature_modes() {
  return {
      "curvature-modes",
      "Curvature in training and in evaluation mode",
      {"B8", "B9"},
      "ours; Ghorbani, Krishnan & Xiao 2019, An Investigation into Neural Net Optimization via Hessian Eigenvalue "
      "Density (arXiv 1901.10159)",
      "no figure of theirs",
      "Is the curvature that common tools report of a network with BN that of the function that training descends?",
      runs_of({kCurvedBn, kCurvedPlain}),
      what_was_run,
      modes_findings,
      {.chapter = Chapter::kWhyItWorks,
       .plainly = "How sharply does the loss bend around a network's weights? With BN that has two answers, one for "
                  "training and one for evaluation: the two red lines.",
       .headline = "same-sharpness",
       .in_short = "Measured in evaluation mode, as tools do, a network with BN looks as sharp as it is in training."}};
}

}  // namespace bnlab
