// Two files of one model: each rule finds its fault, and nothing else.
#include "bnlab/doctor/pair.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace bnlab::doctor {
namespace {

using testing::HasSubstr;

LayerFacts pair_layer(const std::string& name) {
  LayerFacts layer;
  layer.name = name;
  layer.dtype = "float32";
  layer.channels = 4;
  layer.gamma = Numbers{0.9, 1.1, 1.2, 0.8};
  layer.beta = Numbers{0.1, -0.2, 0.3, 0};
  layer.running_mean = Numbers{1, -2, 0.5, 3};
  layer.running_var = Numbers{4, 9, 0.25, 2};
  return layer;
}

/// Trained on: everything moved.
PairFacts trained_on() {
  PairFacts facts;
  facts.before = "before";
  facts.after = "after";
  for (const char* name : {"bn1", "bn2"}) {
    LayerPair pair{pair_layer(name), pair_layer(name)};
    pair.after.gamma = Numbers{0.91, 1.12, 1.19, 0.83};
    pair.after.running_mean = Numbers{1.1, -2.2, 0.4, 3.1};
    pair.after.running_var = Numbers{4.2, 8.5, 0.3, 2.2};
    facts.layers.push_back(pair);
  }
  facts.others = OtherTensors{3, 3, {}};
  return facts;
}

/// The same weights: a port.
PairFacts port() {
  PairFacts facts = trained_on();
  for (LayerPair& pair : facts.layers) pair.after = pair.before;
  facts.others = OtherTensors{3, 0, {}};
  return facts;
}

std::string pair_ids(const PairFacts& facts) {
  std::string ids;
  for (const Finding& finding : compare(facts).findings) {
    ids += (ids.empty() ? "" : " ") + finding.id + ":" + to_string(finding.severity);
  }
  return ids;
}

Finding first_found(const PairFacts& facts) {
  const auto findings = compare(facts).findings;
  return findings.empty() ? Finding{} : findings.front();
}

void scale_by(std::optional<Numbers>& values, double factor) {
  for (double& value : *values) value = static_cast<float>(value * factor);
}

TEST(PairRules, AreSilentWhereNothingIsWrong) {
  EXPECT_EQ(pair_ids(trained_on()), "");
  EXPECT_EQ(pair_ids(port()), "");
}

TEST(PairRules, FindMissingTensorsAndPrefixes) {
  PairFacts facts = port();
  facts.missing = {"bn1.running_mean"};
  EXPECT_EQ(pair_ids(facts), "P01:warning");
  facts.missing = {"fc.weight"};
  facts.added = {"head.weight"};
  EXPECT_EQ(pair_ids(facts), "P01:note");
  facts = port();
  facts.prefix_after = "module.";
  EXPECT_EQ(pair_ids(facts), "P02:note");
  EXPECT_THAT(first_found(facts).evidence, HasSubstr("\"module.\""));
}

TEST(PairRules, FindStatisticsThatWereLost) {
  PairFacts facts = trained_on();
  facts.layers[1].after.running_mean = Numbers{0, 0, 0, 0};
  facts.layers[1].after.running_var = Numbers{1, 1, 1, 1};
  EXPECT_EQ(pair_ids(facts), "P03:warning");
  EXPECT_EQ(first_found(facts).layer, "bn2");
}

TEST(PairRules, FindStatisticsThatStoodStill) {
  PairFacts facts = trained_on();
  facts.layers[1].after.running_mean = facts.layers[1].before.running_mean;
  facts.layers[1].after.running_var = facts.layers[1].before.running_var;
  EXPECT_EQ(pair_ids(facts), "P04:note");
  EXPECT_EQ(first_found(facts).layer, "bn2");
  for (LayerFacts* each : {&facts.layers[1].before, &facts.layers[1].after}) {
    each->running_mean = Numbers{0, 0, 0, 0};
    each->running_var = Numbers{1, 1, 1, 1};
  }
  EXPECT_EQ(pair_ids(facts), "P04:warning");
  facts.layers[1].before.running_mean->at(0) = facts.layers[1].after.running_mean->at(0) = NAN;
  EXPECT_EQ(pair_ids(facts), "P04:note");
}

TEST(PairRules, FindStatisticsThatMovedAlone) {
  PairFacts facts = port();
  facts.layers[0].after.running_mean->at(2) = 0.6;
  EXPECT_EQ(pair_ids(facts), "P05:note");
  facts.others.reset();
  EXPECT_EQ(pair_ids(facts), "");
  EXPECT_EQ(compare(facts).not_checked.at(0).id, "P04");
}

TEST(PairRules, FindTheOtherKindOfVariance) {
  PairFacts facts = port();
  for (LayerPair& pair : facts.layers) scale_by(pair.after.running_var, 50.0 / 49);
  EXPECT_EQ(pair_ids(facts), "P06:warning");
  EXPECT_THAT(first_found(facts).evidence, HasSubstr("n/(n-1) for n = 50 values"));
  facts = port();
  for (LayerPair& pair : facts.layers) {
    scale_by(pair.after.running_var, 999.98);
    scale_by(pair.after.running_mean, 999.98);
  }
  EXPECT_EQ(pair_ids(facts), "P06:warning");
  EXPECT_THAT(first_found(facts).evidence, HasSubstr("Caffe"));
}

TEST(PairRules, FindTensorsInAnotherPlaceOrForm) {
  PairFacts facts = port();
  std::swap(facts.layers[0].after.gamma, facts.layers[0].after.beta);
  EXPECT_EQ(pair_ids(facts).substr(0, 11), "P07:warning");
  EXPECT_THAT(first_found(facts).evidence, HasSubstr("gamma holds what was beta"));
  facts = port();
  for (LayerPair& pair : facts.layers) {
    for (double& var : *pair.after.running_var) var = std::sqrt(static_cast<float>(var));
  }
  EXPECT_EQ(pair_ids(facts), "P07:warning");
  EXPECT_THAT(first_found(facts).evidence, HasSubstr("the standard deviation"));
}

TEST(PairRules, FindAnEpsThatWasLost) {
  PairFacts facts = port();
  EXPECT_THAT(compare(facts).not_checked.at(0).why, HasSubstr("eps"));
  for (LayerPair& pair : facts.layers) pair.before.eps = pair.after.eps = 1e-3;
  EXPECT_EQ(pair_ids(facts), "");
  for (LayerPair& pair : facts.layers) pair.after.eps = 1e-5;
  EXPECT_EQ(pair_ids(facts), "N17:note");  // variances of 0.25 and more
  facts.layers[0].after.running_var->at(2) = facts.layers[0].before.running_var->at(2) = 1e-3;
  EXPECT_EQ(pair_ids(facts), "N17:warning");
}

}  // namespace
}  // namespace bnlab::doctor
