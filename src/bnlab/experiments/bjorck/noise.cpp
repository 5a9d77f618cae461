// The noise of SGD, which Bjorck et al. hold responsible for what a large learning rate does, measured. Run it: bnlab
// reproduce --only bjorck-noise
#include <fmt/format.h>

#include <cmath>

#include "bnlab/experiments/bjorck/bjorck.h"
#include "bnlab/study/curves.h"
#include "bnlab/study/evidence.h"

namespace bnlab {
namespace {

const std::string kNoise = "sgd-noise";
constexpr double kNoiseRate = 0.1;
constexpr double kEqual = 0.05;   // ours: two squared norms are equal if they differ by less than that
constexpr double kNoBias = 0.01;  // ours: of the gradient's squared norm; a bias of a tenth of the gradient

struct NoiseProtocol {
  std::string model;
  Options options;
  int64_t pool, pad_to, batch, steps, images, draws, seen;
  std::vector<int64_t> sizes;
};

NoiseProtocol noise_protocol(Scale scale) {
  const Options perceptron = {{"layers", 2}, {"width", 32}}, vgg = {{"width", 0.125}, {"pools", 4}};
  switch (scale) {
    case Scale::kSmoke:
      return {"mlp", perceptron, 2, 0, 8, 12, 32, 4, 64, {2, 8, 16}};
    case Scale::kQuick:
      return {"mlp", perceptron, 2, 0, 32, 300, 512, 500, 20480, {8, 32, 128, 256}};
    case Scale::kStandard:
      return {"vgg11", vgg, 2, 16, 32, 1500, 512, 500, 40960, {8, 32, 128, 256}};
    case Scale::kPaper:
      return {"vgg11", vgg, 2, 16, 128, 15000, 2048, 1000, 163840, {8, 32, 128, 512, 1024}};
  }
  throw std::logic_error("no such scale");
}

int64_t own_size(const Setting& setting) {
  return noise_protocol(setting.scale).batch;
}

Arm noisy_net(const std::string& name, const std::string& color, const std::string& norm) {
  return {{name, color}, [norm](const Setting& setting, int64_t seed) {
            const NoiseProtocol p = noise_protocol(setting.scale);
            TrainSpec spec;
            spec.data = {setting.data.set, setting.data.digest};
            spec.data.pool = p.pool;
            spec.data.pad_to = p.pad_to;
            spec.model.name = p.model;
            spec.model.options = p.options;
            spec.model.norm.kind = norm;
            spec.optimizer.lr = kNoiseRate;
            spec.batch = p.batch;
            spec.steps = p.steps;
            spec.seed = seed;
            const Json parameters = {{"images", p.images}, {"batches", p.sizes}, {"draws", p.draws}, {"seen", p.seen}};
            spec.probes.push_back({kNoise, 0, p.steps / 3, true, parameters});
            return spec;
          }};
}
const Arm kPlainNet = noisy_net("no BN", colors::kBlue, "none"), kBnNet = noisy_net("BN", colors::kRed, "batch");

/// A network whose noise is looked at, in one of the ways of probes/sgd_noise.h.
struct Noisy {
  Arm arm;
  std::string form;
  ArmStyle style;
};
const Noisy kPlain{kPlainNet, "fixed", {"no BN", colors::kBlue}},
    kFixed{kBnNet, "fixed", {"BN, statistics held fixed", colors::kRed, {6, 4}}},
    kTrained{kBnNet, "batch", {"BN, as in training", colors::kRed}};
const std::vector<Noisy> kNoisy = {kPlain, kFixed, kTrained};

std::vector<ArmStyle> noisy_styles() {
  std::vector<ArmStyle> styles;
  for (const Noisy& noisy : kNoisy) styles.push_back(noisy.style);
  return styles;
}

std::vector<std::string> what_was_run(const Setting& setting) {
  const NoiseProtocol p = noise_protocol(setting.scale);
  const std::string net =
      p.model == "mlp" ? "A perceptron of two hidden layers of 32 ReLUs" : "VGG-A at an eighth of its width";
  return {
      fmt::format("{}, with BN and without, on {}, images reduced to means of 2×2 pixels, z-scored; plain SGD at rate "
                  "{}, batches of {}, {} steps, {} seed{}. The paper measures nothing here: it derives the noise for "
                  "any network.",
                  net, setting.data.title, kNoiseRate, p.batch, p.steps, setting.seeds.size(),
                  setting.seeds.size() == 1 ? "" : "s"),
      fmt::format(
          "At four points of training (before it, after each third) training pauses. {} training images stand for all, "
          "so that the gradient ∇ℓ of their mean loss and C, the mean of ‖∇ℓ_i − ∇ℓ‖² over the images, are exact. "
          "Batches B are then drawn among them, with replacement and without: error = α∇_SGD − α∇ℓ. A batch's gradient "
          "is the mean of its images' (checked against the network's own), so that {} batches cost little: {} for each "
          "|B| and each of three learning rates α, {}, {} and {}.",
          p.images, 3 * p.draws, p.draws, kNoiseRate / 10, kNoiseRate, kNoiseRate * 10),
      "With BN in training, an image's gradient depends on the batch that it is in, so that ∇ℓ_i has no meaning. So BN "
      "is looked at twice: with the mean and variance of all images as constants, where every image has its ∇ℓ_i and "
      "its C; and as in training, where ∇ℓ is the gradient of all images as one batch, every batch passes through the "
      "network, and C is that of the fixed statistics.",
      fmt::format(
          "Whether the error has mean 0 is asked of the products of errors of different batches, whose mean is "
          "‖E error‖² without bias (Chen & Qin 2010). So that a \"no bias\" means something, the report says "
          "how large a bias this test would have found (in 95 % of cases, testing at 5 %), and lets it look for "
          "one that was planted: of a loader that never comes to the second half of the images."),
      "α∇_SGD is proportional to α, so its noise to α², and no measurement could show otherwise; the three α serve to "
      "say so in the figure."};
}

std::string noise_window(const Setting& setting) {
  const int64_t third = noise_protocol(setting.scale).steps / 3;
  return fmt::format("mean over four points of training: steps 0, {}, {} and the end", third, 2 * third);
}

/// Of all looks of a run.
std::vector<double> looks(RunReader& run, const std::string& name) {
  return run.scalars({kNoise, 0, name}).values;
}

/// How much of the noise with replacement is left without it: 1 with it.
double left_over(const Setting& setting, int64_t size, bool replacement) {
  const auto images = static_cast<double>(noise_protocol(setting.scale).images);
  return replacement ? 1 : (images - static_cast<double>(size)) / (images - 1);
}

std::string ratio_of(const Noisy& noisy, bool replacement, int64_t size) {
  return fmt::format("{}_{}_ratio_{}", noisy.form, replacement ? "with" : "without", size);
}

/// E‖error‖² over what it must be equal to, mean over `sizes`.
PerSeed noise_ratio(const ArmRuns& runs, const Noisy& noisy, bool replacement, const std::vector<int64_t>& sizes) {
  return each(runs, noisy.arm, [&](RunReader& run) {
    std::vector<double> values;
    for (const int64_t size : sizes) {
      const double ratio = mean_of(looks(run, ratio_of(noisy, replacement, size)));
      values.push_back(ratio / left_over(runs.setting(), size, replacement));
    }
    return mean_of(values);
  });
}

/// ‖E error‖² / ‖α∇ℓ‖², mean over `sizes`.
PerSeed bias_share(const ArmRuns& runs, const Noisy& noisy, const std::vector<int64_t>& sizes) {
  return each(runs, noisy.arm, [&](RunReader& run) {
    std::vector<double> values;
    for (const int64_t size : sizes)
      values.push_back(mean_of(looks(run, fmt::format("{}_bias2_{}", noisy.form, size))));
    return mean_of(values);
  });
}

/// The bias that such a mean would have shown, of a seed by itself.
PerSeed smallest_found(const ArmRuns& runs, const Noisy& noisy, const std::vector<int64_t>& sizes) {
  return each(runs, noisy.arm, [&](RunReader& run) {
    double squares = 0, count = 0;
    for (const int64_t size : sizes) {
      for (const double found : looks(run, fmt::format("{}_bias2_found_{}", noisy.form, size))) {
        squares += found * found;
        ++count;
      }
    }
    return std::sqrt(squares) / count;
  });
}

/// The exponent of |B| in E‖error‖², by least squares on logarithms.
PerSeed size_exponent(const ArmRuns& runs, const Noisy& noisy) {
  const std::vector<int64_t> sizes = noise_protocol(runs.setting().scale).sizes;
  return each(runs, noisy.arm, [&](RunReader& run) {
    std::vector<double> x, y;
    for (const int64_t size : sizes) {
      std::vector<double> logs = looks(run, ratio_of(noisy, true, size));
      for (double& value : logs) value = std::log(value);
      x.push_back(std::log(static_cast<double>(size)));
      y.push_back(mean_of(logs) - x.back());
    }
    double xy = 0, xx = 0;
    for (size_t i = 0; i < x.size(); ++i) {
      xy += (x[i] - mean_of(x)) * y[i];
      xx += (x[i] - mean_of(x)) * (x[i] - mean_of(x));
    }
    return xy / xx;
  });
}

/// Whether a batch's gradient is the mean of its images', of which all else is computed.
Precondition adds_up(const ArmRuns& runs, const Arm& arm) {
  constexpr double kRounds = 1e-3;
  double most = 0;
  for (RunReader* run : runs.of(arm)) {
    const std::vector<double> apart = looks(*run, "fixed_apart");
    if (apart.empty()) most = NAN;
    for (const double value : apart) raise_to(most, value);
  }
  return {"gradients-add-up", most <= kRounds,
          fmt::format("a batch's gradient differs from the mean of its images' by at most {:.1g} of itself (asked: {})",
                      most, kRounds)};
}

Precondition sees_a_bias(const ArmRuns& runs, const Noisy& noisy, const std::vector<int64_t>& sizes) {
  double most = 0;
  for (const double value : smallest_found(runs, noisy, sizes)) raise_to(most, value);
  return {"test-has-power", most <= kNoBias,
          fmt::format("in each seed it would have found a bias of {:.2g} of ‖∇ℓ‖² (asked: {})", most, kNoBias)};
}

using NoiseClaim = std::pair<Claim, Evidence>;

const std::string
    kUnbiasedQuote =
        "(Section 2: since the batch is drawn uniformly, the error has mean 0 and the gradient estimate is "
        "unbiased, but typically noisy; paraphrased.)",
    kBoundQuote =
        "(Section 2, equation 2: E‖α∇ℓ − α∇_SGD‖² ≤ α²C/|B|, with C = E‖∇ℓ_i − ∇ℓ‖² of a single example; "
        "paraphrased.)";

class NoiseClaims {
 public:
  explicit NoiseClaims(const ArmRuns& runs) : runs_(runs), sizes_(noise_protocol(runs.setting().scale).sizes) {}

  NoiseClaim unbiased(const Noisy& noisy, const std::vector<int64_t>& sizes, const Side& side, const std::string& id,
                      const std::string& sentence, Rank rank) const {
    Claim claim = declared(id, sentence, kUnbiasedQuote, rank);
    claim.statistic = "‖E error‖² / ‖α∇ℓ‖², estimated without bias, batches with replacement" + over(sizes) +
                      "; the bound, a bias of a tenth of the gradient, is ours";
    claim.unit = "share of ‖α∇ℓ‖²";
    claim.side = side;
    return {claim, evidence(noisy, {sees_a_bias(runs_, noisy, sizes)}, bias_share(runs_, noisy, sizes))};
  }
  NoiseClaim bound(const Noisy& noisy, bool replacement, const std::vector<int64_t>& sizes, const Side& side,
                   const std::string& id, const std::string& sentence, Rank rank) const {
    Claim claim = declared(id, sentence, kBoundQuote, rank);
    claim.statistic = std::string("E‖error‖² / (α²C/|B|") + (replacement ? ")" : " · (N − |B|)/(N − 1))") +
                      ", mean over α" + over(sizes) +
                      (side.kind == Side::Kind::kWithin ? "; the bounds, 5 %, are ours" : "");
    claim.unit = "ratio";
    claim.side = side;
    return {claim, evidence(noisy, {}, noise_ratio(runs_, noisy, replacement, sizes))};
  }
  NoiseClaim exponent(const Noisy& noisy, const std::string& id, const std::string& sentence) const {
    Claim claim = declared(id, sentence,
                           "(Section 2: the noise in an SGD step is affected by the learning rate as by the inverse "
                           "mini-batch size; paraphrased.)",
                           Rank::kSecondary);
    claim.statistic = "slope of ln E‖error‖² on ln |B|, batches with replacement; the bounds are ours";
    claim.unit = "exponent";
    claim.side = Side::within(-1 - kEqual, -1 + kEqual);
    claim.paper_value = -1;
    return {claim, evidence(noisy, {}, size_exponent(runs_, noisy))};
  }
  NoiseClaim planted() const {
    const int64_t largest = sizes_.back();
    Claim claim =
        declared("planted-bias-found",
                 "The test for a bias finds the one that a loader has which never comes to half of the images.",
                 "(A check of ours, so that \"no bias\" means something.)", Rank::kSecondary);
    claim.statistic = fmt::format("‖E error‖² as the test estimates it at |B| = {}, over what it is", largest);
    claim.unit = "ratio";
    claim.side = Side::within(1 - 2 * kEqual, 1 + 2 * kEqual);
    const PerSeed found = each(runs_, kPlainNet, [&](RunReader& run) {
      return mean_of(looks(run, fmt::format("planted_bias2_{}", largest))) / mean_of(looks(run, "planted"));
    });
    return {claim, evidence(kPlain, {}, found)};
  }

 private:
  Claim declared(const std::string& id, const std::string& sentence, const std::string& quote, Rank rank) const {
    return {.id = id,
            .sentence = sentence,
            .quote = quote,
            .statistic = {},
            .window = noise_window(runs_.setting()),
            .unit = {},
            .side = {},
            .paper_value = {},
            .rank = rank};
  }
  std::string over(const std::vector<int64_t>& sizes) const {
    return sizes.size() > 1 ? ", mean over |B|" : fmt::format(", |B| = {}", sizes.front());
  }
  Evidence evidence(const Noisy& noisy, std::vector<Precondition> preconditions, const PerSeed& effects) const {
    const int64_t steps = noise_protocol(runs_.setting().scale).steps;
    preconditions.push_back(learned(runs_, {noisy.arm}, {3 * steps / 4, steps}));
    preconditions.push_back(adds_up(runs_, noisy.arm));
    return paired(runs_, {noisy.arm}, std::move(preconditions), effects);
  }

  const ArmRuns& runs_;
  std::vector<int64_t> sizes_;
};

std::vector<NoiseClaim> noise_claims(const ArmRuns& runs) {
  const NoiseClaims make(runs);
  const std::vector<int64_t> all = noise_protocol(runs.setting().scale).sizes, own = {own_size(runs.setting())},
                             least = {all.front()};
  const Side equal = Side::within(1 - kEqual, 1 + kEqual), none = Side::within(-kNoBias, kNoBias);
  return {
      make.unbiased(kPlain, all, none, "unbiased", "Without BN the error of SGD's update has mean 0.", Rank::kPrimary),
      make.bound(kPlain, true, all, equal, "noise-is-the-bound",
                 "Without BN its expected squared norm is α²C/|B|: the paper's bound, met with equality.",
                 Rank::kPrimary),
      make.unbiased(kTrained, own, none, "bn-unbiased",
                    "With BN as in training, too, the error has mean 0, at the batch size of training.",
                    Rank::kPrimary),
      make.bound(kTrained, true, own, Side::below(1), "bn-keeps-the-bound",
                 "With BN as in training, too, the noise stays below α²C/|B|, at the batch size of training.",
                 Rank::kPrimary),
      make.bound(kPlain, false, all, equal, "without-replacement",
                 "Without BN, drawn without replacement, it is α²C/|B| times (N − |B|)/(N − 1).", Rank::kSecondary),
      make.exponent(kPlain, "as-the-batch", "Without BN the noise falls as 1/|B|."),
      make.unbiased(kFixed, all, none, "bn-fixed-unbiased", "With BN's statistics held fixed the error has mean 0.",
                    Rank::kSecondary),
      make.bound(kFixed, true, all, equal, "bn-fixed-is-the-bound",
                 "With BN's statistics held fixed the noise is α²C/|B|.", Rank::kSecondary),
      make.bound(kFixed, false, all, equal, "bn-fixed-without-replacement",
                 "With BN's statistics held fixed, drawn without replacement, it is α²C/|B| times (N − |B|)/(N − 1).",
                 Rank::kSecondary),
      make.exponent(kTrained, "bn-as-the-batch", "With BN as in training the noise falls as 1/|B|."),
      make.unbiased(kTrained, least, none, "bn-small-batch-unbiased",
                    fmt::format("With BN as in training the error has mean 0 in batches of {}, too.", all.front()),
                    Rank::kSecondary),
      make.bound(
          kTrained, true, least, Side::below(1), "bn-small-batch-keeps-the-bound",
          fmt::format("With BN as in training the noise stays below α²C/|B| in batches of {}, too.", all.front()),
          Rank::kSecondary),
      make.planted()};
}

/// A ratio's mean over the looks of each run, against |B|.
Json ratio_chart(const ArmRuns& runs, bool replacement) {
  std::vector<BandPoint> points;
  std::vector<ArmStyle> styles = noisy_styles();
  const std::string formula = replacement ? "α²C/|B|" : "(N − |B|)/(N − 1)";
  styles.push_back({formula, colors::kInk, {2, 3}});
  for (const int64_t size : noise_protocol(runs.setting().scale).sizes) {
    const auto x = static_cast<double>(size);
    for (const Noisy& noisy : kNoisy) {
      if (runs.of(noisy.arm).empty() || (!replacement && noisy.form != "fixed")) continue;
      points.push_back(band_point(noisy.style.arm, x, each(runs, noisy.arm, [&](RunReader& run) {
                                    return mean_of(looks(run, ratio_of(noisy, replacement, size)));
                                  })));
    }
    const double left = left_over(runs.setting(), size, replacement);
    points.push_back({formula, x, left, left, left});
  }
  return band_chart(points, styles, "size of the batch |B| (logarithmic)", "E‖error‖² / (α²C/|B|)",
                    {.points = true, .log_x = true});
}

/// E‖error‖² against α²C/|B|: every look, α and |B| of the first seed.
Json equality_chart(const ArmRuns& runs) {
  std::vector<BandPoint> points;
  for (const Noisy& noisy : kNoisy) {
    if (runs.of(noisy.arm).empty()) continue;
    RunReader& run = *runs.of(noisy.arm).front();
    const std::vector<double> c = looks(run, "C");
    for (const int64_t size : noise_protocol(runs.setting().scale).sizes) {
      const auto squared = run.arrays({kNoise, 0, fmt::format("{}_with_squared_{}", noisy.form, size)});
      for (size_t look = 0; look < std::min(squared.size(), c.size()); ++look) {
        double alpha = kNoiseRate / 10;
        for (const double value : squared[look].as_doubles()) {
          points.push_back({noisy.style.arm, alpha * alpha * c[look] / static_cast<double>(size), value, value, value});
          alpha *= 10;
        }
      }
    }
  }
  return scatter_chart(points, noisy_styles(), "α²C/|B| (logarithmic)", "E‖error‖² (logarithmic)",
                       {.log_x = true, .log_y = true, .diagonal = true});
}

Figure equality_figure(const ArmRuns& runs) {
  return {
      "a", "The noise of SGD's update beside the paper's bound",
      "Left: a point for each moment of training, learning rate α and batch size |B| (first seed): how large the error "
      "of an update is, against the bound α²C/|B|. On the diagonal they are equal; below it the bound holds with room "
      "to spare, above it it fails. Right: the same as a ratio, over all seeds and α; 1 is the dotted line. Blue, "
      "without BN, and red dashed, BN with its statistics held fixed, should lie on it: the bound is an equality. "
      "Red, BN as in training, need not: there an image's gradient depends on the images around it. Line: mean over "
      "seeds, band: lowest to highest.",
      panels({{"all α and |B|", equality_chart(runs)}, {"over |B|", ratio_chart(runs, true)}}, 2)};
}

Figure bias_figure(const ArmRuns& runs) {
  std::vector<BandPoint> points;
  std::vector<ArmStyle> styles = noisy_styles();
  const ArmStyle planted{"planted: half of the images never drawn", colors::kGrey},
      limit{"smallest bias found in one seed, no BN", colors::kInk, {2, 3}};
  styles.push_back(planted);
  styles.push_back(limit);
  const auto norms = [](PerSeed shares) {  // as percent of ‖∇ℓ‖
    for (double& share : shares) share = 100 * std::copysign(std::sqrt(std::abs(share)), share);
    return shares;
  };
  for (const int64_t size : noise_protocol(runs.setting().scale).sizes) {
    const auto x = static_cast<double>(size);
    for (const Noisy& noisy : kNoisy) {
      if (runs.of(noisy.arm).empty()) continue;
      points.push_back(band_point(noisy.style.arm, x, norms(bias_share(runs, noisy, {size}))));
    }
    if (runs.of(kPlainNet).empty()) continue;
    points.push_back(band_point(limit.arm, x, norms(smallest_found(runs, kPlain, {size}))));
    points.push_back(band_point(planted.arm, x, norms(each(runs, kPlainNet, [&](RunReader& run) {
                                  return mean_of(looks(run, fmt::format("planted_bias2_{}", size)));
                                }))));
  }
  return {
      "b", "Is the error 0 on average?",
      "How long the mean of the error is, in percent of the gradient itself; where the estimate of its square is "
      "below 0 it is drawn below 0. Blue and red dashed should lie around 0, inside of ± the dotted line, which is "
      "what one seed's test would have found. Grey: the bias of a loader that never draws half of the images, which "
      "the test finds. Red, BN as in training: where it lies above the dotted line, the batch's gradient is on "
      "average not the gradient of all images, and the smaller the batches, the less.",
      band_chart(points, styles, "size of the batch |B| (logarithmic)", "‖E error‖ in % of ‖α∇ℓ‖",
                 {.points = true, .log_x = true})};
}

Figure replacement_figure(const ArmRuns& runs) {
  return {"c", "Drawn without replacement",
          fmt::format("As figure a, right, but no image stands twice in a batch, as in training. The larger a batch is "
                      "beside all {} images, the less is left of the noise: the dotted line is the formula.",
                      noise_protocol(runs.setting().scale).images),
          ratio_chart(runs, false)};
}

Figure along_figure(const ArmRuns& runs) {
  const auto chart = [&](const std::string& name, const std::string& title) {
    return band_chart(curves(runs, {kPlainNet, kBnNet}, {kNoise, 0, name}), styles_of({kPlainNet, kBnNet}),
                      "training step", title, {.points = true});
  };
  return {"d", "C and the gradient along training",
          "Left: C, how far the images' gradients stand apart; right: the norm of their mean. With BN: statistics held "
          "fixed. Where C is many times the square of the gradient, a small batch points almost anywhere.",
          panels({{"C = E‖∇ℓ_i − ∇ℓ‖²", chart("C", "C")}, {"‖∇ℓ‖", chart("fixed_gradient", "‖∇ℓ‖")}}, 2)};
}

std::vector<std::string> noise_answer(const ArmRuns& runs, const std::vector<NoiseClaim>& all) {
  if (!have_evidence(all)) return {};
  const auto judged = judge(all);
  const auto verdict = [&](const char* id) { return to_string(find_claim(judged, id).verdict); };
  const auto mean = [&](const char* id) { return find_claim(judged, id).interval.mean; };
  const int64_t own = own_size(runs.setting());
  return {
      fmt::format("Without BN: that the error has mean 0 is {} (a seed's test would have found a bias of {:.1f} % of "
                  "the gradient); that its squared norm is α²C/|B| is {} ({:.3f} times).",
                  verdict("unbiased"),
                  100 * std::sqrt(mean_of(smallest_found(runs, kPlain, noise_protocol(runs.setting().scale).sizes))),
                  verdict("noise-is-the-bound"), mean("noise-is-the-bound")),
      fmt::format("With BN as in training, batches of {}: that it has mean 0 is {}, that it stays below α²C/|B| is {} "
                  "({:.2f} times). The formula is about sums of gradients of single images, which BN has only while "
                  "its statistics are held fixed ({:.3f} times).",
                  own, verdict("bn-unbiased"), verdict("bn-keeps-the-bound"), mean("bn-keeps-the-bound"),
                  mean("bn-fixed-is-the-bound")),
      "The noise of one step grows as α²/|B|. That α and 1/|B| act alike holds for the noise of a way of a given "
      "length, which takes 1/α as many steps: α/|B|."};
}

Findings noise_findings(const Setting& setting, Results& results) {
  const ArmRuns runs(setting, results);
  const auto all = noise_claims(runs);
  return {{equality_figure(runs), bias_figure(runs), replacement_figure(runs), along_figure(runs),
           training_figure("e", runs, {kPlainNet, kBnNet}, noise_protocol(setting.scale).steps,
                           "The noise is looked at before training, after each third, and at the end.")},
          all,
          {},
          noise_answer(runs, all)};
}

}  // namespace

Experiment bjorck_noise() {
  return {
      "bjorck-noise",
      "The noise of SGD",
      {"M18"},
      bjorck::kSource,
      "section 2, equations 1 and 2",
      "Is the error of SGD's update 0 on average, and its size α²C/|B|, with BN too?",
      runs_of({kPlainNet, kBnNet}),
      what_was_run,
      noise_findings,
      {.chapter = Chapter::kWhyItWorks,
       .plainly = "SGD looks at a few images and takes their gradient for that of all: how far off is it? Points on "
                  "the diagonal are as far off as the formula says.",
       .headline = "bn-unbiased",
       .in_short = "With BN, too, the gradient of a batch is on average the gradient of all images."}};
}

}  // namespace bnlab
