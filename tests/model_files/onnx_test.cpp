// ONNX files written field by field: what is read of them, and what is refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bnlab/model_files/model_file.h"
#include "tests/model_files/onnx_parts.h"

namespace bnlab::model_files {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

doctor::Facts read_onnx(const std::string& file) {
  return read_model_bytes(file, "net.onnx");
}

std::string onnx_problem(const std::string& file) {
  try {
    read_onnx(file);
  } catch (const ModelFileError& error) {
    return error.what();
  }
  return "";
}

/// One layer behind a convolution with a bias.
std::string conv_and_layer(const std::string& attributes, const std::vector<std::string>& outputs,
                           std::uint64_t opset) {
  return onnx_file(node("Conv", {"x", "conv.weight", "conv.bias"}, {"h"}, "", "/conv/Conv") +
                       node("BatchNormalization", layer_inputs("h", "bn"), outputs,
                            float_attribute("epsilon", 1e-3F) + float_attribute("momentum", 0.8F) + attributes) +
                       layer_constants("bn"),
                   opset);
}

TEST(Onnx, ALayersConstantsAndSettings) {
  const doctor::Facts facts = read_onnx(conv_and_layer("", {"y"}, 15));
  EXPECT_EQ(facts.exported, "onnx");
  EXPECT_EQ(facts.model, "net.onnx");
  ASSERT_EQ(facts.layers.size(), 1U);
  const doctor::LayerFacts& layer = facts.layers[0];
  EXPECT_EQ(layer.name, "bn");
  EXPECT_EQ(layer.dtype, "float32");
  EXPECT_EQ(layer.channels, 2);
  EXPECT_EQ(*layer.eps, 1e-3);
  EXPECT_EQ(*layer.momentum, 0.2) << "PyTorch's, of the new batch";
  EXPECT_FALSE(layer.training);
  EXPECT_TRUE(layer.is_output);
  EXPECT_THAT(*layer.gamma, ElementsAre(0.5, 1.5));
  EXPECT_THAT(*layer.beta, ElementsAre(0.25, -1));
  EXPECT_THAT(*layer.running_mean, ElementsAre(2, -3));
  EXPECT_THAT(*layer.running_var, ElementsAre(4, 9));
  EXPECT_EQ(layer.producer->name, "conv");
  EXPECT_EQ(layer.producer->kind, "Conv");
  EXPECT_TRUE(layer.producer->has_bias);
}

TEST(Onnx, TrainingIsToldByTheOperatorsVersion) {
  const auto training = [](const std::string& attributes, const std::vector<std::string>& outputs, int opset) {
    return read_onnx(conv_and_layer(attributes, outputs, static_cast<std::uint64_t>(opset))).layers.at(0).training;
  };
  EXPECT_TRUE(training(int_attribute("training_mode", 1), {"y", "m", "v"}, 14));
  EXPECT_FALSE(training(int_attribute("training_mode", 0), {"y"}, 14));
  EXPECT_TRUE(training("", {"y", "m", "v", "sm", "sv"}, 9));
  EXPECT_FALSE(training("", {"y"}, 9));
  EXPECT_FALSE(training("", {"y", ""}, 13));
  EXPECT_TRUE(training("", {"y"}, 6));
  EXPECT_FALSE(training(int_attribute("is_test", 1), {"y"}, 6));
}

TEST(Onnx, ValuesOfEveryTypeAndForm) {
  const auto mean_of = [](int type, const std::string& values) {
    const std::string constants = floats("bn.weight", {1, 2}) + floats("bn.bias", {1, 2}) +
                                  bytes_field(5, tensor("bn.running_mean", type, 2, values)) +
                                  floats("bn.running_var", {1, 2});
    return *read_onnx(onnx_file(node("BatchNormalization", layer_inputs("x", "bn"), {"y"}) + constants, 15))
                .layers.at(0)
                .running_mean;
  };
  const std::string two_floats = raw<float>({1.5F, -2});
  EXPECT_THAT(mean_of(1, bytes_field(4, two_floats)), ElementsAre(1.5, -2));
  EXPECT_THAT(mean_of(1, float_field(4, 1.5F) + float_field(4, -2)), ElementsAre(1.5, -2));
  EXPECT_THAT(mean_of(11, bytes_field(10, raw<double>({0.1, 1e300}))), ElementsAre(0.1, 1e300));
  EXPECT_THAT(mean_of(11, bytes_field(9, raw<double>({0.1, 1e300}))), ElementsAre(0.1, 1e300));
  EXPECT_THAT(mean_of(10, bytes_field(9, raw<std::uint16_t>({0x3C00, 0xC000}))), ElementsAre(1, -2));
  EXPECT_THAT(mean_of(10, bytes_field(5, varint(0x3C00) + varint(0xC000))), ElementsAre(1, -2));
  EXPECT_THAT(mean_of(16, bytes_field(9, raw<std::uint16_t>({0x3F80, 0xC000}))), ElementsAre(1, -2));
}

TEST(Onnx, NamesThroughIdentityAndConstant) {
  const std::string constant =
      bytes_field(5, bytes_field(1, "value") + bytes_field(5, tensor("", 1, 2, bytes_field(9, raw<float>({7, 8})))));
  const std::string graph =
      node("Identity", {"a.running_mean"}, {"b.running_mean"}) + node("Constant", {}, {"g"}, constant) +
      node("BatchNormalization", {"x", "g", "a.bias", "b.running_mean", "a.running_var"}, {"y"}) + layer_constants("a");
  const doctor::LayerFacts layer = read_onnx(onnx_file(graph, 15)).layers.at(0);
  EXPECT_EQ(layer.name, "b");
  EXPECT_THAT(*layer.gamma, ElementsAre(7, 8));
  EXPECT_THAT(*layer.running_mean, ElementsAre(2, -3));
}

TEST(Onnx, NamesThatGoInACircleAreNoConstants) {
  const std::string graph = node("Identity", {"q"}, {"p"}) + node("Identity", {"p"}, {"q"}) +
                            node("BatchNormalization", {"x", "a.weight", "a.bias", "p", "q"}, {"y"}) +
                            layer_constants("a");
  EXPECT_FALSE(read_onnx(onnx_file(graph, 15)).layers.at(0).running_mean.has_value());
}

TEST(Onnx, LayersAreNamedByTheirModules) {
  const auto name_of = [](const std::string& node_name) {
    const std::string graph = node("BatchNormalization", {"x", "1", "2", "3", "4"}, {"y"}, "", node_name) +
                              floats("1", {1, 2}) + floats("2", {1, 2}) + floats("3", {1, 2}) + floats("4", {1, 2});
    return read_onnx(onnx_file(graph, 15)).layers.at(0).name;
  };
  EXPECT_EQ(name_of("/layer1/layer1.0/bn1/BatchNormalization"), "layer1.0.bn1");
  EXPECT_EQ(name_of("/a/b/BatchNormalization_1"), "a.b");
  EXPECT_EQ(name_of("/layer1/layer1.0/downsample/downsample.1/BatchNormalization"), "layer1.0.downsample.1");
  EXPECT_EQ(name_of("norm"), "norm");
  EXPECT_EQ(name_of(""), "y");
}

TEST(Onnx, ALayerInABranchSeesConstantsOutside) {
  const std::string inner =
      node("BatchNormalization", layer_inputs("x", "bn"), {"z"}, int_attribute("training_mode", 1));
  const std::string branch = bytes_field(5, bytes_field(1, "then_branch") + bytes_field(6, inner) + int_field(20, 5));
  const doctor::Facts facts = read_onnx(onnx_file(node("If", {"c"}, {"y"}, branch) + layer_constants("bn"), 15));
  ASSERT_EQ(facts.layers.size(), 1U);
  EXPECT_TRUE(facts.layers[0].training);
  EXPECT_THAT(*facts.layers[0].running_var, ElementsAre(4, 9));
}

TEST(Onnx, DropoutThatIsOn) {
  const auto active = [](const std::string& flag, std::uint64_t opset) {
    const std::string on = bytes_field(5, tensor("on", 9, 1, bytes_field(9, flag)));
    return read_onnx(onnx_file(node("Dropout", {"x", "ratio", "on"}, {"y"}, "", "/drop/Dropout") + on, opset))
        .active_dropout;
  };
  EXPECT_THAT(active(std::string(1, '\1'), 13), ElementsAre("drop"));
  EXPECT_THAT(active(std::string(1, '\0'), 13), ElementsAre());
  EXPECT_THAT(active(std::string(1, '\1'), 9), ElementsAre());
}

TEST(Onnx, ALayerWithoutRunningStatisticsIsGivenItsInputsMoments) {
  const std::string graph =
      node("BatchNormalization", {"x", "bn.weight", "bn.bias", "m", "v"}, {"y"}, int_attribute("training_mode", 1)) +
      node("ReduceMean", {"x"}, {"m"}) + layer_constants("bn");
  const doctor::LayerFacts layer = read_onnx(onnx_file(graph, 15)).layers.at(0);
  EXPECT_FALSE(layer.track_running_stats);
  EXPECT_FALSE(layer.running_mean.has_value());
  EXPECT_EQ(layer.channels, 2);
}

TEST(Onnx, WithoutLayersItSaysThatTheyMayBeFolded) {
  const doctor::Facts facts = read_onnx(onnx_file(node("Conv", {"x", "w"}, {"y"}), 15));
  EXPECT_TRUE(facts.layers.empty());
  EXPECT_THAT(facts.why_no("layers"), HasSubstr("folds"));
}

TEST(Onnx, SharedLayersAreOneCalledTwice) {
  const std::string graph = node("BatchNormalization", layer_inputs("x", "bn"), {"h"}) +
                            node("BatchNormalization", layer_inputs("h", "bn"), {"y"}) + layer_constants("bn");
  const doctor::Facts facts = read_onnx(onnx_file(graph, 15));
  ASSERT_EQ(facts.layers.size(), 1U);
  EXPECT_EQ(facts.layers[0].calls, 2);
}

TEST(Onnx, EveryTruncationIsRefused) {
  const std::string file = conv_and_layer("", {"y"}, 15);
  for (std::size_t size = 0; size < file.size(); ++size) {
    // All of the file but the opset at its end is a model too: that of the first opset, whose layers trained.
    const std::string problem = onnx_problem(file.substr(0, size));
    const bool is_whole = size == file.size() - bytes_field(8, int_field(2, 15)).size();
    EXPECT_EQ(problem.empty(), is_whole) << size;
  }
}

TEST(Onnx, WhatCannotBeReadIsRefused) {
  const auto with_mean = [](const std::string& mean) {
    return onnx_file(node("BatchNormalization", layer_inputs("x", "bn"), {"y"}) + floats("bn.weight", {1, 2}) +
                         floats("bn.bias", {1, 2}) + floats("bn.running_var", {1, 2}) + bytes_field(5, mean),
                     15);
  };
  const std::string two = bytes_field(9, raw<float>({1, 2}));
  EXPECT_EQ(onnx_problem(with_mean(tensor("bn.running_mean", 1, 2, two))), "");
  EXPECT_THAT(onnx_problem(with_mean(tensor("bn.running_mean", 1, 3, two))),
              HasSubstr("has 2 values, and should have 3"));
  EXPECT_THAT(onnx_problem(with_mean(tensor("bn.running_mean", 1, 1, bytes_field(9, raw<float>({1}))))),
              HasSubstr("different lengths"));
  EXPECT_THAT(onnx_problem(with_mean(tensor("bn.running_mean", 8, 2, two))), HasSubstr("data type 8"));
  EXPECT_THAT(onnx_problem(with_mean(tensor("bn.running_mean", 1, std::size_t{1} << 40, two))),
              HasSubstr("more than a layer"));
  EXPECT_THAT(onnx_problem(with_mean(tensor("bn.running_mean", 1, std::size_t{1} << 63, two))),
              HasSubstr("impossible size"));
  const std::string elsewhere =
      bytes_field(13, bytes_field(1, "location") + bytes_field(2, "../../weights")) + int_field(14, 1);
  EXPECT_THAT(onnx_problem(with_mean(tensor("bn.running_mean", 1, 2, elsewhere))),
              HasSubstr("in another file (../../weights)"));
  const std::string function =
      bytes_field(25, node("BatchNormalization", {}, {}).replace(0, 1, 1, static_cast<char>(7 << 3 | 2)));
  EXPECT_THAT(onnx_problem(onnx_file("", 15) + function), HasSubstr("functions of its own"));
  EXPECT_THAT(onnx_problem(onnx_file(node("BatchNormalization", {"x"}, {"y"}), 15)), HasSubstr("too few inputs"));
  std::string many;
  for (int i = 0; i < 1000001; ++i) many += bytes_field(1, "");
  EXPECT_THAT(onnx_problem(onnx_file(many, 15)), HasSubstr("more than a million"));
  std::string deep = node("Relu", {"x"}, {"y"});
  for (int i = 0; i < 20; ++i)
    deep = node("If", {"c"}, {"y"}, bytes_field(5, bytes_field(1, "g") + bytes_field(6, deep)));
  EXPECT_THAT(onnx_problem(onnx_file(deep, 15)), HasSubstr("nests more than"));
}

}  // namespace
}  // namespace bnlab::model_files
