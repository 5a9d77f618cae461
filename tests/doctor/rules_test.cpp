// Each rule fires on facts with its fault, names the layer, and is silent on the same facts without.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/doctor/made_up.h"

namespace bnlab::doctor {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(DoctorRules, FindNothingInAHealthyModel) {
  EXPECT_EQ(ids_of(healthy_facts()), "");
}

TEST(DoctorRules, N01NamesTheFirstLayerThatDepartsAndTheLossThatItCosts) {
  Json facts = healthy_facts();
  facts["layers"][1]["inputs"]["mean"] = {4.0, -2.0};
  facts["losses"]["running"] = same(10, 1.4);
  const Finding found = finding_of(facts, "N01");
  EXPECT_EQ(ids_of(facts), "N01");
  EXPECT_EQ(found.layer, "bn2");
  EXPECT_EQ(found.severity, Severity::kError);
  EXPECT_EQ(found.repair, "recalibrate");
  EXPECT_NEAR(*found.damage, 1.0, 1e-12);
  EXPECT_THAT(found.evidence, HasSubstr("1.4 by running statistics, 0.4 by exact ones"));
}

TEST(DoctorRules, N01NamesTheFirstLayerAndNotTheOneThatDepartsMost) {
  Json facts = healthy_facts();
  facts["layers"][0]["inputs"]["mean"] = {2.0, -2.0};
  facts["layers"][1]["inputs"]["mean"] = {40.0, -2.0};
  facts["losses"]["running"] = same(10, 1.4);
  EXPECT_EQ(finding_of(facts, "N01").layer, "bn1");
}

TEST(DoctorRules, N01IsSilentOnChanceAndWithoutDamage) {
  Json facts = healthy_facts();
  facts["layers"][0]["inputs"]["mean"] = {4.0, -2.0};
  EXPECT_EQ(ids_of(facts), "") << "a departure that costs nothing";
  facts["losses"]["running"] = {1.4, 0.4, -0.2, 0.4, 0.4, 0.5, 0.4, 0.4, 0.4, 0.4};
  EXPECT_EQ(ids_of(facts), "") << "a difference within its standard errors";
}

TEST(DoctorRules, N01WithoutALossGoesByTheDepartureAndIsANote) {
  Json facts = healthy_facts();
  facts.erase("losses");
  facts["not_collected"] = {{{"what", "losses"}, {"why", "no loss was given"}}};
  EXPECT_EQ(ids_of(facts), "");
  facts["layers"][1]["inputs"]["mean"] = {4.0, -2.0};
  EXPECT_EQ(finding_of(facts, "N01").severity, Severity::kNote);
  EXPECT_THAT(finding_of(facts, "N01").evidence, HasSubstr("no loss was given"));
}

TEST(DoctorRules, N01SeesALossThatIsNotFinite) {
  Json facts = healthy_facts();
  facts["losses"]["running"][3] = "NaN";
  const Finding found = finding_of(facts, "N01");
  EXPECT_EQ(found.severity, Severity::kError);
  EXPECT_EQ(*found.damage, std::numeric_limits<double>::infinity());
}

TEST(DoctorRules, N02NamesLayersAtTheirStartAndTakesN01sPlace) {
  Json facts = healthy_facts();
  for (auto& layer : facts["layers"]) {
    layer["running_mean"] = {0, 0};
    layer["running_var"] = {1, 1};
    layer["num_batches_tracked"] = 0;
  }
  facts["losses"]["running"] = same(10, 2.3);
  EXPECT_EQ(ids_of(facts), "N02");
  const Finding found = finding_of(facts, "N02");
  EXPECT_EQ(found.severity, Severity::kError);
  EXPECT_EQ(found.layer, "bn1");
  EXPECT_THAT(found.others, ElementsAre("bn2"));
  EXPECT_THAT(found.evidence, HasSubstr("num_batches_tracked is 0"));

  for (auto& layer : facts["layers"]) {  // inputs that really are so
    layer["inputs"]["mean"] = {0, 0};
    layer["inputs"]["var_biased"] = {1, 1};
  }
  facts["losses"]["running"] = same(10, 0.4);
  EXPECT_EQ(ids_of(facts), "");
}

TEST(DoctorRules, AnUntrainedModelIsOneNote) {
  Json facts = healthy_facts();
  for (auto& layer : facts["layers"]) {
    layer["running_mean"] = {0, 0};
    layer["running_var"] = {1, 1};
    layer["num_batches_tracked"] = 0;
    layer["gamma"] = {1, 1};
    layer["beta"] = {0, 0};
    layer["producer"]["has_bias"] = true;
    layer["weight_decay"] = 1e-4;
    layer["momentum"] = 0.01;
    layer["least_values"] = 1;
  }
  facts["losses"]["running"] = same(10, 2.3);
  facts["losses"]["batch"] = same(10, 5.3);
  EXPECT_EQ(ids_of(facts), "N00");
  EXPECT_TRUE(diagnosis_of(facts).untrained);
}

TEST(DoctorRules, N03NamesWhatIsLeftOfTheInitialValues) {
  Json facts = healthy_facts();
  facts["layers"][0]["momentum"] = 0.001;
  facts["layers"][0]["running_mean"] = {0.63, -1.26};
  facts["losses"]["running"] = same(10, 0.6);
  EXPECT_EQ(ids_of(facts), "N03");
  const Finding found = finding_of(facts, "N03");
  EXPECT_EQ(found.layer, "bn1");
  EXPECT_EQ(found.severity, Severity::kWarning);
  EXPECT_THAT(found.evidence, HasSubstr("(1-m)^t = 0.37"));  // 0.999^1000

  facts["layers"][0]["num_batches_tracked"] = 100000;  // nothing left: then it is N01 alone
  EXPECT_EQ(ids_of(facts), "N01");
}

TEST(DoctorRules, N03NamesACumulativeAverageOfOldBatches) {
  Json facts = healthy_facts();
  facts["layers"][0]["momentum"] = nullptr;
  EXPECT_EQ(ids_of(facts), "");
  facts["layers"][0]["running_mean"] = {3.0, -4.0};
  EXPECT_THAT(finding_of(facts, "N03").evidence, HasSubstr("momentum None"));
}

TEST(DoctorRules, N04IsJudgedByItsDamage) {
  Json facts = healthy_facts();
  facts["layers"][1]["momentum"] = 0.9;
  EXPECT_EQ(finding_of(facts, "N04").severity, Severity::kNote);
  facts["losses"]["running"] = same(10, 0.5);
  EXPECT_EQ(ids_of(facts), "N04");
  EXPECT_EQ(finding_of(facts, "N04").severity, Severity::kWarning);
  EXPECT_THAT(finding_of(facts, "N04").remedy, HasSubstr("1 - 0.9 = 0.1"));
  facts["layers"][1]["momentum"] = 0.4999;
  EXPECT_EQ(ids_of(facts), "N01");
}

TEST(DoctorRules, N05NamesLayersInTrainingModeInAModelThatEvaluates) {
  Json facts = healthy_facts();
  facts["layers"][1]["training"] = true;
  EXPECT_EQ(ids_of(facts), "N05");
  EXPECT_EQ(finding_of(facts, "N05").layer, "bn2");
  EXPECT_EQ(finding_of(facts, "N05").severity, Severity::kWarning);
  facts["losses"]["as_found"] = same(10, 0.9);
  EXPECT_EQ(finding_of(facts, "N05").severity, Severity::kError);
  facts["training"] = true;
  EXPECT_EQ(ids_of(facts), "") << "a model in training";
}

TEST(DoctorRules, N05NamesAModelThatWasTrainedInEvaluationMode) {
  Json facts = healthy_facts();
  for (auto& layer : facts["layers"]) {
    layer["running_mean"] = {0, 0};
    layer["running_var"] = {1, 1};
    layer["num_batches_tracked"] = 0;
  }
  facts["losses"]["exact"] = facts["losses"]["batch"] = same(10, 2.4);
  EXPECT_EQ(ids_of(facts), "N05");
  EXPECT_THAT(finding_of(facts, "N05").evidence, HasSubstr("trained in evaluation mode"));
}

TEST(DoctorRules, N05NotesLayersWithoutStatistics) {
  Json facts = healthy_facts();
  for (const char* key : {"running_mean", "running_var", "num_batches_tracked"}) facts["layers"][0].erase(key);
  facts["layers"][0]["track_running_stats"] = false;
  EXPECT_EQ(ids_of(facts), "N05");
  EXPECT_EQ(finding_of(facts, "N05").severity, Severity::kNote);
}

TEST(DoctorRules, N06NeedsStepsAndFrozenLayersThatMove) {
  Json facts = healthy_facts();
  facts["not_collected"] = {{{"what", "training steps"}, {"why", "steps is 0"}}};
  EXPECT_EQ(why_not_checked(facts, "N06"), "steps is 0");
  facts["training_steps"] = {
      {"count", 5}, {"watched", false}, {"loss_moved", same(3, 0.9)}, {"loss_kept", same(3, 0.4)}};
  facts["layers"][1]["steps"] = {{"calls_per_step", 1}, {"moved", 0.3}};
  EXPECT_EQ(ids_of(facts), "") << "layers that train";
  facts["layers"][1]["gamma_trains"] = facts["layers"][1]["beta_trains"] = false;
  EXPECT_EQ(ids_of(facts), "N06");
  EXPECT_EQ(finding_of(facts, "N06").severity, Severity::kError);
  EXPECT_EQ(finding_of(facts, "N06").layer, "bn2");
  facts["layers"][1]["steps"]["moved"] = 0;
  EXPECT_EQ(ids_of(facts), "");
}

TEST(DoctorRules, N08CountsValuesAndTellsTheLastBatchApart) {
  Json facts = healthy_facts();
  facts["layers"][0]["last_values"] = 8;
  EXPECT_EQ(ids_of(facts), "N08");
  EXPECT_THAT(finding_of(facts, "N08").remedy, HasSubstr("drop_last"));
  facts["layers"][0]["least_values"] = 8;
  EXPECT_THAT(finding_of(facts, "N08").evidence, HasSubstr("has 8 values"));
  EXPECT_EQ(finding_of(facts, "N08").severity, Severity::kNote);
  facts["losses"]["batch"] = same(10, 0.6);
  EXPECT_EQ(finding_of(facts, "N08").severity, Severity::kWarning);
  facts["layers"][0]["least_values"] = 32;
  facts["layers"][0]["last_values"] = 32;
  EXPECT_EQ(ids_of(facts), "");
  facts["layers"][0]["last_values"] = 1;
  EXPECT_EQ(finding_of(facts, "N08").severity, Severity::kWarning);
}

TEST(DoctorRules, N08CountsValuesThatAreAlikeAsFewer) {
  Json facts = healthy_facts();
  facts["losses"]["batch"] = same(10, 0.6);
  facts["layers"][1]["least_values"] = 64;
  facts["layers"][1]["inputs"]["between"] = {4.0 / 10, 9.0 / 10};  // means of batches as of 9 independent values
  facts["layers"][1]["inputs"]["spread"] = {1.0, 1.0};
  EXPECT_EQ(ids_of(facts), "N08");
  EXPECT_EQ(finding_of(facts, "N08").layer, "bn2");
  EXPECT_EQ(finding_of(facts, "N08").severity, Severity::kWarning);
  EXPECT_THAT(finding_of(facts, "N08").evidence, HasSubstr("has 64 values"));
  EXPECT_THAT(finding_of(facts, "N08").evidence, HasSubstr("those of 9 independent values"));
  facts["layers"][1]["inputs"]["spread"] = {4.0, 4.0};
  EXPECT_EQ(finding_of(facts, "N08").id, "") << "batches of samples that are alike: N13";
  facts["layers"][1]["inputs"]["spread"] = {1.0, 1.0};
  facts["losses"]["batch"] = same(10, 0.42);
  EXPECT_EQ(ids_of(facts), "") << "it costs nothing";
  facts["losses"]["batch"] = same(10, 0.6);
  facts["layers"][1]["inputs"]["batches"] = 4;
  EXPECT_EQ(ids_of(facts), "") << "so few batches do not tell";
}

TEST(DoctorRules, N09AsksForTheProgramsOwnSteps) {
  Json facts = healthy_facts();
  facts["training_steps"] = {{"count", 5}, {"watched", false}};
  facts["layers"][0]["steps"] = {{"calls_per_step", 4}, {"moved", 0.3}};
  EXPECT_THAT(why_not_checked(facts, "N09"), HasSubstr("bnlab.doctor.watch"));
  facts["training_steps"]["watched"] = true;
  EXPECT_EQ(ids_of(facts), "N09");
  EXPECT_THAT(finding_of(facts, "N09").evidence, HasSubstr("momentum 0.344"));  // 1 - 0.9^4
  facts["layers"][0]["steps"]["calls_per_step"] = 1;
  EXPECT_EQ(ids_of(facts), "");
}

TEST(DoctorRules, N13ComparesTheSpreadOfBatchesWithThatOfRandomOnes) {
  Json facts = healthy_facts();
  facts["layers"][0]["inputs"]["spread"] = {14, 18};
  EXPECT_EQ(ids_of(facts), "N13");
  EXPECT_EQ(finding_of(facts, "N13").severity, Severity::kNote);
  EXPECT_THAT(finding_of(facts, "N13").evidence, HasSubstr("vary 16 times"));
  facts["losses"]["exact"] = facts["losses"]["running"] = same(10, 1.4);
  EXPECT_EQ(finding_of(facts, "N13").severity, Severity::kError);
  facts["batches"] = 3;
  EXPECT_THAT(why_not_checked(facts, "N13"), HasSubstr("4 batches"));
}

TEST(DoctorRules, N15FindsEveryKindOfImpossibleStatistic) {
  for (const Json& bad : {Json("NaN"), Json("Infinity"), Json(-0.5)}) {
    Json facts = healthy_facts();
    facts["layers"][1]["running_var"][1] = bad;
    EXPECT_EQ(ids_of(facts), "N15") << bad;
    EXPECT_EQ(finding_of(facts, "N15").layer, "bn2");
    EXPECT_EQ(finding_of(facts, "N15").severity, Severity::kError);
  }
  Json facts = healthy_facts();
  facts["layers"][0]["running_mean"][0] = "-Infinity";
  EXPECT_EQ(ids_of(facts), "N15");
}

TEST(DoctorRules, N16IsANoteUnlessTheLayerIsFloat16) {
  Json facts = healthy_facts();
  facts["layers"][0]["running_var"][0] = facts["layers"][0]["inputs"]["var_biased"][0] = 65505;
  EXPECT_EQ(ids_of(facts), "N16");
  EXPECT_EQ(finding_of(facts, "N16").severity, Severity::kNote);
  facts["layers"][0]["dtype"] = "float16";
  EXPECT_EQ(finding_of(facts, "N16").severity, Severity::kWarning);
  facts["layers"][0]["running_var"][0] = facts["layers"][0]["inputs"]["var_biased"][0] = 65504;
  EXPECT_EQ(ids_of(facts), "");
}

TEST(DoctorRules, N17NotesAnEpsBeyondTheVarianceAndMeasuresAnother) {
  Json facts = healthy_facts();
  for (const char* key : {"running_var", "exact_var_biased"}) facts["layers"][0][key] = {2e-4, 3e-4};
  facts["layers"][0]["inputs"]["var_biased"] = {2e-4, 3e-4};
  facts["layers"][0]["inputs"]["between"] = {1e-6, 1e-6};
  EXPECT_EQ(ids_of(facts), "");
  facts["layers"][0]["eps"] = 1e-3;
  EXPECT_EQ(finding_of(facts, "N17").severity, Severity::kNote);
  facts["trials"] = {{{"setting", "eps"}, {"value", 1e-5}, {"running", same(4, 0.2)}}};
  EXPECT_EQ(finding_of(facts, "N17").severity, Severity::kWarning);
  EXPECT_THAT(finding_of(facts, "N17").remedy, HasSubstr("Set eps to 1e-05"));
  facts["losses"]["running"] = facts["losses"]["batch"] = facts["losses"]["exact"] = same(10, 0.2);
  EXPECT_EQ(finding_of(facts, "N17").severity, Severity::kNote);
}

TEST(DoctorRules, N18CountsChannelsBlownUpAndSwitchedOff) {
  Json facts = healthy_facts();
  facts["layers"][1]["running_var"][0] = facts["layers"][1]["inputs"]["var_biased"][0] = 0;
  facts["layers"][1]["gamma"][1] = 1e-6;
  facts["layers"][1]["inputs"]["between"][0] = 0;
  const Finding found = finding_of(facts, "N18");
  EXPECT_EQ(ids_of(facts), "N18");
  EXPECT_THAT(found.evidence, HasSubstr("1 channel with almost no variance: gamma/sqrt(var + eps) reaches 285"));
  EXPECT_THAT(found.evidence, HasSubstr("1 channel with a gamma of about 0"));
}

TEST(DoctorRules, N19ComparesVariancesWithAndWithoutDropout) {
  Json facts = healthy_facts();
  facts["layers"][1]["dropout"] = {{"name", "drop"}};
  facts["not_collected"] = {{{"what", "dropout"}, {"why", "no pass was made"}}};
  EXPECT_EQ(why_not_checked(facts, "N19"), "no pass was made");
  facts["layers"][1]["dropout"] = {{"name", "drop"}, {"var_on", {6.0, 14.0}}, {"var_off", {4.0, 9.0}}};
  facts["losses"]["running"] = same(10, 0.6);
  EXPECT_EQ(ids_of(facts), "N19");
  EXPECT_EQ(finding_of(facts, "N19").severity, Severity::kWarning);
  facts["layers"][1]["dropout"]["var_on"] = {4.1, 9.1};
  EXPECT_EQ(ids_of(facts), "N01");
}

TEST(DoctorRules, N20N21AndN22AreNotes) {
  Json facts = healthy_facts();
  facts["layers"][0]["producer"]["has_bias"] = true;
  facts["layers"][1]["is_output"] = true;
  facts["layers"][1]["weight_decay"] = 1e-4;
  EXPECT_EQ(ids_of(facts), "N20 N21 N22");
  for (const Finding& finding : diagnosis_of(facts).findings) EXPECT_EQ(finding.severity, Severity::kNote);
  EXPECT_EQ(finding_of(facts, "N20").layer, "bn1");
  EXPECT_EQ(finding_of(facts, "N21").layer, "bn2");
  for (auto& layer : facts["layers"]) layer.erase("weight_decay");
  facts["not_collected"] = {{{"what", "optimizer"}, {"why", "none was given"}}};
  EXPECT_EQ(why_not_checked(facts, "N22"), "none was given");
}

TEST(DoctorRules, N23NamesTrainingLayersAndDropoutOfAnExportAlone) {
  Json facts = healthy_facts();
  EXPECT_EQ(why_not_checked(facts, "N23"), "nothing exported was given");
  facts["exported"] = "onnx";
  EXPECT_EQ(ids_of(facts), "");
  EXPECT_EQ(why_not_checked(facts, "N23"), "");

  facts["layers"][1]["training"] = true;
  EXPECT_EQ(ids_of(facts), "N23") << "not N05 as well";
  EXPECT_EQ(finding_of(facts, "N23").layer, "bn2");
  EXPECT_EQ(finding_of(facts, "N23").severity, Severity::kWarning);
  EXPECT_THAT(finding_of(facts, "N23").evidence, HasSubstr("1 of 2 batch normalization nodes"));

  facts["layers"][1]["training"] = false;
  facts["active_dropout"] = {"drop1", "drop2"};
  EXPECT_EQ(finding_of(facts, "N23").evidence, "Dropout is on in drop1 and 1 more: outputs are random.");
}

TEST(DoctorRules, N23LeavesLayersWithoutStatisticsToN05AndStandsBesideN00) {
  Json facts = healthy_facts();
  facts["exported"] = "pt2";
  for (Json& layer : facts["layers"]) {
    layer["training"] = true;
    layer["running_mean"] = {0.0, 0.0};
    layer["running_var"] = {1.0, 1.0};
    layer["gamma"] = {1.0, 1.0};
    layer["beta"] = {0.0, 0.0};
  }
  EXPECT_EQ(ids_of(facts), "N23 N00");
  for (Json& layer : facts["layers"]) {
    layer["track_running_stats"] = false;
    layer.erase("running_mean");
    layer.erase("running_var");
    layer["gamma"] = {0.9, 1.1};
  }
  EXPECT_EQ(ids_of(facts), "N05");
}

TEST(DoctorRules, WithoutLayersEveryRuleSaysWhy) {
  Json facts = healthy_facts();
  facts["layers"] = Json::array();
  facts.erase("losses");
  facts["not_collected"] = {{{"what", "layers"}, {"why", "the file has none"}}};
  EXPECT_EQ(ids_of(facts), "");
  EXPECT_EQ(why_not_checked(facts, "N02"), "the file has none");
  EXPECT_EQ(why_not_checked(facts, "N15"), "the file has none");
}

TEST(DoctorRules, WithoutALoaderTheRulesThatNeedOneSayWhy) {
  Json facts = healthy_facts();
  facts.erase("losses");
  facts["batches"] = 0;
  for (auto& layer : facts["layers"]) layer.erase("inputs");
  facts["not_collected"] = {{{"what", "losses"}, {"why", "no loader was given"}},
                            {{"what", "moments"}, {"why", "no loader was given"}}};
  for (const char* id : {"N01", "N03", "N08", "N13"})
    EXPECT_EQ(why_not_checked(facts, id), "no loader was given") << id;
  EXPECT_EQ(ids_of(facts), "");
}

TEST(DoctorRules, FindingsAreRankedByDamage) {
  Json facts = healthy_facts();
  facts["layers"][0]["producer"]["has_bias"] = true;
  facts["layers"][0]["least_values"] = 8;
  facts["layers"][1]["momentum"] = 0.9;
  facts["losses"]["running"] = same(10, 1.4);
  facts["losses"]["batch"] = same(10, 0.6);
  EXPECT_EQ(ids_of(facts), "N04 N08 N20");
}

}  // namespace
}  // namespace bnlab::doctor
