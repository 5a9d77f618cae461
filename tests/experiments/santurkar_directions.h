// The worlds of experiments/santurkar.
#pragma once

#include "tests/experiments/directions.h"

namespace bnlab::testing {

// Layers #3 and #11 of 13 are 2 and 7 of smoke's eight.
inline Case fig1() {
  const std::string bn_fast = "BN, rate 0.5", plain_fast = "no BN, rate 0.5";
  const std::string fixed24 = "DLN, BN behind 24, γ, β fixed, rate 1e-06",
                    learned25 = "DLN, BN behind 25, γ, β learned, rate 1e-06",
                    fixed25 = "DLN, BN behind 25, γ, β fixed, rate 1e-06";
  const auto drifts = [](double early, double late, double early_behind, double late_behind) {
    return std::map<std::string, double>{{"activations/2/linear_drift", early},
                                         {"activations/7/linear_drift", late},
                                         {"activations/2/drift", early_behind},
                                         {"activations/7/drift", late_behind}};
  };
  const Truth holds = {{{kBn, {.accuracy = 0.8, .tested = 0.75, .values = drifts(0.11, 0.12, 0.09, 0.08)}},
                        {kPlain, {.accuracy = 0.6, .tested = 0.5, .values = drifts(0.1, 0.1, 0.1, 0.1)}},
                        {bn_fast, {.accuracy = 0.7}},
                        {plain_fast, {.accuracy = kChance}},
                        {kDlnPlain, {.loss = 8}},
                        {kDlnBn, {.loss = 1}},
                        {fixed24, {.loss = 2}},
                        {learned25, {.loss = 0.5}},
                        {fixed25, {.loss = 3}}},
                       {{"faster-at-0.1", 20},
                        {"better-at-0.5", 45},
                        {"robust-to-rate", 25},
                        {"better-test-accuracy", 25},
                        {"activations-drift-alike", (ln(1.1) + ln(1.2)) / 2},
                        {"activations-drift-alike-early", ln(1.1)},
                        {"activations-drift-alike-late", ln(1.2)},
                        {"activations-drift-alike-early-behind", ln(0.9)},
                        {"activations-drift-alike-late-behind", ln(0.8)},
                        {"dln-faster", ln(1.0 / 8)},
                        {"dln-faster-24-fixed", ln(2.0 / 8)},
                        {"dln-faster-25", ln(0.5 / 8)},
                        {"dln-faster-25-fixed", ln(3.0 / 8)}}};
  const Truth mirror = {{{kBn, {.accuracy = 0.5, .tested = 0.4, .values = drifts(0.3, 0.4, 0.02, 0.01)}},
                         {kPlain, {.accuracy = 0.6, .tested = 0.5, .values = drifts(0.1, 0.1, 0.1, 0.1)}},
                         {bn_fast, {.accuracy = 0.36}},
                         {plain_fast, {.accuracy = 0.5}},
                         {kDlnPlain, {.loss = 1}},
                         {kDlnBn, {.loss = 4}},
                         {fixed24, {.loss = 2}},
                         {learned25, {.loss = 3}},
                         {fixed25, {.loss = 4.5}}},
                        {{"faster-at-0.1", -10},
                         {"better-at-0.5", -14},
                         {"robust-to-rate", -4},
                         {"better-test-accuracy", -10},
                         {"activations-drift-alike", (ln(3) + ln(4)) / 2},
                         {"activations-drift-alike-early", ln(3)},
                         {"activations-drift-alike-late", ln(4)},
                         {"activations-drift-alike-early-behind", ln(0.2)},
                         {"activations-drift-alike-late-behind", ln(0.1)},
                         {"dln-faster", ln(4)},
                         {"dln-faster-24-fixed", ln(2)},
                         {"dln-faster-25", ln(3)},
                         {"dln-faster-25-fixed", ln(4.5)}}};
  return {"santurkar-fig1", {holds, mirror}, stuck({kBn, bn_fast, kDlnBn, fixed24, learned25, fixed25})};
}

// Layers #2, #9 and #13 are 1, 6 and 8.
inline Case fig2() {
  const std::string noisy = "noisy BN, rate 0.1", noise = "noise, no BN, rate 0.1";
  const auto moved = [](double one, double six, double eight) {
    return std::map<std::string, double>{
        {"moment-changes/1/mean", one}, {"moment-changes/6/mean", six}, {"moment-changes/8/mean", eight}};
  };
  const Truth holds = {{{kBn, {.accuracy = 0.8}},
                        {noisy, {.accuracy = 0.78, .values = moved(0.3, 0.4, 0.5)}},
                        {kPlain, {.accuracy = 0.6, .values = moved(0.1, 0.1, 0.1)}},
                        {noise, {.accuracy = 0.26}}},
                       {{"noisy-bn-as-good-as-bn", -2},
                        {"noisy-bn-better-than-plain", 18},
                        {"noise-stops-the-plain-network", 1},
                        {"noisy-bn-less-steady", (ln(3) + ln(4) + ln(5)) / 3},
                        {"noisy-bn-less-steady-1", ln(3)},
                        {"noisy-bn-less-steady-6", ln(4)},
                        {"noisy-bn-less-steady-8", ln(5)}}};
  const Truth mirror = {{{kBn, {.accuracy = 0.8}},
                         {noisy, {.accuracy = 0.5, .values = moved(0.05, 0.04, 0.02)}},
                         {kPlain, {.accuracy = 0.6, .values = moved(0.1, 0.1, 0.1)}},
                         {noise, {.accuracy = 0.55}}},
                        {{"noisy-bn-as-good-as-bn", -30},
                         {"noisy-bn-better-than-plain", -10},
                         {"noise-stops-the-plain-network", 30},
                         {"noisy-bn-less-steady", (ln(0.5) + ln(0.4) + ln(0.2)) / 3},
                         {"noisy-bn-less-steady-1", ln(0.5)},
                         {"noisy-bn-less-steady-6", ln(0.4)},
                         {"noisy-bn-less-steady-8", ln(0.2)}}};
  return {"santurkar-fig2", {holds, mirror}, stuck({kBn, kPlain, noisy, noise})};
}

// Layers #5 and #10 are 3 and 6; of the linear network 9 and 17.
inline Case fig3() {
  const std::string bn_slow = "BN, rate 0.01", plain_slow = "no BN, rate 0.01";
  const std::string dln_bn_slow = "DLN, BN, rate 1e-07", dln_plain_slow = "DLN, no BN, rate 1e-07";
  const auto shift = [](const std::string& first, double l2, double cosine, const std::string& second, double l2_second,
                        double cosine_second) {
    return std::map<std::string, double>{{"ics/" + first + "/l2", l2},
                                         {"ics/" + first + "/cosine", cosine},
                                         {"ics/" + second + "/l2", l2_second},
                                         {"ics/" + second + "/cosine", cosine_second}};
  };
  const auto vgg = [&](double a, double b, double c, double d) { return shift("3", a, b, "6", c, d); };
  const auto dln = [&](double a, double b, double c, double d) { return shift("9", a, b, "17", c, d); };
  const Truth holds = {{{kBn, {.values = vgg(2, 0.2, 3, 0.3)}},
                        {kPlain, {.values = vgg(1, 0.5, 1, 0.5)}},
                        {bn_slow, {.values = vgg(4, 0.1, 5, 0.15)}},
                        {plain_slow, {.values = vgg(2, 0.4, 2, 0.4)}},
                        {kDlnBn, {.values = dln(6, 0.3, 7, 0.2)}},
                        {kDlnPlain, {.values = dln(2, 0.9, 2, 0.9)}},
                        {dln_bn_slow, {.values = dln(8, 0.1, 9, 0.05)}},
                        {dln_plain_slow, {.values = dln(2, 0.8, 2, 0.8)}}},
                       {{"ics-not-reduced-vgg", (ln(2) + ln(3)) / 2},
                        {"cosine-not-raised-vgg", -0.25},
                        {"ics-not-reduced-3-0.1", ln(2)},
                        {"cosine-not-raised-3-0.1", -0.3},
                        {"ics-not-reduced-6-0.1", ln(3)},
                        {"cosine-not-raised-6-0.1", -0.2},
                        {"ics-not-reduced-3-0.01", ln(2)},
                        {"cosine-not-raised-3-0.01", -0.3},
                        {"ics-not-reduced-6-0.01", ln(2.5)},
                        {"cosine-not-raised-6-0.01", -0.25},
                        {"ics-not-reduced-dln", (ln(3) + ln(3.5)) / 2},
                        {"cosine-not-raised-dln", -0.65},
                        {"ics-not-reduced-dln-9-1e-06", ln(3)},
                        {"cosine-not-raised-dln-9-1e-06", -0.6},
                        {"ics-not-reduced-dln-17-1e-06", ln(3.5)},
                        {"cosine-not-raised-dln-17-1e-06", -0.7},
                        {"ics-not-reduced-dln-9-1e-07", ln(4)},
                        {"cosine-not-raised-dln-9-1e-07", -0.7},
                        {"ics-not-reduced-dln-17-1e-07", ln(4.5)},
                        {"cosine-not-raised-dln-17-1e-07", -0.75}}};
  const Truth mirror = {{{kBn, {.values = vgg(0.2, 0.9, 0.3, 0.8)}},
                         {kPlain, {.values = vgg(1, 0.5, 1, 0.5)}},
                         {bn_slow, {.values = vgg(0.4, 0.7, 0.5, 0.8)}},
                         {plain_slow, {.values = vgg(2, 0.4, 2, 0.4)}},
                         {kDlnBn, {.values = dln(0.6, 0.9, 0.7, 0.8)}},
                         {kDlnPlain, {.values = dln(2, 0.5, 2, 0.5)}},
                         {dln_bn_slow, {.values = dln(0.8, 0.7, 0.4, 0.6)}},
                         {dln_plain_slow, {.values = dln(2, 0.1, 2, 0.1)}}},
                        {{"ics-not-reduced-vgg", (ln(0.2) + ln(0.3)) / 2},
                         {"cosine-not-raised-vgg", 0.35},
                         {"ics-not-reduced-3-0.1", ln(0.2)},
                         {"cosine-not-raised-3-0.1", 0.4},
                         {"ics-not-reduced-6-0.1", ln(0.3)},
                         {"cosine-not-raised-6-0.1", 0.3},
                         {"ics-not-reduced-3-0.01", ln(0.2)},
                         {"cosine-not-raised-3-0.01", 0.3},
                         {"ics-not-reduced-6-0.01", ln(0.25)},
                         {"cosine-not-raised-6-0.01", 0.4},
                         {"ics-not-reduced-dln", (ln(0.3) + ln(0.35)) / 2},
                         {"cosine-not-raised-dln", 0.35},
                         {"ics-not-reduced-dln-9-1e-06", ln(0.3)},
                         {"cosine-not-raised-dln-9-1e-06", 0.4},
                         {"ics-not-reduced-dln-17-1e-06", ln(0.35)},
                         {"cosine-not-raised-dln-17-1e-06", 0.3},
                         {"ics-not-reduced-dln-9-1e-07", ln(0.4)},
                         {"cosine-not-raised-dln-9-1e-07", 0.6},
                         {"ics-not-reduced-dln-17-1e-07", ln(0.2)},
                         {"cosine-not-raised-dln-17-1e-07", 0.5}}};
  return {"santurkar-fig3",
          {holds, mirror},
          stuck({kBn, kPlain, bn_slow, plain_slow, kDlnBn, kDlnPlain, dln_bn_slow, dln_plain_slow})};
}

/// Ranges and largest values along the gradient and along a random direction.
inline std::map<std::string, double> landscape(double loss, double gradient, double lipschitz, double beta,
                                               const std::string& direction = "") {
  const std::string name = "landscape/" + direction;
  return {{name + "loss_low", 1},          {name + "loss_high", 1 + loss},
          {name + "difference_low", 2},    {name + "difference_high", 2 + gradient},
          {name + "lipschitz", lipschitz}, {name + "beta", beta}};
}

inline std::map<std::string, double> with(std::map<std::string, double> a, const std::map<std::string, double>& b) {
  a.insert(b.begin(), b.end());
  return a;
}

inline Case fig4() {
  const std::map<std::string, double> one = with(landscape(1, 1, 1, 1), landscape(1, 1, 1, 1, "random_"));
  const auto effects = [](const std::vector<double>& ratios) {
    std::map<std::string, double> all;
    size_t i = 0;
    for (const char* end : {"", "-random", "-dln"}) {
      for (const char* id : {"loss-range", "gradient-range", "lipschitz", "beta"}) {
        all[std::string(id) + end] = ln(ratios[i++]);
      }
    }
    return all;
  };
  const auto truth = [&](const std::vector<double>& r) -> Truth {
    return {{{kBn, {.values = with(landscape(r[0], r[1], r[2], r[3]), landscape(r[4], r[5], r[6], r[7], "random_"))}},
             {kPlain, {.values = one}},
             {kDlnBn, {.values = landscape(r[8], r[9], r[10], r[11])}},
             {kDlnPlain, {.values = one}}},
            effects(r)};
  };
  return {"santurkar-fig4",
          {truth({0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.15, 0.25, 0.35}),
           truth({2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13})},
          stuck({kBn, kPlain, kDlnBn, kDlnPlain})};
}

inline Case fig5() {
  const std::vector<std::string> powers = {"l1", "l2", "linf"};
  const auto truth = [&](const std::vector<double>& accuracies, const std::vector<double>& betas,
                         const std::vector<double>& losses, double dln_loss) -> Truth {
    Truth it = {{{kBn, {.accuracy = 0.8}},
                 {kPlain, {.accuracy = 0.6, .values = landscape(1, 1, 1, 1)}},
                 {kDlnPlain, {.loss = dln_loss}}},
                {}};
    for (size_t i = 0; i < powers.size(); ++i) {
      it.world[powers[i] + " norm, rate 0.1"] = {.accuracy = accuracies[i], .values = landscape(1, 1, 1, betas[i])};
      it.world["DLN, " + powers[i] + " norm, rate 1e-06"] = {.loss = losses[i]};
      it.effects[powers[i] + "-comparable-to-bn"] = 100 * (accuracies[i] - 0.8);
      it.effects[powers[i] + "-trains-better"] = 100 * (accuracies[i] - 0.6);
      it.effects["beta-" + powers[i]] = ln(betas[i]);
      it.effects[powers[i] + "-trains-better-dln"] = ln(losses[i] / dln_loss);
    }
    return it;
  };
  std::vector<std::string> all = {kBn, kPlain, kDlnPlain};
  for (const auto& power : powers) {
    all.push_back(power + " norm, rate 0.1");
    all.push_back("DLN, " + power + " norm, rate 1e-06");
  }
  return {"santurkar-fig5",
          {truth({0.79, 0.78, 0.83}, {0.5, 0.4, 0.3}, {1, 2, 3}, 8), truth({0.5, 0.45, 0.4}, {2, 3, 4}, {2, 3, 4}, 1)},
          stuck(all)};
}

inline Case theory() {
  const auto truth = [](double share, double error, double worst, double closest) -> Truth {
    const std::map<std::string, double> starts = {{"start closest", closest},
                                                  {"start bound", 0.3},
                                                  {"start plain", 1},
                                                  {"least-squares-start/optimum_gradient", 1e-9},
                                                  {"least-squares-start/excess", 1e-9}};
    return {{{kPlain,
              {.values = {{"bn-theory/identity_error", error},
                          {"bn-theory/holds", share},
                          {"bn-theory/twin_error", 2 * error},
                          {"bn-theory/weight_worst", worst},
                          {"bn-theory/weight_holds", share * share},
                          {"bn-theory/lambda_converged", 1},
                          {"bn-curvature/identity_error", 3 * error},
                          {"bn-curvature/first_holds", std::pow(share, 3)},
                          {"bn-curvature/second_holds", std::pow(share, 4)},
                          {"bn-curvature/meets_precondition", 0.5}}}},
             {"least squares", {.values = starts}}},
            {{"identity", error},
             {"printed-holds", share},
             {"twin-reproduces", 2 * error},
             {"weights-worst-case", worst},
             {"weights-bound", share * share},
             {"curvature-identity", 3 * error},
             {"curvature-first", std::pow(share, 3)},
             {"curvature-second", std::pow(share, 4)},
             {"favourable-start", closest - 0.3}}};
  };
  World stuck = truth(1, 1e-5, 0.9, 0.2).world;
  stuck[kPlain].values["bn-theory/lambda_converged"] = 0.9;
  stuck[kPlain].values["bn-curvature/meets_precondition"] = 0.05;
  stuck["least squares"].values["least-squares-start/excess"] = 0.1;
  return {"santurkar-theory",
          {truth(1, 1e-5, 0.9, 0.2), truth(0.5, 0.1, 2, 0.5)},
          stuck,
          {"identity", "printed-holds", "twin-reproduces", "curvature-identity", "curvature-first"}};
}

inline std::vector<Case> santurkar_cases() {
  return {fig1(), fig2(), fig3(), fig4(), fig5(), theory()};
}

}  // namespace bnlab::testing
