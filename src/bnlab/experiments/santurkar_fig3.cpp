#include "bnlab/experiments/santurkar_fig3.h"

#include <fmt/format.h>

#include <cmath>

#include "bnlab/experiments/santurkar_vgg.h"

namespace bnlab {
namespace {

using namespace santurkar;

constexpr int64_t kLayers[] = {5, 10};  // of the paper's 13
constexpr double kRates[] = {0.1, 0.01};

const std::vector<Arm>& arms() {
  static const std::vector<Arm> all = {plain(0.1), bn(0.1), plain(0.01), bn(0.01)};
  return all;
}

Plan plan(const Setting& setting) {
  Plan plan(setting.data);
  add_runs(plan, setting, arms());
  return plan;
}

std::vector<std::string> what_was_run(const Setting& setting) {
  return {what_was_trained(setting),
          fmt::format("Internal covariate shift (ICS) of a layer, by the paper's Definition 2.1: G is the gradient of its "
                      "weights in a training step, G′ the same after all layers before it have taken that step's update, "
                      "on the same batch. Measured every {} steps: ‖G − G′‖₂, which is 0 if nothing shifts, and "
                      "cos(G, G′), which is 1. Both at the learning rate of their run.",
                      protocol(setting.scale).observe_every)};
}

std::vector<Arm> arms_at(double rate) {
  return {plain(rate), bn(rate)};
}

Figure ics_figure(const std::string& id, const TrainedArms& trained, const Protocol& p, const std::string& what,
                  const std::string& title, const std::string& axis, bool log, const std::string& caption) {
  std::vector<Panel> charts;
  for (const int64_t number : kLayers) {
    for (const double rate : kRates) {
      const int64_t layer = layer_at(p, number);
      const auto both = arms_at(rate);
      charts.push_back({fmt::format("layer #{}, rate {}", layer, rate),
                        band_chart(trained.curves(names_of(both), {"ics", layer, what}), styles_of(both),
                                   "training step", axis, {.log_y = log})});
    }
  }
  return {id, title, caption, panels(charts, 2)};
}

std::vector<std::pair<Claim, Evidence>> claims(const TrainedArms& trained, const Protocol& p) {
  const Window window = second_half(p);
  std::vector<std::pair<Claim, Evidence>> all;
  for (const double rate : kRates) {
    const std::string with = bn(rate).name(), without = plain(rate).name();
    for (const int64_t number : kLayers) {
      const int64_t layer = layer_at(p, number);
      const std::string place = fmt::format("layer #{} at rate {}", layer, rate);
      const auto mean = [&](const std::string& arm, const char* what) {
        return trained.mean(arm, {"ics", layer, what}, window);
      };
      const auto cosine_with = mean(with, "cosine"), cosine_without = mean(without, "cosine");
      all.push_back({{fmt::format("ics-not-reduced-{}-{}", layer, rate),
                      fmt::format("BN does not reduce the shift ‖G − G′‖ of {}.", place),
                      "Models with BatchNorm have similar, or even worse, internal covariate shift, despite performing "
                      "better. (Fig. 3, caption)",
                      "ln of the ratio, with BN to without, of the mean ‖G − G′‖₂ over the window; \"similar\" is down to "
                      "one half, our reading",
                      window.text(), "log ratio", Side::above(-std::log(2.0)), std::nullopt},
                     trained.evidence({with, without}, {with, without}, window,
                                      log_ratio(mean(with, "l2"), mean(without, "l2")))});
      all.push_back({{fmt::format("cosine-not-raised-{}-{}", layer, rate),
                      fmt::format("BN does not turn G and G′ of {} closer together.", place),
                      "(Fig. 3: cosines with BN lie level with those without, or below; paraphrased.)",
                      "mean cos(G, G′) with BN minus without, over the window; \"level\" is up to 0.1, our reading",
                      window.text(), "cosine", Side::below(0.1), std::nullopt},
                     trained.evidence({with, without}, {with, without}, window,
                                      [=](size_t i) { return cosine_with.at(i) - cosine_without.at(i); })});
    }
  }
  return all;
}

Findings findings(const Setting& setting, Results& results) {
  const Protocol p = protocol(setting.scale);
  const TrainedArms trained(setting, results, arms());
  return {{training_figure("a", trained, arms(), p.steps, "The four networks whose layers are looked at below."),
           ics_figure("b", trained, p, "l2", "How far the layers before it move a layer's gradient", "‖G − G′‖₂", true,
                      "If BN worked by reducing internal covariate shift, red (with BN) would lie clearly below blue "
                      "(without). Logarithmic; line: mean over seeds, band: lowest to highest seed."),
           ics_figure("c", trained, p, "cosine", "How far they turn it", "cos(G, G′)", false,
                      "1: the update of the layers before leaves the direction of this layer's gradient as it was; 0: it "
                      "is turned by a right angle. BN would have to lie above to have reduced the shift.")},
          claims(trained, p),
          {}};
}

}  // namespace

Experiment santurkar_fig3() {
  return {"santurkar-fig3",
          "Internal covariate shift with and without batch normalization",
          {"M11"},
          kSource,
          "Fig. 3",
          "Does BN reduce internal covariate shift, measured as the change of a layer's gradient by the update of the "
          "layers before it?",
          plan,
          what_was_run,
          findings};
}

}  // namespace bnlab
