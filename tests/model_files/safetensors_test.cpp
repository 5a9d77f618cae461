#include "bnlab/model_files/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/model_files/made_up.h"

namespace bnlab::model_files {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(Safetensors, ReadsALayer) {
  const doctor::Facts facts = read_model_bytes(one_layer_safetensors(), "model.safetensors");
  EXPECT_EQ(facts.model, "model.safetensors");
  ASSERT_EQ(facts.layers.size(), 1U);
  const doctor::LayerFacts& layer = facts.layers.front();
  EXPECT_EQ(layer.name, "bn");
  EXPECT_EQ(layer.dtype, "float32");
  EXPECT_EQ(layer.channels, 2);
  EXPECT_THAT(*layer.gamma, ElementsAre(0.5, 1.5));
  EXPECT_THAT(*layer.beta, ElementsAre(0, 1));
  EXPECT_THAT(*layer.running_mean, ElementsAre(1, -2));
  EXPECT_THAT(*layer.running_var, ElementsAre(4, 9));
  EXPECT_FALSE(layer.eps.has_value());
  EXPECT_FALSE(layer.momentum_known);
  for (const char* what : {"eps", "momentum", "mode", "graph", "losses", "moments"})
    EXPECT_TRUE(facts.lacks(what)) << what;
}

TEST(Safetensors, IsRefusedWhereverItIsCutOff) {
  const std::string whole = one_layer_safetensors();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_NE(error_of(whole.substr(0, size)), "") << size;
  }
  EXPECT_EQ(error_of(whole), "");
}

std::string with(const std::string& tensor, std::size_t bytes) {
  return safetensors("{" + tensor + "}", std::string(bytes, '\0'));
}

TEST(Safetensors, RefusesBytesThatDoNotFit) {
  EXPECT_THAT(error_of(with(R"("a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]})", 4)),
              HasSubstr("8 bytes for its shape"));
  EXPECT_THAT(error_of(with(R"("a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]})", 4)),
              HasSubstr("beyond the end"));
  EXPECT_THAT(error_of(with(R"("a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]})", 12)),
              HasSubstr("4 bytes at the end"));
  EXPECT_THAT(error_of(with(R"("a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},)"
                            R"("b":{"dtype":"U8","shape":[4],"data_offsets":[2,6]})",
                            6)),
              HasSubstr("overlap"));
  EXPECT_THAT(error_of(with(R"("a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},)"
                            R"("b":{"dtype":"U8","shape":[4],"data_offsets":[6,10]})",
                            10)),
              HasSubstr("leave a gap"));
  EXPECT_THAT(error_of(with(R"("a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]})", 8)), HasSubstr("data_offsets"));
  EXPECT_THAT(error_of(with(R"("a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]})", 8)), HasSubstr("impossible"));
  EXPECT_THAT(error_of(with(R"("a":{"dtype":"F9","shape":[2],"data_offsets":[0,8]})", 8)), HasSubstr("got F9"));
}

TEST(Safetensors, RefusesShapesWhoseProductOverflows) {
  EXPECT_THAT(error_of(with(R"("a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]})", 0)),
              HasSubstr("impossible"));
  EXPECT_THAT(error_of(with(R"("a":{"dtype":"F64","shape":[2305843009213693953],"data_offsets":[0,8]})", 8)),
              HasSubstr("bytes for its shape"));
}

TEST(Safetensors, RefusesHeadersThatAreNone) {
  EXPECT_THAT(error_of(safetensors("{\"a\":1,\"a\":1}", "")), HasSubstr("the header"));
  EXPECT_THAT(error_of(safetensors("{", "")), HasSubstr("none of the formats"));
  EXPECT_THAT(error_of(safetensors("{}", "")), HasSubstr("holds no tensors"));
  EXPECT_THAT(error_of(safetensors(std::string(200, '{'), "")), HasSubstr("the header"));
  EXPECT_THAT(error_of(one_layer_safetensors(), "ema"), HasSubstr("--key"));
}

TEST(Safetensors, ReadsHalfPrecision) {
  const std::string header =
      R"({"running_mean":{"dtype":"F16","shape":[5],"data_offsets":[0,10]},)"
      R"("running_var":{"dtype":"BF16","shape":[5],"data_offsets":[10,20]},"__metadata__":{"format":"pt"}})";
  const std::string data = bytes_of<std::uint16_t>({0x3C00, 0xC000, 0x0001, 0x7C00, 0x7BFF}) +
                           bytes_of<std::uint16_t>({0x3F80, 0x4000, 0x0000, 0xFF80, 0x4049});
  const doctor::Facts facts = read_model_bytes(safetensors(header, data), "half");
  const doctor::LayerFacts& layer = facts.layers.front();
  EXPECT_EQ(layer.name, "");
  EXPECT_EQ(layer.dtype, "bfloat16");
  EXPECT_THAT(*layer.running_mean, ElementsAre(1, -2, std::ldexp(1, -24), HUGE_VAL, 65504));
  EXPECT_THAT(*layer.running_var, ElementsAre(1, 2, 0, -HUGE_VAL, 3.140625));
}

TEST(StateFacts, RefusesLayersThatDoNotAgree) {
  const auto of_lengths = [](int mean, int var, int gamma) {
    const auto item = [](const char* name, int begin, int length) {
      return "\"" + std::string(name) + "\":{\"dtype\":\"U8\",\"shape\":[" + std::to_string(length) +
             "],\"data_offsets\":[" + std::to_string(begin) + "," + std::to_string(begin + length) + "]}";
    };
    return with(
        item("running_mean", 0, mean) + "," + item("running_var", mean, var) + "," + item("weight", mean + var, gamma),
        static_cast<std::size_t>(mean + var + gamma));
  };
  EXPECT_EQ(error_of(of_lengths(3, 3, 3)), "");
  EXPECT_THAT(error_of(of_lengths(3, 2, 3)), HasSubstr("different shapes"));
  EXPECT_THAT(error_of(of_lengths(3, 3, 2)), HasSubstr("3 channels"));
  EXPECT_THAT(error_of(with(R"("a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]})", 4)),
              HasSubstr("buffers were not stored"));
}

}  // namespace
}  // namespace bnlab::model_files
