#include <fmt/format.h>

#include <cmath>

#include "bnlab/experiments/santurkar/dln.h"
#include "bnlab/experiments/santurkar/santurkar.h"
#include "bnlab/experiments/santurkar/vgg.h"

namespace bnlab {
namespace {

using namespace santurkar;

constexpr int64_t kLayers[] = {5, 10};  // of the paper's 13
constexpr double kRates[] = {0.1, 0.01};
constexpr int64_t kDlnLayers[] = {9, 17};  // of 25
constexpr double kDlnRates[] = {1e-6, 1e-7};

const std::vector<Arm>& arms() {
  static const std::vector<Arm> all = {plain(0.1), bn(0.1), plain(0.01), bn(0.01)};
  return all;
}

const std::vector<Arm>& dln_arms() {
  static const std::vector<Arm> all = {dln_plain(1e-6), dln_bn(1e-6), dln_plain(1e-7), dln_bn(1e-7)};
  return all;
}

std::vector<std::string> what_was_run(const Setting& setting) {
  return {
      what_was_trained(setting),
      fmt::format("Internal covariate shift (ICS) of a layer, by the paper's Definition 2.1: G is the gradient of its "
                  "weights in a training step, G′ the same after all layers before it have taken that step's update, "
                  "on the same batch. Measured every {} steps: ‖G − G′‖₂, which is 0 if nothing shifts, and "
                  "cos(G, G′), which is 1. Both at the learning rate of their run.",
                  protocol(setting.scale).observe_every),
      what_dln_was_trained(setting)};
}

/// What is looked at: a layer of a pair of networks that differ in BN alone.
struct Place {
  int64_t layer;
  Arm without, with;
  std::string title;  ///< "layer #5, rate 0.1"
  std::string id;     ///< "5-0.1"
};

std::vector<Place> vgg_places(const Protocol& p) {
  std::vector<Place> all;
  for (const int64_t number : kLayers) {
    for (const double rate : kRates) {
      const int64_t layer = layer_at(p, number);
      all.push_back({layer, plain(rate), bn(rate), fmt::format("layer #{}, rate {}", layer, rate),
                     fmt::format("{}-{}", layer, rate)});
    }
  }
  return all;
}

std::vector<Place> dln_places() {
  std::vector<Place> all;
  for (const int64_t layer : kDlnLayers) {
    for (const double rate : kDlnRates) {
      all.push_back({layer, dln_plain(rate), dln_bn(rate), fmt::format("DLN layer #{}, rate {}", layer, rate),
                     fmt::format("dln-{}-{}", layer, rate)});
    }
  }
  return all;
}

Json ics_panels(const TrainedArms& trained, const std::vector<Place>& places, const std::string& what) {
  std::vector<Panel> charts;
  const bool log = what == "l2";
  for (const Place& place : places) {
    const std::vector<Arm> both = {place.without, place.with};
    charts.push_back(
        {place.title, band_chart(trained.curves(names_of(both), {"ics", place.layer, what}), styles_of(both),
                                 "training step", log ? "‖G − G′‖₂" : "cos(G, G′)", {.log_y = log})});
  }
  return panels(charts, 2);
}

void add_claims(const TrainedArms& trained, const Place& place, const Window& window, const Precondition& learned,
                std::vector<std::pair<Claim, Evidence>>& all) {
  const std::string with = place.with.name(), without = place.without.name();
  const auto mean = [&](const std::string& arm, const char* what) {
    return trained.mean(arm, {"ics", place.layer, what}, window);
  };
  const auto cosine_with = mean(with, "cosine"), cosine_without = mean(without, "cosine");
  all.push_back(
      {{"ics-not-reduced-" + place.id, fmt::format("BN does not reduce the shift ‖G − G′‖ of {}.", place.title),
        "Models with BatchNorm have similar, or even worse, internal covariate shift, despite performing better. "
        "(Fig. 3, caption)",
        "ln of the ratio, with BN to without, of the mean ‖G − G′‖₂ over the window; \"similar\" is down to one "
        "half, our reading",
        window.text(), "log ratio", Side::above(-std::log(2.0)), std::nullopt},
       trained.evidence({with, without}, {learned}, log_ratio(mean(with, "l2"), mean(without, "l2")))});
  all.push_back(
      {{"cosine-not-raised-" + place.id, fmt::format("BN does not turn G and G′ of {} closer together.", place.title),
        "Networks with BatchNorm often exhibit an increase in ICS. (Section 2.2)",
        "mean cos(G, G′) with BN minus without, over the window; \"level\" is up to 0.1, our reading", window.text(),
        "cosine", Side::below(0.1), std::nullopt},
       trained.evidence({with, without}, {learned},
                        [=](size_t i) { return cosine_with.at(i) - cosine_without.at(i); })});
}

Findings findings(const Setting& setting, Results& results) {
  const Protocol p = protocol(setting.scale);
  const TrainedArms trained(setting, results, arms()), dln(setting, results, dln_arms());
  std::vector<std::pair<Claim, Evidence>> claims;
  for (const Place& place : vgg_places(p)) {
    const Window window = second_half(p);
    add_claims(trained, place, window, trained.learned({place.with.name(), place.without.name()}, window), claims);
  }
  // The linear network without BN learns slowly (rate 1e-7: hardly at all), so only the one with BN must have learned.
  for (const Place& place : dln_places()) {
    const Window window = second_half(dln_protocol(setting.scale));
    add_claims(dln, place, window, dln.loss_halved({place.with.name()}, window), claims);
  }
  const std::string how_far =
      "If BN worked by reducing internal covariate shift, red (with BN) would lie clearly below blue (without). "
      "Logarithmic; line: mean over seeds, band: lowest to highest seed.";
  const std::string how_turned =
      "1: the update of the layers before leaves the direction of this layer's gradient as it was; 0: it is turned by "
      "a "
      "right angle. BN would have to lie above to have reduced the shift.";
  return {
      {training_figure("a", trained, arms(), p.steps, "The four networks whose layers are looked at below."),
       {"b", "How far the layers before it move a layer's gradient", how_far, ics_panels(trained, vgg_places(p), "l2")},
       {"c", "How far they turn it", how_turned, ics_panels(trained, vgg_places(p), "cosine")},
       dln_loss_figure("d", dln, dln_arms(), "The four linear networks whose layers are looked at below."),
       {"e", "How far the layers before it move a layer's gradient, linear network", how_far,
        ics_panels(dln, dln_places(), "l2")},
       {"f", "How far they turn it, linear network", how_turned, ics_panels(dln, dln_places(), "cosine")}},
      claims,
      {}};
}

}  // namespace

Experiment santurkar_fig3() {
  return {"santurkar-fig3",
          "Internal covariate shift with and without batch normalization",
          {"M11"},
          kSource,
          "Fig. 3 a, b",
          "Does BN reduce internal covariate shift, measured as the change of a layer's gradient by the update of the "
          "layers before it?",
          runs_of(arms(), dln_arms()),
          what_was_run,
          findings};
}

}  // namespace bnlab
