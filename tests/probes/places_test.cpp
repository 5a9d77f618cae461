#include "bnlab/probes/places.h"

#include <gtest/gtest.h>

namespace bnlab {
namespace {

/// As they stand in completed parameters.
Json completed(const Json& parameters) {
  Places places;
  JsonFields fields(parameters, "p");
  places.read(fields);
  fields.finish();
  Json result = Json::object();
  places.complete(result);
  return result;
}

TEST(Places, AreTheActivationsInputByDefault) {
  EXPECT_EQ(completed(Json::object()), (Json{{"places", {"activation-input"}}}));
}

TEST(Places, HaveOneOrder) {
  const Json sorted = {{"places", {"activation-input", "linear"}}};
  EXPECT_EQ(completed({{"places", {"linear", "activation-input"}}}), sorted);
  EXPECT_EQ(completed(sorted), sorted);
}

TEST(Places, MustBeKnownAndDifferent) {
  for (const Json& wrong : {Json::array(), Json::array({"input"}), Json::array({"linear", "linear"}), Json("linear")}) {
    EXPECT_THROW(completed({{"places", wrong}}), SpecError) << wrong;
  }
}

TEST(Places, TellRecordsApart) {
  Places places;
  EXPECT_EQ(places.prefix(TapPoint::kActivationInput), "");
  EXPECT_EQ(places.prefix(TapPoint::kLinear), std::nullopt);
  const Json both = {{"places", {"linear", "activation-input"}}};
  JsonFields fields(both, "p");
  places.read(fields);
  EXPECT_EQ(places.prefix(TapPoint::kActivationInput), "");
  EXPECT_EQ(places.prefix(TapPoint::kLinear), "linear_");
  EXPECT_EQ(places.prefix(TapPoint::kOutput), std::nullopt);
  const Json output = {{"places", {"output"}}};
  JsonFields other(output, "p");
  places.read(other);
  EXPECT_EQ(places.prefix(TapPoint::kOutput), "output_");
  EXPECT_EQ(places.prefix(TapPoint::kActivationInput), std::nullopt);
}

}  // namespace
}  // namespace bnlab
