#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "bnlab/experiments/ours/ours.h"
#include "bnlab/experiments/santurkar/dln.h"
#include "bnlab/study/curves.h"
#include "bnlab/study/evidence.h"

namespace bnlab {
namespace {

using namespace santurkar;

constexpr double kRate = 1e-6;
constexpr int64_t kLayers = 25;
constexpr double kAgreement = 1e-3;  // of the gradient's length; the probe computes in float
constexpr double kClearly = 0.1;     // of the gradient's length: a shift that is there, not a trace of one
const Arm kPlain = dln_plain(kRate), kBn = dln_bn(kRate);
const std::vector<Arm> kArms = {kPlain, kBn};
const Arm kClosedForm = {{"closed form, no BN", "#1b1b1b", {2, 4}}};

Plan plan(const Setting& setting) {
  Plan plan(setting);
  add_runs(plan, setting, kArms);
  for (const int64_t seed : setting.seeds) {
    const PlannedRun input = plan.run(kPlain.name(), seed);
    plan.add(kClosedForm.name(), seed, "closed form of " + input.title,
             AnalysisSpec{"dln-closed-form", Json::object(), {input.id}});
  }
  return plan;
}

std::vector<std::string> what_was_run(const Setting& setting) {
  return {
      what_dln_was_trained(setting),
      "For y = W_k…W_1x the gradient of W_i is 2·(W_k…W_{i+1})ᵀE(W_{i−1}…W_1x)ᵀ with E = Wx − Ax: it contains every "
      "other layer, and so it moves when any of them moves. From the matrices that training went through, G and G′ of "
      "every layer follow without a backward pass; the ICS probe measured the same in the training run itself, and in "
      "the network with BN, for which there is no such closed form."};
}

/// ‖G − G′‖ / ‖G‖ of a layer, mean over the steps of the window.
double relative_ics(RunReader& run, const std::string& probe, int64_t layer, const Window& window) {
  const Series l2 = run.scalars({probe, layer, "l2"});
  double sum = 0, count = 0;
  for (size_t i = 0; i < l2.steps.size(); ++i) {
    if (l2.steps[i] < window.begin || l2.steps[i] >= window.end) continue;
    sum += l2.values[i] / run.scalar_at({probe, layer, "gradient_norm"}, l2.steps[i]).value_or(NAN);
    count += 1;
  }
  return sum / count;
}

/// The mean over all layers but the first, which has none before it.
double over_layers(RunReader& run, const Window& window) {
  double sum = 0;
  for (int64_t layer = 2; layer <= kLayers; ++layer) sum += relative_ics(run, "ics", layer, window);
  return sum / (kLayers - 1);
}

double largest_difference(RunReader& run) {
  const std::vector<double> values = run.scalars({"dln-closed-form", 0, "difference"}).values;
  double most = values.empty() ? NAN : 0;
  for (const double value : values) {
    raise_to(most, value);
  }
  return most;
}

std::vector<std::pair<Claim, Evidence>> claims(const ArmRuns& runs) {
  const Window window = second_half(dln_protocol(runs.setting().scale));
  const std::string quote =
      "(Ours: the note's doubt whether a linear network can have internal covariate shift at all.)";
  const std::string share = "mean over layers 2 to 25 and the window of ‖G − G′‖₂ / ‖G‖₂";
  const auto ics = [&](const Arm& arm) {
    return each(runs, arm, [&](RunReader& run) { return over_layers(run, window); });
  };
  return {
      {{.id = "probe-agrees",
        .sentence = "The ICS probe measures what the closed form of a linear network's gradient says.",
        .quote = quote,
        .statistic = "largest, over layers and observed steps, of |probe's ‖G − G′‖ − closed form's| / ‖G‖",
        .window = "all observed steps",
        .unit = "share of the gradient's length",
        .side = Side::below(kAgreement),
        .paper_value = {}},
       paired(runs, {kPlain, kClosedForm}, {}, each(runs, kClosedForm, largest_difference))},
      {{.id = "linear-networks-have-ics",
        .sentence = "A deep linear network without BN has internal covariate shift: the update of the layers before "
                    "a layer changes its gradient by more than a tenth of the gradient's length.",
        .quote = quote,
        .statistic = share + ", without BN; a tenth is our bound for \"at all\"",
        .window = window.text(),
        .unit = "share of the gradient's length",
        .side = Side::above(kClearly),
        .paper_value = {},
        .rank = Rank::kPrimary},
       paired(runs, {kPlain}, {}, ics(kPlain))},
      {{.id = "bn-raises-it",
        .sentence = "BN does not reduce a deep linear network's ICS, it raises it.",
        .quote = "In this case, the standard network experiences almost no ICS for the entirety of training, "
                 "whereas for BatchNorm it appears that G and G' are almost uncorrelated. (Santurkar et al., "
                 "section 2.2, of the DLN)",
        .statistic = "ln of the ratio, with BN to without, of the " + share,
        .window = window.text(),
        .unit = "log ratio",
        .side = Side::above(0),
        .paper_value = {},
        .rank = Rank::kPrimary},
       paired(runs, kArms, {loss_halved(runs, {kBn}, window)}, log_ratio(ics(kBn), ics(kPlain)))}};
}

Figure layers_figure(const ArmRuns& runs) {
  const Window window = second_half(dln_protocol(runs.setting().scale));
  std::vector<BandPoint> points;
  const auto add = [&](const Arm& arm, const std::string& probe) {
    if (runs.of(arm).empty()) return;
    for (int64_t layer = 2; layer <= kLayers; ++layer) {
      points.push_back(band_point(arm.name(), static_cast<double>(layer), each(runs, arm, [&](RunReader& run) {
                                    return 100 * relative_ics(run, probe, layer, window);
                                  })));
    }
  };
  for (const Arm& arm : kArms) add(arm, "ics");
  add(kClosedForm, "dln-closed-form");
  return {"a", "Shift of every layer's gradient, measured and computed",
          fmt::format(
              "How much of a layer's gradient the update of the layers before it changes, in percent, mean over {}; "
              "logarithmic. The black dots are the closed form for the network without BN: they must lie on the "
              "blue line. A network without activations does shift, and the more the later the layer, since more "
              "layers move before it.",
              window.text()),
          band_chart(points, styles_of({kPlain, kBn, kClosedForm}), "layer", "‖G − G′‖ / ‖G‖ (%)", {.log_y = true})};
}

std::vector<std::string> answer(const std::vector<std::pair<Claim, Evidence>>& claims) {
  if (!have_evidence(claims)) return {};
  const auto judged = judge(claims);
  const JudgedClaim& has = find_claim(judged, "linear-networks-have-ics");
  const JudgedClaim& raised = find_claim(judged, "bn-raises-it");
  return {fmt::format(
      "That a linear network has internal covariate shift in the sense of gradients is {}: without BN the update of "
      "the layers before a layer changes {:.2g} % of its gradient's length on average. That BN raises this is {}. "
      "Probe "
      "and closed form differ by at most {:.1g} of the gradient's length.",
      to_string(has.verdict), 100 * has.interval.mean, to_string(raised.verdict),
      find_claim(judged, "probe-agrees").interval.mean)};
}

Findings findings(const Setting& setting, Results& results) {
  const ArmRuns runs(setting, results);
  const auto all = claims(runs);
  return {{layers_figure(runs), dln_loss_figure("b", runs, kArms, "The two networks whose layers are shown above.")},
          all,
          {},
          answer(all)};
}

}  // namespace

Experiment dln_ics() {
  return {"dln-ics",
          "Internal covariate shift without activations",
          {"M29"},
          "Ours, on the deep linear network of Santurkar et al. 2018",
          "no figure of theirs",
          "A deep linear network has no activation: can it have internal covariate shift, and how much?",
          plan,
          what_was_run,
          findings,
          {.chapter = Chapter::kQuestions,
           .plainly = "Every layer of this network is a matrix, and the whole one large matrix product, so that the "
                      "gradient of each layer is known by a formula. It shows whether layers disturb each other even "
                      "without activation functions."}};
}

}  // namespace bnlab
