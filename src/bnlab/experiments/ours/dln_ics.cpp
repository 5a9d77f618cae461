#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "bnlab/experiments/ours/ours.h"
#include "bnlab/experiments/santurkar/dln.h"

namespace bnlab {
namespace {

using namespace santurkar;

constexpr double kRate = 1e-6;
constexpr int64_t kLayers = 25;
constexpr double kAgreement = 1e-3;  // of the gradient's length; the probe computes in float
const char* const kClosedForm = "closed form, no BN";

const std::vector<Arm>& arms() {
  static const std::vector<Arm> all = {dln_plain(kRate), dln_bn(kRate)};
  return all;
}

Plan plan(const Setting& setting) {
  Plan plan(setting);
  add_runs(plan, setting, arms());
  for (const int64_t seed : setting.seeds) {
    const PlannedRun input = plan.run(dln_plain(kRate).name(), seed);
    plan.add(kClosedForm, seed, "closed form of " + input.title,
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

std::vector<std::pair<Claim, Evidence>> claims(const TrainedArms& trained, const Setting& setting, Results& results) {
  const Window window = second_half(dln_protocol(setting.scale));
  const std::string plain = dln_plain(kRate).name(), bn = dln_bn(kRate).name();
  const std::string quote =
      "(Ours: the note's doubt whether a linear network can have internal covariate shift at all.)";
  const std::string share = "mean over layers 2 to 25 and the window of ‖G − G′‖₂ / ‖G‖₂";
  const std::vector<RunReader*> closed = stored_runs(setting, results, kClosedForm);
  Evidence agreement;
  if (closed.size() < setting.seeds.size()) {
    agreement.missing = "analyses of the closed form are missing";
  } else {
    agreement = trained.evidence({plain}, {}, [closed](size_t i) { return largest_difference(*closed.at(i)); });
  }
  const auto ics = [&trained, window](const std::string& arm, size_t i) {
    return over_layers(*trained.runs(arm).at(i), window);
  };
  return {{{"probe-agrees", "The ICS probe measures what the closed form of a linear network's gradient says.", quote,
            "largest, over layers and observed steps, of |probe's ‖G − G′‖ − closed form's| / ‖G‖",
            "all observed steps", "share of the gradient's length", Side::below(kAgreement), std::nullopt},
           agreement},
          {{"linear-networks-have-ics", "A deep linear network without BN has internal covariate shift.", quote,
            share + ", without BN", window.text(), "share of the gradient's length", Side::above(0), std::nullopt},
           trained.evidence({plain}, {}, [ics, plain](size_t i) { return ics(plain, i); })},
          {{"bn-raises-it", "BN does not reduce a deep linear network's ICS, it raises it.",
            "In this case, the standard network experiences almost no ICS for the entirety of training, whereas for "
            "BatchNorm it appears that G and G' are almost uncorrelated. (Santurkar et al., section 2.2, of the DLN)",
            "ln of the ratio, with BN to without, of the " + share, window.text(), "log ratio", Side::above(0),
            std::nullopt},
           trained.evidence({plain, bn}, {trained.loss_halved({bn}, window)},
                            [ics, plain, bn](size_t i) { return std::log(ics(bn, i) / ics(plain, i)); })}};
}

Figure layers_figure(const TrainedArms& trained, const Setting& setting, Results& results) {
  const Window window = second_half(dln_protocol(setting.scale));
  std::vector<BandPoint> points;
  const auto add = [&](const std::string& name, const std::vector<RunReader*>& runs, const std::string& probe) {
    if (runs.empty()) return;
    for (int64_t layer = 2; layer <= kLayers; ++layer) {
      std::vector<double> values;
      for (RunReader* run : runs) values.push_back(100 * relative_ics(*run, probe, layer, window));
      points.push_back(band_point(name, static_cast<double>(layer), values));
    }
  };
  for (const Arm& arm : arms()) add(arm.name(), trained.runs(arm.name()), "ics");
  add(kClosedForm, stored_runs(setting, results, kClosedForm), "dln-closed-form");
  std::vector<ArmStyle> styles = styles_of(arms());
  styles.push_back({kClosedForm, "#1b1b1b", {2, 4}});
  return {"a", "Shift of every layer's gradient, measured and computed",
          fmt::format(
              "How much of a layer's gradient the update of the layers before it changes, in percent, mean over {}; "
              "logarithmic. The black dots are the closed form for the network without BN: they must lie on the "
              "blue line. A network without activations does shift, and the more the later the layer, since more "
              "layers move before it.",
              window.text()),
          band_chart(points, styles, "layer", "‖G − G′‖ / ‖G‖ (%)", {.log_y = true})};
}

Findings findings(const Setting& setting, Results& results) {
  const TrainedArms trained(setting, results, arms());
  auto all = claims(trained, setting, results);
  std::vector<std::string> answer;
  if (have_evidence(all)) {
    const auto judged = judge(all);
    answer = {
        fmt::format("A linear network has internal covariate shift in the sense of gradients ({}): without BN the "
                    "update of the layers before a layer changes {:.2g} % of its gradient's length on average, and "
                    "that BN raises this is {}. Probe and closed form differ by at most {:.1g} of the gradient's "
                    "length.",
                    to_string(judged[1].verdict), 100 * judged[1].interval.mean, to_string(judged[2].verdict),
                    judged[0].interval.mean)};
  }
  return {{layers_figure(trained, setting, results),
           dln_loss_figure("b", trained, arms(), "The two networks whose layers are shown above.")},
          all,
          {},
          answer};
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
          findings};
}

}  // namespace bnlab
