#include <fmt/format.h>

#include <cmath>

#include "bnlab/experiments/santurkar/dln.h"
#include "bnlab/experiments/santurkar/santurkar.h"
#include "bnlab/experiments/santurkar/vgg.h"
#include "bnlab/study/curves.h"
#include "bnlab/study/evidence.h"

namespace bnlab {
namespace {

using namespace santurkar;

constexpr int64_t kLayers[] = {5, 10};  // of the paper's 13
constexpr double kRates[] = {0.1, 0.01};
constexpr int64_t kDlnLayers[] = {9, 17};  // of 25
constexpr double kDlnRates[] = {1e-6, 1e-7};

const std::vector<Arm> kArms = {plain(0.1), bn(0.1), plain(0.01), bn(0.01)};
const std::vector<Arm> kDlnArms = {dln_plain(1e-6), dln_bn(1e-6), dln_plain(1e-7), dln_bn(1e-7)};

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

/// What is looked at: layers of a pair of networks that differ in BN alone.
struct Place {
  std::vector<int64_t> layers;
  Arm without, with;
  std::string title;  ///< "layer #5, rate 0.1"
  std::string id;     ///< "5-0.1"
};

struct Kind {
  std::vector<Place> single;  ///< each layer and rate
  Place main;                 ///< the paper's layers together, at the rate at which both networks learn
};

Kind vgg_places(const Protocol& p) {
  std::vector<Place> all;
  std::vector<int64_t> layers;
  for (const int64_t number : kLayers) {
    const int64_t layer = layer_at(p, number);
    layers.push_back(layer);
    for (const double rate : kRates) {
      all.push_back({{layer},
                     plain(rate),
                     bn(rate),
                     fmt::format("layer #{}, rate {}", layer, rate),
                     fmt::format("{}-{}", layer, rate)});
    }
  }
  const double rate = kRates[0];
  return {all,
          {layers, plain(rate), bn(rate),
           fmt::format("layers #{} and #{}, rate {}", layers.front(), layers.back(), rate), "vgg"}};
}

Kind dln_places() {
  std::vector<Place> all;
  for (const int64_t layer : kDlnLayers) {
    for (const double rate : kDlnRates) {
      all.push_back({{layer},
                     dln_plain(rate),
                     dln_bn(rate),
                     fmt::format("DLN layer #{}, rate {}", layer, rate),
                     fmt::format("dln-{}-{}", layer, rate)});
    }
  }
  const double rate = kDlnRates[0];
  return {all,
          {{std::begin(kDlnLayers), std::end(kDlnLayers)},
           dln_plain(rate),
           dln_bn(rate),
           fmt::format("DLN layers #9 and #17, rate {}", rate),
           "dln"}};
}

Json ics_panels(const ArmRuns& runs, const std::vector<Place>& places, const std::string& what) {
  std::vector<Panel> charts;
  const bool log = what == "l2";
  for (const Place& place : places) {
    const std::vector<Arm> both = {place.without, place.with};
    charts.push_back({place.title, band_chart(curves(runs, both, {"ics", place.layers.front(), what}), styles_of(both),
                                              "training step", log ? "‖G − G′‖₂" : "cos(G, G′)", {.log_y = log})});
  }
  return panels(charts, 2);
}

PerSeed shift_ratio(const ArmRuns& runs, const Place& place, const Window& window) {
  std::vector<PerSeed> by_layer;
  for (const int64_t layer : place.layers) {
    const Key key{"ics", layer, "l2"};
    by_layer.push_back(log_ratio(mean(runs, place.with, key, window), mean(runs, place.without, key, window)));
  }
  return mean_of_all(by_layer);
}

PerSeed cosine_difference(const ArmRuns& runs, const Place& place, const Window& window) {
  std::vector<PerSeed> by_layer;
  for (const int64_t layer : place.layers) {
    const Key key{"ics", layer, "cosine"};
    by_layer.push_back(minus(mean(runs, place.with, key, window), mean(runs, place.without, key, window)));
  }
  return mean_of_all(by_layer);
}

std::vector<std::pair<Claim, Evidence>> place_claims(const ArmRuns& runs, const Place& place, const Window& window,
                                                     const Precondition& learned) {
  const std::vector<Arm> both = {place.with, place.without};
  const std::string mean_over_layers = place.layers.size() > 1 ? ", mean over the layers" : "";
  return {{{.id = "ics-not-reduced-" + place.id,
            .sentence = fmt::format("BN does not reduce the shift ‖G − G′‖ of {}.", place.title),
            .quote = "Models with BatchNorm have similar, or even worse, internal covariate shift, despite performing "
                     "better. (Fig. 3, caption)",
            .statistic = "ln of the ratio, with BN to without, of the mean ‖G − G′‖₂ over the window" +
                         mean_over_layers + "; \"similar\" is down to one half, our reading",
            .window = window.text(),
            .unit = "log ratio",
            .side = Side::above(-std::log(2.0)),
            .paper_value = {}},
           paired(runs, both, {learned}, shift_ratio(runs, place, window))},
          {{.id = "cosine-not-raised-" + place.id,
            .sentence = fmt::format("BN does not turn G and G′ of {} closer together.", place.title),
            .quote = "Networks with BatchNorm often exhibit an increase in ICS. (Section 2.2)",
            .statistic = "mean cos(G, G′) with BN minus without, over the window" + mean_over_layers +
                         "; \"level\" is up to 0.1, our reading",
            .window = window.text(),
            .unit = "cosine",
            .side = Side::below(0.1),
            .paper_value = {}},
           paired(runs, both, {learned}, cosine_difference(runs, place, window))}};
}

std::vector<std::pair<Claim, Evidence>> claims_of(const ArmRuns& runs, const Kind& kind, const Window& window,
                                                  const std::function<Precondition(const Place&)>& learned) {
  auto all = place_claims(runs, kind.main, window, learned(kind.main));
  for (auto& [claim, evidence] : all) claim.rank = Rank::kPrimary;
  for (const Place& place : kind.single) {
    for (auto& claim : place_claims(runs, place, window, learned(place))) all.push_back(std::move(claim));
  }
  return all;
}

Findings findings(const Setting& setting, Results& results) {
  const Protocol p = protocol(setting.scale);
  const ArmRuns runs(setting, results);
  const Kind vgg = vgg_places(p), dln = dln_places();
  const Window window = second_half(p), dln_window = second_half(dln_protocol(setting.scale));
  auto claims = claims_of(runs, vgg, window, [&](const Place& place) {
    return learned(runs, {place.with, place.without}, window);
  });
  // The linear network without BN learns slowly (rate 1e-7: hardly at all), so only the one with BN must have learned.
  for (auto& claim : claims_of(runs, dln, dln_window,
                               [&](const Place& place) { return loss_halved(runs, {place.with}, dln_window); })) {
    claims.push_back(std::move(claim));
  }
  const std::string how_far =
      "If BN worked by reducing internal covariate shift, red (with BN) would lie clearly below blue (without). "
      "Logarithmic; line: mean over seeds, band: lowest to highest seed.";
  const std::string how_turned =
      "1: the update of the layers before leaves the direction of this layer's gradient as it was; 0: it is turned by "
      "a right angle. BN would have to lie above to have reduced the shift.";
  return {{training_figure("a", runs, kArms, p.steps, "The four networks whose layers are looked at below."),
           {"b", "How far the layers before it move a layer's gradient", how_far, ics_panels(runs, vgg.single, "l2")},
           {"c", "How far they turn it", how_turned, ics_panels(runs, vgg.single, "cosine")},
           dln_loss_figure("d", runs, kDlnArms, "The four linear networks whose layers are looked at below."),
           {"e", "How far the layers before it move a layer's gradient, linear network", how_far,
            ics_panels(runs, dln.single, "l2")},
           {"f", "How far they turn it, linear network", how_turned, ics_panels(runs, dln.single, "cosine")}},
          claims,
          {}};
}

}  // namespace

Experiment santurkar_fig3() {
  return {
      "santurkar-fig3",
      "Internal covariate shift with and without batch normalization",
      {"M11"},
      kSource,
      "Fig. 3 a, b",
      "Does BN reduce internal covariate shift, measured as the change of a layer's gradient by the update of the "
      "layers before it?",
      runs_of(kArms, kDlnArms),
      what_was_run,
      findings,
      {.chapter = Chapter::kWhyItWorks,
       .plainly = "A layer is trained on what the layers before it gave, but they change in the same step. Measured "
                  "is how much a layer's gradient changes by that alone: the original explanation of BN says that "
                  "BN makes it less.",
       .headline = "ics-not-reduced-vgg",
       .in_short =
           "BN does not lessen internal covariate shift: layers disturb each other's gradients as much as before."}};
}

}  // namespace bnlab
