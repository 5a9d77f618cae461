// P06, P07 and N17: statistics by another library's conventions (conventions.h).
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "bnlab/doctor/pair_rules/pair_rules.h"
#include "bnlab/doctor/words.h"

namespace bnlab::doctor {
namespace {

constexpr std::size_t kLeastChannels = 4;  // fewer agree by chance

/// The relative error of one rounding, with room for a few.
double tolerance_of(const std::string& dtype) {
  if (dtype == "float16") return 4e-3;
  if (dtype == "bfloat16") return 3e-2;
  return 1e-5;
}

bool are_near(double a, double b, double tolerance) {
  return std::abs(a - b) <= tolerance * std::max(std::abs(a), std::abs(b));
}

bool all_near(const Numbers& a, const Numbers& b, double tolerance) {
  return a.size() == b.size() && a.size() >= kLeastChannels &&
         std::equal(a.begin(), a.end(), b.begin(), [&](double x, double y) { return are_near(x, y, tolerance); });
}

bool varies(const Numbers& values) {
  return std::any_of(values.begin(), values.end(),
                     [&](double value) { return !are_near(value, values.front(), 1e-3); });
}

struct Form {
  const char* words;
  double (*of)(double var);
};

constexpr Form kForms[] = {
    {"the standard deviation sqrt(var)", [](double var) { return std::sqrt(var); }},
    {"1/sqrt(var)", [](double var) { return 1 / std::sqrt(var); }},
    {"1/var", [](double var) { return 1 / var; }},
    {"the square of the variance", [](double var) { return var * var; }},
    {"the logarithm of the variance", [](double var) { return std::log(var); }},
};

/// What the file after holds as a running variance, in words; empty if nothing is found.
std::string form_of(const LayerPair& pair) {
  if (!pair.before.running_var || !pair.after.running_var || !varies(*pair.before.running_var)) return "";
  const double tolerance = std::max(tolerance_of(pair.before.dtype), tolerance_of(pair.after.dtype));
  for (const Form& form : kForms) {
    Numbers expected;
    for (const double var : *pair.before.running_var) expected.push_back(form.of(var));
    if (all_near(expected, *pair.after.running_var, tolerance)) return form.words;
  }
  return "";
}

/// Two tensors of a layer that hold what another holds in the file before, e.g. "running_var holds running_mean".
std::string swap_of(const LayerPair& pair) {
  using Member = std::optional<Numbers> LayerFacts::*;
  constexpr std::pair<const char*, Member> kMembers[] = {{"gamma", &LayerFacts::gamma},
                                                         {"beta", &LayerFacts::beta},
                                                         {"running_mean", &LayerFacts::running_mean},
                                                         {"running_var", &LayerFacts::running_var}};
  for (const auto& [name, at] : kMembers) {
    for (const auto& [other, from] : kMembers) {
      const std::optional<Numbers>&now = pair.after.*at, &was = pair.before.*from;
      if (at == from || !was || was->size() < kLeastChannels || !varies(*was)) continue;
      if (are_same(now, was) && !are_same(pair.before.*at, was))
        return fmt::format("{} holds what was {}", name, other);
    }
  }
  return "";
}

std::string factor_in_words(double factor) {
  const double n = factor > 1 ? factor / (factor - 1) : 1 / (1 - factor);
  if (n < 2 - 1e-6) return fmt::format("{:.6g}", factor);
  return fmt::format("{:.8g}, which is {} for n = {:.4g} values a channel", factor, factor > 1 ? "n/(n-1)" : "(n-1)/n",
                     n);
}

}  // namespace

std::optional<double> constant_factor(const std::optional<Numbers>& before, const std::optional<Numbers>& after,
                                      const std::string& dtype) {
  if (!before || !after || before->size() != after->size() || before->size() < kLeastChannels) return {};
  std::vector<double> ratios;
  for (std::size_t c = 0; c < before->size(); ++c) {
    if ((*before)[c] != 0 || (*after)[c] != 0) ratios.push_back((*after)[c] / (*before)[c]);
  }
  if (ratios.size() < kLeastChannels) return {};
  const double factor = median_of(ratios), tolerance = tolerance_of(dtype);
  if (!std::isfinite(factor) || are_near(factor, 1, 3 * tolerance) || factor == 0) return {};
  const bool constant =
      std::all_of(ratios.begin(), ratios.end(), [&](double ratio) { return are_near(ratio, factor, tolerance); });
  if (!constant || !varies(*before)) return {};
  return factor;
}

bool is_misplaced(const LayerPair& pair) {
  return !swap_of(pair).empty() || !form_of(pair).empty();
}

Answer statistics_rescaled(const PairFacts& facts) {
  const auto factor_of = [](const LayerPair& pair) {
    return constant_factor(pair.before.running_var, pair.after.running_var, pair.after.dtype);
  };
  const auto layers =
      layers_where(facts, [&](const LayerPair& pair) { return factor_of(pair) && !is_misplaced(pair); });
  if (layers.empty()) return Answer::none();
  const LayerPair& first = *layers.front();
  Finding finding = finding_at(layers);
  finding.severity = Severity::kWarning;  // no training does that
  const double factor = *factor_of(first);
  const auto mean = constant_factor(first.before.running_mean, first.after.running_mean, first.after.dtype);
  if (mean && std::abs(*mean / factor - 1) < 1e-3) {
    finding.evidence = fmt::format(
        "Both running statistics of {} are {:.6g} times as large, in every channel: Caffe's third blob, by which they "
        "are "
        "divided, was left out or applied twice.",
        first.after.name, factor);
    finding.remedy = "Divide Caffe's mean and variance by its third blob (0 if that is 0), once.";
  } else {
    finding.evidence = fmt::format("The running variances of {} are larger by one factor in every channel: {}.",
                                   first.after.name, factor_in_words(factor));
    finding.remedy =
        "PyTorch stores the unbiased variance, ONNX and Flax the biased one (bnlab doctor --convention); rescale it "
        "once, "
        "in the direction that the library wants.";
  }
  return Answer::of(finding);
}

Answer statistics_misplaced(const PairFacts& facts) {
  const auto layers = layers_where(facts, is_misplaced);
  if (layers.empty()) return Answer::none();
  const LayerPair& first = *layers.front();
  Finding finding = finding_at(layers);
  finding.severity = Severity::kWarning;
  const std::string swap = swap_of(first);
  finding.evidence = swap.empty() ? fmt::format("The running_var of {} holds {}.", first.after.name, form_of(first))
                                  : fmt::format("In {}, {}.", first.after.name, swap);
  finding.remedy = "Correct the conversion; bnlab doctor --convention lists the names and forms of each library.";
  return Answer::of(finding);
}

Answer eps_differs(const PairFacts& facts) {
  const auto known = layers_where(facts, [](const LayerPair& pair) { return pair.before.eps && pair.after.eps; });
  if (known.empty()) return Answer::not_checked_because("not both files hold eps");
  const auto layers = layers_where(facts, [](const LayerPair& pair) {
    return pair.before.eps && pair.after.eps && !are_near(*pair.before.eps, *pair.after.eps, 1e-6);
  });
  if (layers.empty()) return Answer::none();
  double most = 0;
  for (const LayerPair* pair : layers) {
    for (const double var : pair->after.running_var.value_or(Numbers{})) {
      const double change = std::sqrt((var + *pair->before.eps) / (var + *pair->after.eps)) - 1;
      most = std::max(most, std::isfinite(change) ? std::abs(change) : 0);
    }
  }
  Finding finding = finding_at(layers);
  constexpr double kChange = 0.01;
  if (most > kChange) finding.severity = Severity::kWarning;
  finding.evidence = fmt::format("eps of {} is {:g} in {} and {:g} in {}, which changes its outputs by up to {:.2g} %.",
                                 layers.front()->after.name, *layers.front()->before.eps, facts.before,
                                 *layers.front()->after.eps, facts.after, 100 * most);
  finding.remedy = fmt::format("Set eps to {:g}.", *layers.front()->before.eps);
  return Answer::of(finding);
}

}  // namespace bnlab::doctor
