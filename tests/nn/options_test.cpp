#include "bnlab/nn/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace bnlab {
namespace {

using ::testing::HasSubstr;

const std::vector<OptionInfo> kKnown = {
    {.name = "width", .value = 1, .low = 0.5, .high = 16, .meaning = ""},
    {.name = "eps", .value = 1e-5, .low = 0, .meaning = ""},
    {.name = "activation", .value = "relu", .meaning = "", .choices = {"relu", "sigmoid", "tanh"}}};

std::string error(const Options& given) {
  try {
    complete_options(kKnown, given, "the model test");
  } catch (const OptionError& e) {
    return e.what();
  }
  return "accepted";
}

TEST(Options, AreNumbersAndWords) {
  const Options options = complete_options(kKnown, {{"activation", "tanh"}, {"width", 2}}, "the model test");
  EXPECT_EQ(options.number("width"), 2);
  EXPECT_EQ(options.number("eps"), 1e-5);
  EXPECT_EQ(options.word("activation"), "tanh");
  EXPECT_EQ(complete_options(kKnown, {}, "the model test").word("activation"), "relu");
}

TEST(Options, WrongOnesAreRefusedByName) {
  EXPECT_EQ(error({{"width", 0.5}, {"activation", "sigmoid"}}), "accepted");
  EXPECT_EQ(error({{"widht", 1}}), "the model test has no option \"widht\"; it has width, eps or activation");
  EXPECT_EQ(error({{"width", 17}}), "the model test: expected width to be a number from 0.5 to 16.0, got 17.0");
  EXPECT_EQ(error({{"width", std::nan("")}}).find("the model test: expected width"), 0u);
  EXPECT_EQ(error({{"eps", -1}}), "the model test: expected eps to be a number of at least 0.0, got -1.0");
  EXPECT_THAT(error({{"eps", "small"}}), HasSubstr("at least 0.0, got \"small\""));
  EXPECT_THAT(error({{"activation", "gelu"}}), HasSubstr("expected activation to be relu, sigmoid or tanh"));
  EXPECT_THAT(error({{"activation", 1}}), HasSubstr("expected activation to be relu, sigmoid or tanh, got 1.0"));
}

TEST(Options, WithoutDefaultsOnlyWhatWasChosenIsLeft) {
  const Options chosen = {{"activation", "tanh"}};
  EXPECT_EQ(without_defaults(kKnown, complete_options(kKnown, chosen, "")), chosen);
  EXPECT_EQ(without_defaults(kKnown, {{"activation", "relu"}, {"width", 1}}), Options());
  EXPECT_EQ(without_defaults(kKnown, {{"width", 1.5}}), (Options{{"width", 1.5}}));
}

}  // namespace
}  // namespace bnlab
