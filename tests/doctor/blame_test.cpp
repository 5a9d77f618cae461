// Which layer, and which cause, is named where several would do.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/doctor/made_up.h"

namespace bnlab::doctor {
namespace {

using testing::HasSubstr;

/// Healthy but for a loss of 1.4 by running statistics; bn1 lags a little, as after a large last learning rate.
Json lagging_a_little() {
  Json facts = healthy_facts();
  for (Json& layer : facts["layers"]) {
    layer["exact_mean"] = layer["running_mean"];
    layer["exact_var_biased"] = layer["running_var"];
  }
  facts["layers"][0]["running_mean"][0] = facts["layers"][0]["running_mean"][0].get<double>() + 0.3;
  facts["losses"]["running"] = same(10, 1.4);
  return facts;
}

TEST(DoctorBlame, ALayerThatLagsALittleIsNotNamedForOneThatIsFarOff) {
  Json facts = lagging_a_little();
  EXPECT_EQ(finding_of(facts, "N01").layer, "bn1");
  facts["layers"][1]["running_mean"][0] = 40.0;
  EXPECT_EQ(finding_of(facts, "N01").layer, "bn2");
}

TEST(DoctorBlame, WhatLayersBeforeDoWrongDoesNotCountByExactStatistics) {
  Json facts = lagging_a_little();
  facts["layers"][1]["inputs"]["mean"] = {40.0, -20.0};  // behind bn1, whose running statistics are wrong
  EXPECT_EQ(finding_of(facts, "N01").layer, "bn1");
}

TEST(DoctorBlame, ALossThatNoLayerExplainsNamesTheOneThatDepartsMost) {
  Json facts = lagging_a_little();
  facts["layers"][0]["running_mean"] = facts["layers"][0]["exact_mean"];
  facts["layers"][1]["running_mean"][0] = facts["layers"][1]["exact_mean"][0].get<double>() + 1e-3;
  const Finding found = finding_of(facts, "N01");
  EXPECT_EQ(found.layer, "bn2");
  EXPECT_THAT(found.evidence, HasSubstr("by more than chance; bn2 departs most."));
}

TEST(DoctorBlame, AnotherEpsIsTheCauseThoughNewStatisticsRecoverABitMore) {
  Json facts = lagging_a_little();  // 1.0 of loss by statistics
  facts["trials"] = {{{"setting", "eps"}, {"value", 1e-3}, {"running", same(4, 0.45)}}};
  EXPECT_EQ(ids_of(facts), "N17");
  EXPECT_THAT(finding_of(facts, "N17").remedy, HasSubstr("Set eps to 0.001"));
  facts["trials"][0]["running"] = same(4, 0.75);  // less than 0.8 of it: a chance improvement
  EXPECT_EQ(ids_of(facts), "N01");
}

TEST(DoctorBlame, ASmallRestOfTheInitialVarianceDrownsASmallerOne) {
  Json facts = lagging_a_little();
  Json& layer = facts["layers"][0];
  layer["num_batches_tracked"] = 60;  // 0.9^60 = 0.0018
  EXPECT_EQ(ids_of(facts), "N01");
  layer["exact_var_biased"] = layer["inputs"]["var_biased"] = {1e-3, 1e-3};
  layer["inputs"]["between"] = {1e-6, 1e-6};
  layer["running_var"] = {2.8e-3, 2.8e-3};
  layer["running_mean"] = layer["exact_mean"];
  const Finding found = finding_of(facts, "N03");
  EXPECT_EQ(found.layer, "bn1");
  EXPECT_THAT(found.remedy, HasSubstr("train on for longer"));
}

TEST(DoctorBlame, AFrozenLayerNormalizesByNoBatch) {
  Json facts = healthy_facts();
  facts["layers"][0]["least_values"] = 8;
  EXPECT_EQ(ids_of(facts), "N08");
  facts["layers"][0]["stays_frozen"] = true;
  EXPECT_EQ(ids_of(facts), "");
}

}  // namespace
}  // namespace bnlab::doctor
