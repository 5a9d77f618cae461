// The worlds of experiments/bjorck: fig2.cpp, fig5.cpp, table1.cpp, fig7.cpp.
#pragma once

#include <vector>

#include "tests/experiments/directions.h"

namespace bnlab::testing {

inline const std::map<std::string, int> kSeenAtSmoke = {{"low", 2}, {"middle", 10}, {"high", 18}};
inline constexpr int kDepthAtSmoke = 19;

/// One layer's gradient. Hill's estimate at a cut of K ‰ is hill (1 + K/1000).
struct Tails {
  double norm, hill, kurtosis;
  double at(int per_mille) const { return hill * (1 + 1e-3 * per_mille); }
};
using TailsByLayer = std::map<std::string, Tails>;

inline MadeUp tails_world(const TailsByLayer& layers) {
  MadeUp made_up;
  for (const auto& [name, tails] : layers) {
    const std::string key = "gradient-distribution/" + std::to_string(kSeenAtSmoke.at(name)) + "/";
    made_up.values[key + "norm"] = tails.norm;
    made_up.values[key + "kurtosis"] = tails.kurtosis;
    for (const int cut : {5, 10, 20, 50, 100, 200}) {
      made_up.values[key + "hill_" + std::to_string(cut)] = tails.at(cut);
    }
  }
  return made_up;
}

inline Truth fig2_truth(const TailsByLayer& none, const TailsByLayer& bn) {
  const auto larger = [&](const char* layer) { return ln(none.at(layer).norm / bn.at(layer).norm); };
  const auto heavier = [&](const char* layer, int cut) { return none.at(layer).at(cut) - bn.at(layer).at(cut); };
  return {{{"no BN", tails_world(none)}, {"BN", tails_world(bn)}},
          {{"larger-without-bn", larger("middle")},
           {"heavier-without-bn", heavier("middle", 50)},
           {"heavy-without-bn", none.at("middle").at(50)},
           {"light-with-bn", bn.at("middle").at(50)},
           {"more-kurtosis-without-bn", none.at("middle").kurtosis - bn.at("middle").kurtosis},
           {"heavier-without-bn-cut-10", heavier("middle", 10)},
           {"heavier-without-bn-cut-20", heavier("middle", 20)},
           {"heavier-without-bn-cut-100", heavier("middle", 100)},
           {"larger-without-bn-low", larger("low")},
           {"heavier-without-bn-low", heavier("low", 50)},
           {"larger-without-bn-high", larger("high")},
           {"heavier-without-bn-high", heavier("high", 50)}}};
}

// An exponential tail gives 0.262 at 5 %.
inline Case fig2_case() {
  return {"bjorck-fig2",
          {fig2_truth({{"low", {9, 0.5, 4}}, {"middle", {8, 0.6, 12}}, {"high", {7, 0.3, 3}}},
                      {{"low", {0.1, 0.2, 1}}, {"middle", {0.2, 0.21, 2}}, {"high", {0.3, 0.1, 1}}}),
           fig2_truth({{"low", {0.01, 0.2, 4}}, {"middle", {0.02, 0.15, 1}}, {"high", {0.04, 0.1, 3}}},
                      {{"low", {0.1, 0.4, 1}}, {"middle", {0.2, 0.5, 5}}, {"high", {0.3, 0.2, 1}}})},
          {{"no BN", {.values = {{"gradient-distribution/norm", 0}}}},
           {"BN", {.values = {{"gradient-distribution/norm", 0}}}}}};
}

/// What a network's activations and outputs are like: of a moment, ln at layer l is `rate`·l, or `rate`·ln l.
struct Start {
  double mean_rate, variance_rate;
  bool power;
  double cosine, largest_class, same_answer;
};

inline double depth_measure(int layer, bool power) {
  return power ? std::log(layer) : layer;
}

inline MadeUp start_world(const Start& start) {
  MadeUp made_up{.values = {{"output-gradients/cosine", start.cosine},
                            {"output-gradients/largest_class", start.largest_class},
                            {"output-gradients/same_answer", start.same_answer}}};
  for (int layer = 1; layer <= kDepthAtSmoke; ++layer) {
    const std::string key = "moments-by-depth/" + std::to_string(layer) + "/output_";
    made_up.values[key + "mean"] = 3 * std::exp(start.mean_rate * depth_measure(layer, start.power));
    made_up.values[key + "variance"] = 2 * std::exp(start.variance_rate * depth_measure(layer, start.power));
  }
  return made_up;
}

/// Mean of f(layer) g(layer) minus the product of the means.
inline double covariance(bool f_power, bool g_power) {
  double f = 0, g = 0, fg = 0;
  for (int layer = 1; layer <= kDepthAtSmoke; ++layer) {
    f += depth_measure(layer, f_power) / kDepthAtSmoke;
    g += depth_measure(layer, g_power) / kDepthAtSmoke;
    fg += depth_measure(layer, f_power) * depth_measure(layer, g_power) / kDepthAtSmoke;
  }
  return fg - f * g;
}

inline Truth fig5_truth(const Start& none, const Start& bn) {
  const auto slope = [](const Start& start, double rate) {
    return rate * covariance(start.power, false) / covariance(false, false);
  };
  const double other = std::pow(covariance(false, true), 2) / covariance(false, false) / covariance(true, true),
               exponential = none.power ? other - 1 : 1 - other;
  const double none_mean = slope(none, none.mean_rate), bn_mean = slope(bn, bn.mean_rate),
               none_variance = slope(none, none.variance_rate), bn_variance = slope(bn, bn.variance_rate);
  return {{{"no BN", start_world(none)}, {"BN", start_world(bn)}},
          {{"variance-grows", none_variance},
           {"bn-holds-variance", none_variance - bn_variance},
           {"variance-grows-exponentially", exponential},
           {"variance-constant-with-bn", bn_variance * (kDepthAtSmoke - 1)},
           {"mean-grows", none_mean},
           {"bn-holds-mean", none_mean - bn_mean},
           {"mean-grows-exponentially", exponential},
           {"mean-constant-with-bn", bn_mean * (kDepthAtSmoke - 1)},
           {"alike-without-bn", none.cosine - bn.cosine},
           {"one-class-without-bn", none.largest_class - bn.largest_class},
           {"same-answer-without-bn", none.same_answer - bn.same_answer}}};
}

inline Case fig5_case() {
  const MadeUp nothing = {.values = {{"moments-by-depth/output_mean", 0},
                                     {"moments-by-depth/output_variance", 0},
                                     {"output-gradients/largest_class", 0}}};
  return {"bjorck-fig5",
          {fig5_truth({0.3, 0.6, false, 0.6, 0.5, 1}, {0.02, 0.01, false, 0.1, 0.2, 0.4}),
           fig5_truth({-0.5, -0.7, true, 0.1, 0.2, 0.3}, {0.2, 0.4, false, 0.3, 0.4, 0.5})},
          {{"no BN", nothing}, {"BN", nothing}}};
}

/// Σ|d| and |Σd| of a layer.
struct Sums {
  double absolute, sum;
  double cancelled() const { return ln(absolute / sum); }
};
using SumsByLayer = std::map<std::string, Sums>;

inline Truth table1_truth(const SumsByLayer& none, const SumsByLayer& bn) {
  Truth truth;
  for (const auto& [arm, layers] : {std::pair{"no BN", none}, std::pair{"BN", bn}}) {
    for (const auto& [name, sums] : layers) {
      const std::string key = "gradient-terms/" + std::to_string(kSeenAtSmoke.at(name)) + "/";
      truth.world[arm].values[key + "absolute"] = sums.absolute;
      truth.world[arm].values[key + "sum"] = sums.sum;
    }
  }
  for (const auto& [name, number] : kSeenAtSmoke) {
    const std::string suffix = name == "middle" ? "" : "-" + name;
    truth.effects["bn-cancels-more" + suffix] = bn.at(name).cancelled() - none.at(name).cancelled();
    truth.effects["bn-cancels" + suffix] = bn.at(name).cancelled();
    truth.effects["none-adds-up" + suffix] = none.at(name).cancelled();
  }
  return truth;
}

inline Case table1_case() {
  const MadeUp nothing = {.values = {{"gradient-terms/absolute", 0}, {"gradient-terms/sum", 0}}};
  return {"bjorck-table1",
          {table1_truth({{"low", {6, 4}}, {"middle", {22, 8}}, {"high", {26, 12}}},
                        {{"low", {75, 0.3}}, {"middle", {19, 0.17}}, {"high", {6.6, 0.16}}}),
           table1_truth({{"low", {75, 0.4}}, {"middle", {19, 0.2}}, {"high", {6.6, 0.1}}},
                        {{"low", {6, 3}}, {"middle", {22, 9}}, {"high", {26, 11}}})},
          {{"no BN", nothing}, {"BN", nothing}}};
}

/// Products of 1, 2, 5, 10 and 20 matrices, which all have this distance from theory.
struct Products {
  double distance, spread_of_1, spread_of_10, condition_of_1, condition_of_10, condition_of_20;
};

inline Truth fig7_truth(const Products& p) {
  const double newman = 2;
  return {{{"random matrices",
            {.values = {{"random-products/distance", p.distance},
                        {"random-products/20/distance", 0.5},  // not compared
                        {"random-products/0/lyapunov_spread", newman},
                        {"random-products/1/log_spread", p.spread_of_1},
                        {"random-products/10/log_spread", p.spread_of_10},
                        {"random-products/1/log_condition", p.condition_of_1},
                        {"random-products/10/log_condition", p.condition_of_10},
                        {"random-products/20/log_condition", p.condition_of_20}}}}},
          {{"follows-fuss-catalan", p.distance},
           {"heavier-tailed", p.spread_of_10 - p.spread_of_1},
           {"condition-grows", (p.condition_of_20 - p.condition_of_1) / 19},
           {"condition-as-newman", (p.condition_of_20 - p.condition_of_10) / 10 / newman}}};
}

inline Case fig7_case() {
  return {"bjorck-fig7",
          {fig7_truth({0.02, 0.6, 2.5, 5, 24, 44}), fig7_truth({0.09, 0.6, 0.4, 5, 3, 2})},
          {},
          {"follows-fuss-catalan", "heavier-tailed", "condition-grows", "condition-as-newman"}};
}

inline std::vector<Case> bjorck_start_cases() {
  return {fig2_case(), fig5_case(), table1_case(), fig7_case()};
}

}  // namespace bnlab::testing
