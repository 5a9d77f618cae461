// .pt2 files in the form that torch/_export/serde/serialize.py and torch/export/pt2_archive/_package.py write.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bnlab/model_files/model_file.h"
#include "bnlab/record/json_fields.h"
#include "tests/model_files/made_up.h"

namespace bnlab::model_files {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Json tensor_argument(const std::string& name) {
  return {{"as_tensor", {{"name", name}}}};
}

Json pt2_argument(const std::string& name, const Json& value) {
  return {{"name", name}, {"arg", value}};
}

Json pt2_node(const std::string& target, const Json& inputs, const std::string& output, const std::string& stack = "") {
  return {{"target", "torch.ops." + target},
          {"inputs", inputs},
          {"outputs", {tensor_argument(output)}},
          {"metadata", {{"nn_module_stack", stack}}}};
}

Json norm_inputs(const std::string& x) {
  return {pt2_argument("input", tensor_argument(x)), pt2_argument("weight", tensor_argument("p_bn_weight")),
          pt2_argument("bias", tensor_argument("p_bn_bias")),
          pt2_argument("running_mean", tensor_argument("b_bn_running_mean")),
          pt2_argument("running_var", tensor_argument("b_bn_running_var"))};
}

Json batch_norm(bool training, const std::string& x = "h", const std::string& y = "y") {
  Json inputs = norm_inputs(x);
  inputs.push_back(pt2_argument("training", {{"as_bool", training}}));
  inputs.push_back(pt2_argument("momentum", {{"as_float", 0.2}}));
  inputs.push_back(pt2_argument("eps", {{"as_float", 1e-3}}));
  return pt2_node("aten.batch_norm.default", inputs, y,
                  "L__self__,,Net;L__self___bn,bn,torch.nn.modules.batchnorm.BatchNorm2d");
}

Json convolution() {
  const Json inputs = {pt2_argument("input", tensor_argument("x")),
                       pt2_argument("weight", tensor_argument("p_conv_weight")),
                       pt2_argument("bias", tensor_argument("p_conv_bias"))};
  return pt2_node("aten.conv2d.default", inputs, "h");
}

Json input_spec(const std::string& kind, const std::string& name, const std::string& target) {
  return {{kind, {{"arg", {{"name", name}}}, {kind + "_name", target}}}};
}

Json program(const std::vector<Json>& nodes) {
  const Json specs = {input_spec("parameter", "p_conv_weight", "conv.weight"),
                      input_spec("parameter", "p_conv_bias", "conv.bias"),
                      input_spec("parameter", "p_bn_weight", "bn.weight"),
                      input_spec("parameter", "p_bn_bias", "bn.bias"),
                      input_spec("buffer", "b_bn_running_mean", "bn.running_mean"),
                      input_spec("buffer", "b_bn_running_var", "bn.running_var")};
  return {{"graph_module",
           {{"graph", {{"inputs", Json::array()}, {"outputs", {tensor_argument("y")}}, {"nodes", nodes}}},
            {"signature", {{"input_specs", specs}, {"output_specs", Json::array()}}}}}};
}

Json payload(const std::string& path, int dtype, std::int64_t size, std::int64_t stride = 1, std::int64_t offset = 0) {
  return {{"path_name", path},
          {"is_param", true},
          {"use_pickle", false},
          {"tensor_meta",
           {{"dtype", dtype},
            {"sizes", {{{"as_int", size}}}},
            {"strides", {{{"as_int", stride}}}},
            {"storage_offset", {{"as_int", offset}}}}}};
}

/// gamma and beta are views of one storage; the statistics are of double.
Json weights() {
  return {{"config",
           {{"bn.weight", payload("weight_0", 7, 2, 2, 0)},
            {"bn.bias", payload("weight_0", 7, 2, 2, 1)},
            {"bn.running_mean", payload("weight_1", 8, 2)},
            {"bn.running_var", payload("weight_2", 8, 2)}}}};
}

std::string archive_of(const Json& program, const Json& config, const std::string& model = "model") {
  return zip_of({{"net/archive_format", "pt2"},
                 {"net/models/" + model + ".json", program.dump()},
                 {"net/data/weights/" + model + "_weights_config.json", config.dump()},
                 {"net/data/weights/weight_0", bytes_of<float>({0.5F, 0.25F, 1.5F, -1})},
                 {"net/data/weights/weight_1", bytes_of<double>({2, -3})},
                 {"net/data/weights/weight_2", bytes_of<double>({4, 9})}});
}

doctor::Facts facts_of_nodes(const std::vector<Json>& nodes) {
  return read_model_bytes(archive_of(program(nodes), weights()), "net.pt2");
}

std::string pt2_problem(const std::string& file, const ReadChoice& choice = {}) {
  try {
    read_model_bytes(file, "net.pt2", choice);
  } catch (const ModelFileError& error) {
    return error.what();
  }
  return "";
}

TEST(Pt2, ALayersValuesAndSettings) {
  const doctor::Facts facts = facts_of_nodes({convolution(), batch_norm(false)});
  EXPECT_EQ(facts.exported, "pt2");
  ASSERT_EQ(facts.layers.size(), 1U);
  const doctor::LayerFacts& layer = facts.layers[0];
  EXPECT_EQ(layer.name, "bn");
  EXPECT_EQ(layer.kind, "BatchNorm2d");
  EXPECT_EQ(layer.dtype, "float64");
  EXPECT_EQ(layer.channels, 2);
  EXPECT_EQ(*layer.eps, 1e-3);
  EXPECT_EQ(*layer.momentum, 0.2);
  EXPECT_FALSE(layer.training);
  EXPECT_TRUE(layer.is_output);
  EXPECT_THAT(*layer.gamma, ElementsAre(0.5, 1.5));
  EXPECT_THAT(*layer.beta, ElementsAre(0.25, -1));
  EXPECT_THAT(*layer.running_mean, ElementsAre(2, -3));
  EXPECT_THAT(*layer.running_var, ElementsAre(4, 9));
  EXPECT_EQ(layer.producer->name, "conv");
  EXPECT_EQ(layer.producer->kind, "conv2d");
  EXPECT_TRUE(layer.producer->has_bias);
}

TEST(Pt2, TheModeOfEveryOperator) {
  const auto training = [](const std::string& target, const std::vector<Json>& more) {
    Json inputs = norm_inputs("h");
    for (const Json& each : more) inputs.push_back(each);
    return facts_of_nodes({pt2_node(target, inputs, "y")}).layers.at(0).training;
  };
  const Json flag = pt2_argument("training", {{"as_bool", true}});
  EXPECT_TRUE(facts_of_nodes({batch_norm(true)}).layers.at(0).training);
  EXPECT_TRUE(training("aten._native_batch_norm_legit_functional.default", {flag}));
  EXPECT_TRUE(training("aten.cudnn_batch_norm.default", {flag}));
  EXPECT_TRUE(training("aten._batch_norm_with_update_functional.default", {}));
  EXPECT_FALSE(training("aten._native_batch_norm_legit_no_training.default", {}));
  EXPECT_FALSE(training("aten._batch_norm_no_update.default", {}));
  EXPECT_THAT(pt2_problem(archive_of(program({pt2_node("aten.batch_norm.default", norm_inputs("h"), "y")}), weights())),
              HasSubstr("in which mode bn runs"));
  EXPECT_THAT(
      pt2_problem(archive_of(program({pt2_node("quantized.batch_norm2d.default", norm_inputs("h"), "y")}), weights())),
      HasSubstr("quantized.batch_norm2d.default"));
}

TEST(Pt2, WithoutRunningStatistics) {
  const Json inputs = {
      pt2_argument("input", tensor_argument("x")),      pt2_argument("weight", tensor_argument("p_bn_weight")),
      pt2_argument("bias", {{"as_none", true}}),        pt2_argument("running_mean", {{"as_none", true}}),
      pt2_argument("running_var", {{"as_none", true}}), pt2_argument("training", {{"as_bool", true}})};
  const doctor::LayerFacts layer = facts_of_nodes({pt2_node("aten.batch_norm.default", inputs, "y")}).layers.at(0);
  EXPECT_FALSE(layer.track_running_stats);
  EXPECT_FALSE(layer.beta.has_value());
  EXPECT_EQ(layer.channels, 2);
  EXPECT_EQ(layer.name, "bn");
}

TEST(Pt2, InsideAHigherOrderOperator) {
  Json inner = batch_norm(true, "a0", "z");
  const char* names[] = {"a0", "a1", "a2", "a3", "a4"};
  for (int i = 1; i < 5; ++i) inner["inputs"][i]["arg"] = tensor_argument(names[i]);
  Json graph_inputs = Json::array(), operands = Json::array();
  for (const char* name : names) graph_inputs.push_back(tensor_argument(name));
  const Json graph = {{"inputs", graph_inputs}, {"outputs", {tensor_argument("z")}}, {"nodes", {inner}}};
  operands.push_back(pt2_argument("enabled", {{"as_bool", false}}));
  operands.push_back(pt2_argument("wrapped_func", {{"as_graph", {{"name", "submod"}, {"graph", graph}}}}));
  for (const Json& input : norm_inputs("x")) operands.push_back(input);
  const doctor::Facts facts = facts_of_nodes({pt2_node("higher_order.wrap_with_set_grad_enabled", operands, "y")});
  ASSERT_EQ(facts.layers.size(), 1U);
  EXPECT_TRUE(facts.layers[0].training);
  EXPECT_THAT(*facts.layers[0].running_mean, ElementsAre(2, -3));
}

TEST(Pt2, DropoutThatIsOn) {
  const auto active = [](bool train) {
    const Json inputs = {pt2_argument("input", tensor_argument("x")), pt2_argument("p", {{"as_float", 0.5}}),
                         pt2_argument("train", {{"as_bool", train}})};
    return facts_of_nodes({pt2_node("aten.dropout.default", inputs, "y", "a,drop,torch.nn.modules.dropout.Dropout")})
        .active_dropout;
  };
  EXPECT_THAT(active(true), ElementsAre("drop"));
  EXPECT_THAT(active(false), ElementsAre());
}

TEST(Pt2, OneOfSeveralModelsIsChosen) {
  std::vector<std::pair<std::string, std::string>> entries = {{"p/archive_format", "pt2"}};
  for (const char* model : {"a", "b"}) {
    entries.emplace_back(std::string("p/models/") + model + ".json", program({batch_norm(model[0] == 'b')}).dump());
    entries.emplace_back(std::string("p/data/weights/") + model + "_weights_config.json", weights().dump());
  }
  entries.emplace_back("p/data/weights/weight_0", bytes_of<float>({0.5F, 0.25F, 1.5F, -1}));
  entries.emplace_back("p/data/weights/weight_1", bytes_of<double>({2, -3}));
  entries.emplace_back("p/data/weights/weight_2", bytes_of<double>({4, 9}));
  const std::string file = zip_of(entries);
  EXPECT_THAT(pt2_problem(file), HasSubstr("the models a or b; choose one by --key"));
  EXPECT_TRUE(read_model_bytes(file, "net.pt2", ReadChoice{"b"}).layers.at(0).training);
}

TEST(Pt2, EveryTruncationIsRefused) {
  const std::string file = archive_of(program({batch_norm(false)}), weights());
  ASSERT_EQ(pt2_problem(file), "");
  for (std::size_t size = 0; size < file.size(); size += 7) EXPECT_NE(pt2_problem(file.substr(0, size)), "") << size;
}

TEST(Pt2, WhatDoesNotFitIsRefused) {
  const auto with = [](const std::string& name, const Json& entry) {
    Json config = weights();
    config["config"][name] = entry;
    return pt2_problem(archive_of(program({batch_norm(false)}), config));
  };
  EXPECT_THAT(with("bn.running_mean", payload("weight_1", 8, 3)), HasSubstr("beyond"));
  EXPECT_NE(with("bn.running_mean", payload("weight_1", 8, std::int64_t{1} << 62)), "");
  EXPECT_NE(with("bn.running_mean", payload("weight_1", 8, -1)), "");
  EXPECT_NE(with("bn.running_mean", payload("weight_1", 8, 2, -1)), "");
  EXPECT_NE(with("bn.running_mean", payload("weight_1", 8, 2, 1, 1)), "");
  EXPECT_NE(with("bn.running_mean", payload("weight_9", 8, 2)), "");
  EXPECT_THAT(with("bn.running_mean", payload("weight_1", 8, 1)), HasSubstr("different lengths"));
  EXPECT_THAT(with("bn.running_mean", payload("weight_1", 9, 2)), HasSubstr("does not hold bn.running_mean"));
  EXPECT_THAT(with("bn.running_mean", Json::object()), HasSubstr("not known"));
  EXPECT_THAT(pt2_problem(archive_of(Json::object(), weights())), HasSubstr("not known"));
}

}  // namespace
}  // namespace bnlab::model_files
