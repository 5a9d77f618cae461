// The rules that compare: with a donor, a reference, other ranks, without padding, by source, in another memory format.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/doctor/made_up.h"

namespace bnlab::doctor {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Json without(const std::string& what, const std::string& why) {
  Json facts = healthy_facts();
  facts["not_collected"] = {{{"what", what}, {"why", why}}};
  return facts;
}

Json averaged_facts() {
  Json facts = healthy_facts();
  facts["averaging"] = {{"by", "donor"}, {"distance", 0.3}};
  for (auto& layer : facts["layers"]) {
    layer["averaged"] = true;
    layer["donor"] = {{"mean", layer["running_mean"]}, {"var", layer["running_var"]}};
  }
  return facts;
}

TEST(DoctorComparisons, N07NamesTheDonorsStatistics) {
  EXPECT_EQ(why_not_checked(without("averaging", "no donor"), "N07"), "no donor");
  Json facts = averaged_facts();
  EXPECT_EQ(ids_of(facts), "") << "statistics that fit";
  facts["layers"][1]["inputs"]["mean"] = {4.0, -2.0};
  EXPECT_EQ(ids_of(facts), "") << "a departure that costs nothing";
  facts["losses"]["running"] = same(10, 1.4);
  EXPECT_EQ(ids_of(facts), "N07");
  const Finding found = finding_of(facts, "N07");
  EXPECT_EQ(found.layer, "bn2");
  EXPECT_EQ(found.severity, Severity::kError);
  EXPECT_THAT(found.evidence, HasSubstr("0.3 off the donor's"));
  EXPECT_THAT(found.evidence, HasSubstr("the donor's, which are of other parameters"));
  facts["averaging"]["distance"] = 0;
  EXPECT_EQ(ids_of(facts), "N01") << "the donor itself";
  facts["layers"][1]["donor"]["mean"] = {1.5, -2.0};
  EXPECT_THAT(finding_of(facts, "N07").evidence, HasSubstr("neither the donor's"));
}

TEST(DoctorComparisons, N07TakesThePlaceOfN02AndN03) {
  Json facts = averaged_facts();
  for (auto& layer : facts["layers"]) {
    layer["running_mean"] = {0, 0};
    layer["running_var"] = {1, 1};
    layer["num_batches_tracked"] = 0;
  }
  facts["losses"]["running"] = same(10, 1.4);
  EXPECT_EQ(ids_of(facts), "N07");
  EXPECT_THAT(finding_of(facts, "N07").evidence, HasSubstr("still 0 and 1"));
  facts.erase("averaging");
  EXPECT_EQ(ids_of(facts), "N02");

  facts = averaged_facts();
  facts["layers"][0]["momentum"] = 0.001;
  facts["layers"][0]["running_mean"] = {0.63, -1.26};
  facts["losses"]["running"] = same(10, 0.6);
  facts["averaging"] = {{"by", "AveragedModel"}, {"updates", 3}, {"use_buffers", false}};
  EXPECT_EQ(ids_of(facts), "N07");
  EXPECT_THAT(finding_of(facts, "N07").evidence, HasSubstr("AveragedModel over 3 updates"));
  EXPECT_THAT(finding_of(facts, "N07").evidence, HasSubstr("use_buffers=False"));
}

TEST(DoctorComparisons, WithoutInputsThereIsNothingToCompare) {
  const Json facts = without("moments", "a file alone shows no inputs");
  for (const char* id : {"N07", "N10", "N11", "N12", "N14", "N24"}) {
    EXPECT_EQ(why_not_checked(facts, id), "a file alone shows no inputs") << id;
  }
  EXPECT_EQ(why_not_checked(healthy_facts(), "N14"), "it was not collected");
}

TEST(DoctorComparisons, N10NamesTheRankThatIsFarthest) {
  EXPECT_EQ(why_not_checked(without("ranks", "one rank"), "N10"), "one rank");
  Json facts = healthy_facts();
  facts["ranks"] = {{"count", 3}, {"own", 0}, {"merged", same(10, 0.3)}};
  facts["layers"][0]["ranks"] = {0.01, 0.02, 0.03};
  facts["layers"][1]["ranks"] = {0.3, 0.2, 0.5};
  EXPECT_EQ(ids_of(facts), "N10");
  const Finding found = finding_of(facts, "N10");
  EXPECT_EQ(found.layer, "bn2");
  EXPECT_EQ(found.severity, Severity::kWarning);
  EXPECT_THAT(found.evidence, HasSubstr("between 3 ranks: in bn2, those of rank 2 are 0.5 standard deviations"));
  facts["ranks"]["merged"] = same(10, 0.5);
  EXPECT_EQ(finding_of(facts, "N10").severity, Severity::kNote);
  facts["layers"][1]["inputs"]["between"] = {4.0, 9.0};
  EXPECT_EQ(ids_of(facts), "") << "chance, where batches differ that much";
}

TEST(DoctorComparisons, N10GoesByTheLossWhereAllDistancesAreSmall) {
  Json facts = healthy_facts();
  facts["layers"][0]["ranks"] = {0.02, 0.02};
  facts["layers"][1]["ranks"] = {0.06, 0.06};
  facts["ranks"] = {{"count", 2}, {"merged", same(10, 0.4)}};
  EXPECT_EQ(ids_of(facts), "");
  facts["ranks"]["merged"] = same(10, 0.3);
  EXPECT_EQ(ids_of(facts), "N10");
  EXPECT_EQ(finding_of(facts, "N10").layer, "bn2") << "the other is less than half as far";
  EXPECT_EQ(finding_of(facts, "N10").severity, Severity::kWarning);
}

TEST(DoctorComparisons, N11GoesByShareChanceAndDamage) {
  EXPECT_EQ(why_not_checked(without("sources", "no source"), "N11"), "no source");
  Json facts = healthy_facts();
  facts["sources"] = {{"names", {"real", "fake"}}, {"mixed", same(10, 0.9)}, {"apart", same(10, 0.4)}};
  facts["layers"][1]["sources"] = {{"freedom", 1}, {"share", {0.5, 0.7}}, {"spread", {40, 60}}};
  EXPECT_EQ(ids_of(facts), "N11");
  EXPECT_EQ(finding_of(facts, "N11").layer, "bn2");
  EXPECT_EQ(finding_of(facts, "N11").severity, Severity::kError);
  EXPECT_THAT(finding_of(facts, "N11").evidence, HasSubstr("60 % of the variance of inputs is between 2 sources"));
  facts["sources"]["mixed"] = same(10, 0.4);
  EXPECT_EQ(finding_of(facts, "N11").severity, Severity::kNote);
  facts["layers"][1]["sources"]["share"] = {0.05, 0.06};
  EXPECT_EQ(ids_of(facts), "") << "a small part of the variance";
  facts["sources"]["mixed"] = same(10, 0.5);
  EXPECT_EQ(finding_of(facts, "N11").severity, Severity::kWarning) << "a small part that costs loss";
  facts["layers"][1]["sources"] = {{"freedom", 1}, {"share", {0.5, 0.7}}, {"spread", {8, 9}}};
  EXPECT_EQ(ids_of(facts), "") << "chance, with so few sources";
}

TEST(DoctorComparisons, N11SeesTheCallsOfAStepAndExplainsN01N09AndN13) {
  Json facts = healthy_facts();
  facts["training_steps"] = {{"count", 5}, {"watched", true}};
  facts["layers"][0]["steps"] = {{"calls_per_step", 2}, {"moved", 0.3}};
  EXPECT_EQ(ids_of(facts), "N09") << "calls that are alike";
  facts["layers"][0]["steps"]["mix"] = {{"freedom", 5}, {"share", {0.5, 0.7}}, {"spread", {40, 60}}};
  facts["layers"][0]["inputs"]["spread"] = {14, 18};
  facts["layers"][0]["inputs"]["mean"] = {4.0, -2.0};
  facts["losses"]["running"] = same(10, 1.4);
  EXPECT_EQ(ids_of(facts), "N11");
  EXPECT_THAT(finding_of(facts, "N11").evidence, HasSubstr("between the calls of a training step"));
  EXPECT_NEAR(*finding_of(facts, "N11").damage, 1.0, 1e-12);
}

TEST(DoctorComparisons, N12GoesBeyondTheNoiseOfDealings) {
  EXPECT_EQ(why_not_checked(without("mates", "not asked for"), "N12"), "not asked for");
  Json facts = healthy_facts();
  facts["mates"] = {{"among_mates", {2.2, 2.3, 2.1, 2.2}}, {"among_all", {2.0, 2.1, 1.9, 2.0}}};
  EXPECT_EQ(ids_of(facts), "N12");
  EXPECT_EQ(finding_of(facts, "N12").severity, Severity::kWarning);
  EXPECT_FALSE(finding_of(facts, "N12").damage.has_value());
  EXPECT_THAT(finding_of(facts, "N12").evidence, HasSubstr("over 4 dealings"));
  facts["mates"]["among_all"] = {2.4, 2.5, 2.3, 2.4};
  EXPECT_EQ(ids_of(facts), "") << "harder among others";
  facts["mates"]["among_mates"] = {3.1, 1.9, 2.8, 2.2};
  EXPECT_EQ(ids_of(facts), "") << "noise";
  facts["mates"]["among_mates"] = {2.41, 2.51, 2.31, 2.41};
  EXPECT_EQ(ids_of(facts), "") << "too small to matter";
  facts["mates"]["among_all"][0] = "NaN";
  EXPECT_THAT(why_not_checked(facts, "N12"), HasSubstr("not finite"));
}

TEST(DoctorComparisons, N14ComparesWithTheRealPositions) {
  EXPECT_EQ(why_not_checked(without("padding", "no mask"), "N14"), "no mask");
  Json facts = healthy_facts();
  facts["padding"] = {{"unmatched", {"bn1", "bn2"}}};
  EXPECT_THAT(why_not_checked(facts, "N14"), HasSubstr("fits the inputs of no layer"));
  facts["padding"] = {{"unmatched", {"bn1"}}, {"real", same(10, 0.3)}};
  facts["layers"][1]["real"] = {{"share", 0.25}, {"mean", {3.0, -2.0}}, {"var_biased", {4.0, 9.0}}};
  EXPECT_EQ(ids_of(facts), "N14");
  const Finding found = finding_of(facts, "N14");
  EXPECT_EQ(found.layer, "bn2");
  EXPECT_EQ(found.severity, Severity::kWarning);
  EXPECT_THAT(found.evidence, HasSubstr("75 % of the positions of bn2 are padding"));
  EXPECT_THAT(found.evidence, HasSubstr("0.71 standard deviations"));  // sqrt(((3 - 1)/2)^2 / 2)
  EXPECT_THAT(found.evidence, HasSubstr("does not fit the inputs of 1 layer, first bn1"));
  facts["padding"]["real"] = same(10, 0.5);
  EXPECT_EQ(finding_of(facts, "N14").severity, Severity::kNote);
  facts["layers"][1]["real"]["mean"] = {1.0, -2.0};
  EXPECT_EQ(ids_of(facts), "");
}

TEST(DoctorComparisons, N24GoesByOutputsAndLosses) {
  EXPECT_EQ(why_not_checked(without("reference", "none given"), "N24"), "none given");
  Json facts = healthy_facts();
  facts["reference"] = {{"output_error", 1e-6}, {"own", same(4, 0.4)}, {"reference", same(4, 0.4)}};
  EXPECT_EQ(ids_of(facts), "");
  facts["reference"]["output_error"] = 0.2;
  EXPECT_EQ(finding_of(facts, "N24").severity, Severity::kNote);
  facts["reference"]["own"] = same(4, 1.4);
  facts["reference"]["folded"] = {{{"name", "conv1"}, {"error", 1e-6}, {"range", {1, 1, 1.5}}},
                                  {{"name", "conv2"}, {"error", 0.3}, {"range", {1, 1, 64}}}};
  const Finding found = finding_of(facts, "N24");
  EXPECT_EQ(found.severity, Severity::kError);
  EXPECT_EQ(found.layer, "conv2");
  EXPECT_NEAR(*found.damage, 1.0, 1e-12);
  EXPECT_THAT(found.evidence, HasSubstr("conv2 is 64 times that of the median channel"));
  EXPECT_THAT(found.evidence, HasSubstr("about 4 of 256 steps"));
  facts["reference"]["output_error"] = "NaN";
  facts["reference"]["own"] = same(4, 0.4);
  EXPECT_EQ(ids_of(facts), "N24");
}

TEST(DoctorComparisons, N25NamesLayersThatChannelsLastLosesDigitsIn) {
  EXPECT_EQ(why_not_checked(without("precision", "RuntimeError: no"), "N25"), "RuntimeError: no");
  Json facts = healthy_facts();
  EXPECT_EQ(why_not_checked(facts, "N25"), "");
  facts["layers"][1]["precision"] = {
      {"ratio", 1e5}, {"channels_last", true}, {"error_contiguous", 1e-4}, {"error_channels_last", 0.3}};
  facts["formats"] = {{"contiguous", same(4, 0.4)}, {"channels_last", same(4, 0.6)}};
  EXPECT_EQ(ids_of(facts), "N25");
  EXPECT_EQ(finding_of(facts, "N25").layer, "bn2");
  EXPECT_EQ(finding_of(facts, "N25").severity, Severity::kWarning);
  facts["layers"][1]["precision"]["channels_last"] = false;
  EXPECT_EQ(finding_of(facts, "N25").severity, Severity::kNote) << "a format that is not in use";
  facts["layers"][1]["precision"]["error_channels_last"] = 1e-3;
  EXPECT_EQ(ids_of(facts), "");
  facts["layers"][1]["precision"]["error_channels_last"] = "NaN";
  EXPECT_EQ(ids_of(facts), "N25");
}

}  // namespace
}  // namespace bnlab::doctor
