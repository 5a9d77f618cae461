// The C interface: JSON in and out, errors as JSON, whatever comes in.
#include "bnlab/doctor/doctor_c.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/doctor/made_up.h"

namespace bnlab::doctor {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

Json taken(char* text) {
  EXPECT_NE(text, nullptr);
  const Json json = Json::parse(text);
  bnlab_doctor_free(text);
  return json;
}

Json examined(const Json& facts) {
  return taken(bnlab_doctor_examine(facts.dump().c_str()));
}

std::string error_of(const Json& answer) {
  return answer.value("error", "no error");
}

TEST(DoctorInterface, ReportsWhatTheRulesSay) {
  Json facts = healthy_facts();
  facts["layers"][1]["momentum"] = 0.9;
  const Json report = examined(facts).at("report");
  EXPECT_EQ(report.at("schema_version"), 1);
  EXPECT_EQ(report.at("findings").size(), 1U);
  EXPECT_EQ(report.at("findings")[0].at("id"), "N04");
  EXPECT_EQ(report.at("findings")[0].at("severity"), "note");
  EXPECT_NEAR(report.at("losses").at("exact").get<double>(), 0.4, 1e-12);
  EXPECT_EQ(report.at("layers")[0].at("departure"), 0);
}

TEST(DoctorInterface, NamesTheKeyThatIsWrong) {
  Json facts = healthy_facts();
  facts["layers"][1]["gamma"] = {1};
  EXPECT_THAT(error_of(examined(facts)), StartsWith("layers[1].gamma: expected a list of 2 numbers"));
  facts = healthy_facts();
  facts["layers"][0]["epsilon"] = 1;
  EXPECT_THAT(error_of(examined(facts)), StartsWith("layers[0].epsilon: is no known key"));
  facts = healthy_facts();
  facts["schema_version"] = 2;
  EXPECT_THAT(error_of(examined(facts)), StartsWith("schema_version: expected 1"));
  facts = healthy_facts();
  facts["losses"]["batch"] = {0.4};
  EXPECT_THAT(error_of(examined(facts)), StartsWith("losses.batch: expected a list of 10 numbers"));
  facts = healthy_facts();
  facts["layers"][0]["running_var"][1] = "much";
  EXPECT_THAT(error_of(examined(facts)), StartsWith("layers[0].running_var[1]: expected a number, NaN"));
}

TEST(DoctorInterface, TakesAnythingWithoutThrowing) {
  for (const char* text : {"", "{", "null", "[]", "{\"a\":1,\"a\":2}", "\xff\xfe"}) {
    EXPECT_NE(error_of(taken(bnlab_doctor_examine(text))), "no error") << text;
    EXPECT_NE(error_of(taken(bnlab_doctor_write(text, "text"))), "no error") << text;
  }
  EXPECT_THAT(error_of(taken(bnlab_doctor_examine(nullptr))), HasSubstr("is not given"));
  EXPECT_THAT(error_of(taken(bnlab_doctor_write("{}", nullptr))), HasSubstr("expected text, sarif or baseline"));
  bnlab_doctor_free(nullptr);
}

TEST(DoctorInterface, EveryPrefixOfFactsIsAnErrorAndNoMore) {
  const std::string text = healthy_facts().dump();
  for (std::size_t size = 0; size < text.size(); size += 7) {
    EXPECT_NE(error_of(taken(bnlab_doctor_examine(text.substr(0, size).c_str()))), "no error");
  }
}

TEST(DoctorInterface, WritesATextOfAtMost100Columns) {
  Json facts = healthy_facts();
  facts["losses"]["running"] = same(10, 2.3);
  facts["layers"][1]["momentum"] = 0.9;
  const Json report = examined(facts).at("report");
  const std::string text = taken(bnlab_doctor_write(report.dump().c_str(), "text")).at("text");
  EXPECT_THAT(text,
              StartsWith("bnlab doctor: Net, 2 batch normalization layers, 10 batches\nloss (cross-entropy): 2.3 by"));
  EXPECT_THAT(text, HasSubstr("error   N04 momentum inverted; costs 1.9 of loss\n        in bn2\n"));
  EXPECT_THAT(text, HasSubstr("report.set_momentum() does it."));
  EXPECT_THAT(text, HasSubstr("not checked: N23, because nothing exported was given."));
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 100U) << line;
}

TEST(DoctorInterface, WritesSarifWithLayersAsLogicalLocations) {
  Json facts = healthy_facts();
  facts["layers"][1]["momentum"] = 0.9;
  const Json report = examined(facts).at("report");
  const Json sarif =
      Json::parse(taken(bnlab_doctor_write(report.dump().c_str(), "sarif")).at("text").get<std::string>());
  EXPECT_EQ(sarif.at("version"), "2.1.0");
  const Json& result = sarif.at("runs")[0].at("results")[0];
  EXPECT_EQ(result.at("ruleId"), "N04");
  EXPECT_EQ(result.at("level"), "note");
  EXPECT_EQ(result.at("locations")[0].at("logicalLocations")[0].at("fullyQualifiedName"), "bn2");
  EXPECT_EQ(sarif.at("runs")[0].at("tool").at("driver").at("rules").size(), 26U);
}

}  // namespace
}  // namespace bnlab::doctor
