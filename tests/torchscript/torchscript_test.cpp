// A small scripted model: its facts, and what the repairs do to it.
#include "bnlab/torchscript/torchscript.h"

#include <ATen/Functions.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/serialization/import.h>
#include <torch/serialize/output-archive.h>

#include <fstream>
#include <sstream>

#include "bnlab/model_files/model_error.h"
#include "bnlab/record/json_fields.h"
#include "tests/temp_folder.h"

namespace bnlab::torchscript {
namespace {

namespace fs = std::filesystem;
using bnlab::testing::TempFolder;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using torch::jit::Module;

Module norm_module(const std::string& flag) {
  Module norm("BatchNorm2d");
  norm.register_attribute("training", c10::BoolType::get(), true);
  norm.register_parameter("weight", at::full({2}, 1.5, at::kFloat), false);
  norm.register_parameter("bias", at::full({2}, 0.5, at::kFloat), false);
  norm.register_buffer("running_mean", at::zeros({2}, at::kFloat));
  norm.register_buffer("running_var", at::ones({2}, at::kFloat));
  norm.register_buffer("num_batches_tracked", at::zeros({}, at::kLong));
  norm.define(
      "def forward(self, x):\n  return torch.batch_norm(x, self.weight, self.bias, self.running_mean, "
      "self.running_var, " +
      flag + ", 0.2, 0.001, False)\n");
  return norm;
}

/// Two layers, one behind the other, with a power between them.
Module two_layers(const std::string& flag = "self.training") {
  Module net("Net");
  net.register_attribute("training", c10::BoolType::get(), true);
  net.register_module("a", norm_module(flag));
  net.register_module("b", norm_module(flag));
  net.define("def forward(self, x):\n  return self.b.forward(torch.exp(self.a.forward(x)))\n");
  net.eval();
  return net;
}

/// safetensors of one tensor of float.
void write_inputs(const fs::path& path, const at::Tensor& values) {
  const std::string header =
      Json{{"inputs", {{"dtype", "F32"}, {"shape", values.sizes().vec()}, {"data_offsets", {0, values.nbytes()}}}}}
          .dump();
  const std::uint64_t size = header.size();
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(&size), 8);
  file << header;
  file.write(static_cast<const char*>(values.data_ptr()), static_cast<std::streamsize>(values.nbytes()));
}

struct Script : ::testing::Test {
  TempFolder folder;
  fs::path net = folder.path() / "net.pt", data = folder.path() / "inputs.safetensors";
  at::Tensor inputs = at::arange(7 * 2 * 3 * 3, at::kFloat).reshape({7, 2, 3, 3}).remainder(11).div(3).contiguous();

  void save(const Module& module) { module.save(net.string()); }
  template <class F>
  std::string problem(const F& repair) {
    try {
      repair();
    } catch (const model_files::ModelFileError& error) {
      return error.what();
    }
    return "";
  }
};

TEST_F(Script, FactsOfAScriptedModel) {
  save(two_layers());
  const doctor::Facts facts = script_facts(net);
  EXPECT_EQ(facts.exported, "torchscript");
  ASSERT_EQ(facts.layers.size(), 2U);
  EXPECT_EQ(facts.layers[0].name, "a");
  EXPECT_EQ(facts.layers[1].name, "b");
  EXPECT_EQ(*facts.layers[0].eps, 0.001);
  EXPECT_EQ(*facts.layers[0].momentum, 0.2);
  EXPECT_THAT(*facts.layers[0].gamma, ElementsAre(1.5, 1.5));
  EXPECT_THAT(*facts.layers[0].running_var, ElementsAre(1, 1));
  EXPECT_EQ(*facts.layers[0].num_batches_tracked, 0);
  EXPECT_FALSE(facts.layers[0].training);
  EXPECT_TRUE(facts.layers[1].is_output);
}

TEST_F(Script, AnArchiveWithoutCodeIsReadAsAStateDict) {
  torch::serialize::OutputArchive archive, network, norm;
  norm.write("weight", at::tensor({0.5F, 2.0F}));
  norm.write("running_mean", at::tensor({1.0F, -2.0F}), /*is_buffer=*/true);
  norm.write("running_var", at::tensor({4.0, 9.0}, at::kDouble), /*is_buffer=*/true);
  norm.write("num_batches_tracked", at::full({}, 7, at::kLong), /*is_buffer=*/true);
  network.write("bn", norm);
  archive.write("network", network);
  archive.write("step", c10::IValue(3));
  archive.save_to(net.string());
  const doctor::Facts facts = script_facts(net);
  ASSERT_EQ(facts.layers.size(), 1U);
  const doctor::LayerFacts& layer = facts.layers[0];
  EXPECT_EQ(layer.name, "network.bn");
  EXPECT_THAT(*layer.gamma, ElementsAre(0.5, 2));
  EXPECT_THAT(*layer.running_mean, ElementsAre(1, -2));
  EXPECT_THAT(*layer.running_var, ElementsAre(4, 9));
  EXPECT_EQ(*layer.num_batches_tracked, 7);
  EXPECT_FALSE(layer.eps.has_value());
  EXPECT_EQ(problem([&] { freeze_script(net); }), "has no forward()");
}

TEST_F(Script, TheModeByAttributeAndByConstant) {
  Module training = two_layers();
  training.train();
  save(training);
  EXPECT_TRUE(script_facts(net).layers[0].training);
  save(two_layers("True"));
  EXPECT_TRUE(script_facts(net).layers[0].training);
  save(two_layers("False"));
  EXPECT_FALSE(script_facts(net).layers[0].training);
}

TEST_F(Script, RecalibrationIsExactLayerByLayer) {
  save(two_layers());
  write_inputs(data, inputs);
  const ScriptRepair repair = recalibrate_script(net, {data, 2});
  EXPECT_THAT(repair.layers, ElementsAre("a", "b"));
  EXPECT_GT(*repair.output_change, 0.1);
  std::istringstream stream(repair.file);
  Module after = torch::jit::load(stream);
  Module first = after.attr("a").toModule(), second = after.attr("b").toModule();
  const at::Tensor x = inputs.to(at::kDouble);
  const at::Tensor mean = x.mean({0, 2, 3}), var = at::var(x, {0, 2, 3}, true);
  EXPECT_TRUE(first.attr("running_mean").toTensor().allclose(mean.to(at::kFloat), 1e-6, 1e-7));
  EXPECT_TRUE(first.attr("running_var").toTensor().allclose(var.to(at::kFloat), 1e-6, 1e-7));
  EXPECT_EQ(first.attr("num_batches_tracked").toTensor().item<std::int64_t>(), 4);
  const at::Tensor between = first.forward({inputs}).toTensor().exp().to(at::kDouble);
  EXPECT_TRUE(second.attr("running_mean").toTensor().allclose(between.mean({0, 2, 3}).to(at::kFloat), 1e-5, 1e-7));
  EXPECT_TRUE(
      second.attr("running_var").toTensor().allclose(at::var(between, {0, 2, 3}, true).to(at::kFloat), 1e-5, 1e-7));
  EXPECT_FALSE(after.is_training());

  std::ofstream(net, std::ios::binary) << repair.file;
  EXPECT_LT(*recalibrate_script(net, {data, 7}).output_change, 1e-5) << "it has settled";
}

TEST_F(Script, RecalibrationKeepsTheMode) {
  Module training = two_layers();
  training.train();
  save(training);
  write_inputs(data, inputs);
  std::istringstream stream(recalibrate_script(net, {data, 7}).file);
  EXPECT_TRUE(torch::jit::load(stream).is_training());
}

TEST_F(Script, FreezingByAttributeAndByConstant) {
  Module training = two_layers();
  training.train();
  for (const Module& module : {training, two_layers("True")}) {
    save(module);
    const ScriptRepair repair = freeze_script(net);
    EXPECT_THAT(repair.layers, ElementsAre("a", "b"));
    std::ofstream(net, std::ios::binary) << repair.file;
    const doctor::Facts facts = script_facts(net);
    EXPECT_FALSE(facts.layers.at(0).training);
    EXPECT_FALSE(facts.layers.at(1).training);
    EXPECT_THAT(problem([&] { freeze_script(net); }), HasSubstr("nothing to freeze"));
  }
}

TEST_F(Script, WhatCannotBeDoneIsRefused) {
  save(two_layers("True"));
  write_inputs(data, inputs);
  EXPECT_THAT(problem([&] { recalibrate_script(net, {data, 7}); }), HasSubstr("traced in training mode (a)"));
  save(two_layers());
  EXPECT_THAT(problem([&] {
                recalibrate_script(net, {folder.path() / "none", 7});
              }),
              HasSubstr("needs data, and none"));
  write_inputs(data, inputs.reshape({7, 18}).contiguous());
  EXPECT_THAT(problem([&] { recalibrate_script(net, {data, 7}); }), HasSubstr("cannot be run on these inputs"));
  at::Tensor spoiled = inputs.clone();
  spoiled[0][1][0][0] = std::numeric_limits<float>::infinity();
  write_inputs(data, spoiled);
  EXPECT_THAT(problem([&] { recalibrate_script(net, {data, 7}); }), HasSubstr("its inputs are not finite"));
  EXPECT_THAT(problem([&] { fold_script(net, {data, 7}); }), HasSubstr("no batch normalization behind a convolution"));
  std::ifstream whole(net, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(whole)), {});
  for (std::size_t size = 0; size < bytes.size(); size += 503) {
    std::ofstream(net, std::ios::binary) << bytes.substr(0, size);
    EXPECT_NE(problem([&] { script_facts(net); }), "") << size;
  }
}

}  // namespace
}  // namespace bnlab::torchscript
