#include "bnlab/record/parse_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace bnlab {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string error(const std::string& text) {
  try {
    parse_json(text, "file");
  } catch (const JsonError& e) {
    return e.what();
  }
  return "accepted";
}

std::string nested(const std::string& open, size_t depth, const std::string& inside, const std::string& close) {
  std::string text;
  for (size_t i = 0; i < depth; ++i) text += open;
  text += inside;
  for (size_t i = 0; i < depth; ++i) text += close;
  return text;
}

TEST(ParseJson, ReadsWhatTheLibraryReads) {
  const std::string text = R"({"a": [1, 2.5, "x", null, {"a": true}], "b": {"a": -3}, "c": []})";
  EXPECT_EQ(parse_json(text, "file"), Json::parse(text));
  EXPECT_EQ(parse_json("3", "file"), Json(3));
}

TEST(ParseJson, AKeyGivenTwiceIsNamedByItsPath) {
  EXPECT_EQ(error(R"({"a": 1, "b": 2, "a": 3})"), "file: gives the key a twice; remove one");
  EXPECT_THAT(error(R"({"optimizer": {"lr": 1, "lr": 2}})"), HasSubstr("key optimizer.lr twice"));
  EXPECT_THAT(error(R"({"probes": [{"name": 1}, {"x": [7, {"k": 0, "k": 0}]}]})"),
              HasSubstr("key probes[1].x[1].k twice"));
  EXPECT_THAT(error(R"([[], {}, {"k": {"k": 0}, "l": {"k": 0}, "k": 0}])"), HasSubstr("key [2].k twice"));
}

TEST(ParseJson, DeepNestingIsRefusedWithoutACrash) {
  EXPECT_EQ(error(nested("[", kMostNested, "", "]")), "accepted");
  EXPECT_THAT(error(nested("[", kMostNested + 1, "", "]")), HasSubstr("more than 64 deep"));
  EXPECT_EQ(error(nested("{\"a\":", kMostNested, "1", "}")), "accepted");
  EXPECT_THAT(error(nested("{\"a\":", kMostNested + 1, "1", "}")), HasSubstr("more than 64 deep"));
  EXPECT_THAT(error(std::string(100'000, '[')), HasSubstr("more than 64 deep"));
  std::string mixed;
  for (int i = 0; i < 50'000; ++i) mixed += "[{\"a\":";
  EXPECT_THAT(error(mixed), HasSubstr("more than 64 deep"));
}

TEST(ParseJson, WhatIsNoJsonSaysWhere) {
  for (const char* text : {"", "{", "[1,]", "nan", "{\"a\": 1} 2", "\"\xff\""}) {
    EXPECT_THAT(error(text), StartsWith("file: is not JSON: parse error at line 1, column")) << text;
  }
  EXPECT_THAT(error("[1e999]"), StartsWith("file: is not JSON: number overflow"));
}

}  // namespace
}  // namespace bnlab
