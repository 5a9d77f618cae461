// The worlds of experiments/ours.
#pragma once

#include "tests/experiments/directions.h"

namespace bnlab::testing {

inline Case dln_ics_case() {
  const auto truth = [](double plain, double bn, double difference) -> Truth {
    return {{{kDlnPlain, {.values = {{"ics/l2", 2 * plain}, {"ics/gradient_norm", 2}}}},
             {kDlnBn, {.values = {{"ics/l2", 3 * bn}, {"ics/gradient_norm", 3}}}},
             {"closed form, no BN", {.values = {{"dln-closed-form/difference", difference}}}}},
            {{"linear-networks-have-ics", plain}, {"bn-raises-it", ln(bn / plain)}, {"probe-agrees", difference}}};
  };
  return {"dln-ics",
          {truth(0.5, 0.9, 1e-5), truth(0.05, 0.02, 0.1)},
          stuck({kDlnBn}),
          {"probe-agrees", "linear-networks-have-ics"}};
}

// The window is steps 6 to 11, and lags go from 2 to 3. A path that turns by θ has cos kθ at lag k and makes a way of
// |sin 3θ / sin θ/2| in six steps; one that zigzags has (1 ∓ z²) / (1 + z²) at odd and even lags, and a way of 6.
inline Case spiral() {
  const double z = std::sqrt(3.0);
  const auto cosine = [](double degrees) { return std::cos(degrees * M_PI / 180); };
  const auto detour = [](double degrees) {
    return 6 / std::abs(std::sin(3 * degrees * M_PI / 180) / std::sin(degrees / 2 * M_PI / 180));
  };
  return {"open-question-spiral",
          {{{{kBn, {.zigzag = z}}, {kPlain, {.turn = 50}}},
            {{"zigzags-bn", -0.5},
             {"spirals-bn", -0.5},
             {"zigzags-plain", cosine(50)},
             {"spirals-plain", cosine(150)},
             {"bn-more-direct", ln(2 / detour(50))}}},
           {{{kBn, {.turn = 10}}, {kPlain, {.turn = 5}}},
            {{"zigzags-bn", cosine(10)},
             {"spirals-bn", cosine(30)},
             {"zigzags-plain", cosine(5)},
             {"spirals-plain", cosine(15)},
             {"bn-more-direct", ln(detour(10) / detour(5))}}},
           {{{kBn, {.turn = 40}}, {kPlain, {.zigzag = z}}},
            {{"zigzags-bn", cosine(40)},
             {"spirals-bn", cosine(120)},
             {"zigzags-plain", -0.5},
             {"spirals-plain", -0.5},
             {"bn-more-direct", ln(detour(40) / 2)}}}},
          stuck({kBn, kPlain})};
}

// Layer #10 is 6. The two networks that have not learned have the least shift of all: they must not count.
inline Case drift() {
  const std::vector<std::string> arms = {kPlain, kBn, "l1 norm, rate 0.1", "l2 norm, rate 0.1", "linf norm, rate 0.1"};
  const auto truth = [&](bool less_is_faster, double plain_growth, double bn_growth) -> Truth {
    Truth it;
    for (const char* arm : {"noisy BN, rate 0.1", "noise, no BN, rate 0.1"}) {
      it.world[arm] = {.accuracy = kChance,
                       .values = {{"ics/l2", 1e-3}, {"ics/gradient_norm", 1}, {"moment-changes/linear_mean", 1e-3}}};
    }
    const std::vector<double> by_ics = {2, 1, 3, 4, 5};  // one pair differs from the order by drift: correlation 0.9
    for (size_t i = 0; i < arms.size(); ++i) {
      const double rank = static_cast<double>(i);
      MadeUp arm{.accuracy = 0.5 + 0.05 * (less_is_faster ? -rank : rank) + (less_is_faster ? 0.2 : 0),
                 .values = {{"ics/6/l2", 2 * by_ics[i]},
                            {"ics/6/gradient_norm", 2},
                            {"moment-changes/6/linear_mean", 1 + rank},
                            {"moment-changes/6/mean", 7 - rank}}};
      arm.growth["ics/6/l2"] = 0.01;
      arm.growth["moment-changes/6/linear_mean"] = i == 0 ? plain_growth : i == 1 ? bn_growth : 0.01;
      it.world[arms[i]] = arm;
    }
    const double sign = less_is_faster ? -1 : 1;
    it.effects = {{"together-plain", plain_growth > 0 ? 1 : -1},
                  {"together-bn", bn_growth > 0 ? 1 : -1},
                  {"drift-predicts-speed", sign},
                  {"ics-predicts-speed", 0.9 * sign}};
    return it;
  };
  std::vector<std::string> all = arms;
  all.push_back("noisy BN, rate 0.1");
  all.push_back("noise, no BN, rate 0.1");
  return {"open-question-drift", {truth(true, 0.01, -0.01), truth(false, -0.01, 0.01)}, stuck(all)};
}

inline std::vector<Case> our_cases() {
  return {dln_ics_case(), spiral(), drift()};
}

}  // namespace bnlab::testing
