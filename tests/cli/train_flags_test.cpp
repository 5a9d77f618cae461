// The flags of `bnlab train` and its spec files: what they make, and what is refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "bnlab/record/run_store.h"
#include "tests/cli/program.h"

namespace bnlab {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using testing::Program;
using testing::TempFolder;

std::vector<std::string> train(const std::vector<std::string>& more) {
  std::vector<std::string> arguments = {"train", "--data", "gaussian", "--print-spec"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

Json printed(const std::vector<std::string>& arguments) {
  Program program(arguments);
  EXPECT_EQ(program.wait(), 0) << program.err();
  return Json::parse(program.out());
}

/// What is printed when it is refused.
std::string refusal(const std::vector<std::string>& arguments) {
  Program program(arguments);
  const int status = program.wait();
  EXPECT_EQ(status, 2) << program.err();
  return program.err() + program.out();
}

TEST(TrainFlags, WhatIsNotGivenIsTheKindsOwn) {
  const Json spec = printed(train({}));
  EXPECT_EQ(spec["model"]["name"], "vgg11");
  EXPECT_EQ(spec["model"]["options"], Json::parse(R"({"width": 0.25, "pools": 5})"));
  EXPECT_EQ(spec["model"]["norm"]["kind"], "batch");
  EXPECT_EQ(spec["optimizer"]["name"], "sgd");
  EXPECT_EQ(spec["optimizer"]["lr"], 0.1);
  EXPECT_EQ(spec["steps"], 400);
  EXPECT_EQ(spec["data"]["pool"], 1);
  EXPECT_EQ(spec["divergence_loss"], 1000.0);
}

TEST(TrainFlags, ReachTheirKeys) {
  const Json spec = printed(train({"--model",
                                   "resnet20",
                                   "--width",
                                   "0.5",
                                   "--norm",
                                   "l1",
                                   "--norm-option",
                                   "eps=1e-3",
                                   "--place",
                                   "after-activation",
                                   "--init",
                                   "glorot-normal",
                                   "--init-scale",
                                   "2.5",
                                   "--scaling",
                                   "none",
                                   "--augment",
                                   "flip-crop",
                                   "--pad-to",
                                   "40",
                                   "--optimizer",
                                   "adam",
                                   "--optimizer-option",
                                   "beta1=0.8",
                                   "--lr",
                                   "0.5",
                                   "--weight-decay",
                                   "1e-4",
                                   "--milestones",
                                   "100,200",
                                   "--factor",
                                   "0.5",
                                   "--batch",
                                   "7",
                                   "--steps",
                                   "9",
                                   "--seed",
                                   "3",
                                   "--threads",
                                   "2",
                                   "--keep",
                                   "projection",
                                   "--keep-every",
                                   "4",
                                   "--keep-dims",
                                   "5",
                                   "--divergence-loss",
                                   "null",
                                   "--memory-format",
                                   "contiguous",
                                   "--probe-budget",
                                   "5%",
                                   "--probe",
                                   "accuracy:every=2,at_end=true,split=train"}));
  EXPECT_EQ(spec["model"],
            Json::parse(R"({"name": "resnet20", "options": {"width": 0.5}, "init": "glorot-normal", "init_scale": 2.5,
      "norm": {"kind": "l1", "place": "after-activation", "options": {"eps": 0.001, "momentum": 0.1}}})"));
  EXPECT_EQ(spec["data"]["scaling"], "none");
  EXPECT_EQ(spec["data"]["augment"], "flip-crop");
  EXPECT_EQ(spec["data"]["pad_to"], 40);
  EXPECT_EQ(spec["optimizer"], Json::parse(R"({"name": "adam", "lr": 0.5, "momentum": null, "weight_decay": 0.0001,
      "options": {"beta1": 0.8, "beta2": 0.999, "eps": 1e-8}, "schedule": "milestones", "milestones": [100, 200],
      "factor": 0.5})"));
  const Json rest = {{"batch", 7},
                     {"steps", 9},
                     {"seed", 3},
                     {"threads", 2},
                     {"divergence_loss", nullptr},
                     {"memory_format", "contiguous"},
                     {"probe_budget", 0.05}};
  for (const auto& [key, value] : rest.items()) EXPECT_EQ(spec[key], value) << key;
  EXPECT_EQ(spec["trajectory"], Json::parse(R"({"keep": "projection", "every": 4, "dims": 5})"));
  EXPECT_EQ(spec["probes"], Json::parse(R"([{"name": "accuracy", "from": 0, "every": 2, "at_end": true,
      "parameters": {"split": "train", "examples": 0}}])"));
}

TEST(TrainFlags, EveryModelCanBeChosenWithoutFurtherFlags) {
  for (const std::string model :
       {"vgg11", "vgg16", "resnet20", "resnet32", "resnet44", "resnet56", "resnet110", "mlp", "nin", "caffenet"}) {
    const Json spec = printed(train({"--model", model}));
    EXPECT_EQ(spec["model"]["options"]["width"], model == "mlp" ? 100 : 0.25) << spec["model"];
  }
}

TEST(TrainFlags, PooledImagesAreNotPaddedUnlessAsked) {
  EXPECT_EQ(printed(train({}))["data"]["pad_to"], 32);
  const Json data = printed(train({"--model", "resnet20", "--pool", "2"}))["data"];
  EXPECT_EQ(data["pool"], 2);
  EXPECT_EQ(data["pad_to"], 0);
  EXPECT_EQ(printed(train({"--pool", "2", "--pad-to", "32"}))["data"]["pad_to"], 32);
}

TEST(TrainFlags, ALinearNetworkTrainsOnLinearDataOnly) {
  TempFolder out;
  Program program({"train", "--model", "dln", "--data", "linear", "--batch", "1000", "--lr", "1e-6", "--steps", "20",
                   "--out", out.path().string()});
  EXPECT_EQ(program.wait(), 0) << program.err();
  EXPECT_THAT(program.out(), HasSubstr("The run is in"));
  EXPECT_THAT(refusal(train({"--model", "dln"})), HasSubstr("model.name: the model dln needs --data linear"));
  EXPECT_THAT(refusal(train({"--model", "dln", "--width", "0.5"})), HasSubstr("no option \"width\""));
}

TEST(TrainFlags, DefaultProbesLeaveOutWhatNeedsPlainSteps) {
  const Json plain = printed(train({"--probe", "default"})),
             adam = printed(train({"--probe", "default", "--optimizer", "adam"}));
  EXPECT_EQ(plain["probes"].size(), 2u);
  ASSERT_EQ(adam["probes"].size(), 1u);
  EXPECT_EQ(adam["probes"][0]["name"], "activations");
}

struct Wrong {
  std::vector<std::string> flags;
  const char* says;
};

TEST(TrainFlags, WrongValuesAreRefusedByTheNameOfTheFlag) {
  const std::vector<Wrong> all = {
      {{"--pad-to", "-1"}, "--pad-to: expected 0 to 4096, got -1"},
      {{"--pool", "0"}, "--pool: expected 1 to 4096"},
      {{"--pool", "3"}, "data.pool: expected a number that divides"},
      {{"--draw", "-1"}, "--draw: expected at least 0"},
      {{"--train-examples", "-1"}, "--train-examples: expected at least 0"},
      {{"--train-examples", "100000000"}, "data.train_examples: expected at most the"},
      {{"--batch", "0"}, "--batch: expected 1 to 1000000, got 0"},
      {{"--batch", "1e3"}, "--batch: expected a whole number, got \"1e3\""},
      {{"--steps", "0"}, "--steps: expected at least 1"},
      {{"--steps", "99999999999999999999"}, "--steps: expected a whole number"},
      {{"--seed", "-1"}, "--seed: expected at least 0"},
      {{"--threads", "-1"}, "--threads: expected 0 (by rule) to 1024"},
      {{"--width", "0"}, "--width: expected a number above 0"},
      {{"--width", "nan"}, "--width: expected a number"},
      {{"--checkpoint-seconds", "nan"}, "--checkpoint-seconds: expected a number of at least 0"},
      {{"--checkpoint-seconds", "-1"}, "--checkpoint-seconds: expected a number of at least 0"},
      {{"--lr", "nan"}, "--lr: expected a number, got \"nan\""},
      {{"--lr", "inf"}, "--lr: expected a number, got \"inf\""},
      {{"--lr", "1e999"}, "--lr: expected a number, got \"1e999\""},
      {{"--lr", "0.1x"}, "--lr: expected a number, got \"0.1x\""},
      {{"--momentum", "1"}, "--momentum: expected a number from 0 to below 1"},
      {{"--weight-decay", "-1"}, "--weight-decay: expected a number of at least 0"},
      {{"--factor", "0"}, "--factor: expected a number above 0"},
      {{"--milestones", "5,5"}, "--milestones: expected rising steps above 0"},
      {{"--milestones", "5,,6"}, "--milestones: expected whole numbers"},
      {{"--keep-every", "0"}, "--keep-every: expected at least 1"},
      {{"--scaling", "zscore"}, "--scaling: expected none, z-score, min-max, equalize or equalize-image"},
      {{"--divergence-loss", "0"}, "--divergence-loss: expected a number above 0"},
      {{"--probe-budget", "200%"}, "--probe-budget: expected a percentage above 0 and at most 100"},
      {{"--norm-option", "eps=1", "--norm-option", "eps=2"}, "--norm-option: gives eps twice"},
      {{"--norm-option", "eps="}, "--norm-option: expected NAME=VALUE"},
      {{"--norm-option", "eps=x"}, "expected eps to be a number"},
      {{"--model-option", "width=1", "--width", "1"}, "--width: is given as --model-option width too"},
      {{"--optimizer", "sdg"}, "known: sgd, momentum, nesterov, adam, rmsprop, adadelta, switch"},
      {{"--probe", "activations:"}, "--probe: expected NAME or NAME:KEY=VALUE"},
      {{"--probe", "activations:layers=[]"}, "at least one layer"},
      {{"--probe", "activations:every="}, "\"every=\" is not KEY=VALUE"},
      {{"--probe", "activations:every=2,"}, "--probe: expected"},
      {{"--probe", ":every=2"}, "the name is missing"},
      {{"--probe", ""}, "the name is missing"},
      {{"--probe", "accuracy:every=2,every=3"}, "gives every twice"},
      {{"--probe", "activations:layers=[1"}, "--probe: the value of layers is not JSON"},
      {{"--probe", "activations:layers=1e999"}, "--probe: the value of layers is not JSON"},
      {{"--probe", "activations:layers={\"a\":1,\"a\":2}"}, "gives the key a twice"},
      {{"--probe", "ics", "--optimizer", "adam"}, "the optimizer adam makes others"}};
  for (const Wrong& wrong : all) {
    EXPECT_THAT(refusal(train(wrong.flags)), HasSubstr(wrong.says)) << ::testing::PrintToString(wrong.flags);
  }
}

TEST(TrainFlags, DeepProbeParametersAreRefused) {
  EXPECT_THAT(refusal(train({"--probe", "activations:layers=" + std::string(100'000, '[')})),
              HasSubstr("nests objects and lists more than 64 deep"));
}

class SpecFile : public ::testing::Test {
 protected:
  std::vector<std::string> with(const std::string& text, const std::vector<std::string>& more = {}) {
    std::ofstream(folder_ / "spec.json") << text;
    std::vector<std::string> arguments = train({"--spec", (folder_ / "spec.json").string()});
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }
  TempFolder folder_;
};

TEST_F(SpecFile, WhatIsPrintedAndWhatIsStoredMeanTheSame) {
  const std::vector<std::string> flags = {"--steps", "2", "--model", "resnet20", "--width", "0.1", "--batch", "4"};
  const Json all = printed(train(flags));
  EXPECT_EQ(printed(with(all.dump())), all);
  std::vector<std::string> compute = {"train", "--data", "gaussian", "--out", folder_.path().string()};
  compute.insert(compute.end(), flags.begin(), flags.end());
  Program program(compute);
  ASSERT_EQ(program.wait(), 0) << program.err();
  const auto run = std::filesystem::directory_iterator(folder_ / "runs")->path();
  const std::string stored = read_file(run / "spec.json");
  EXPECT_EQ(run_id(parse_run_spec(Json::parse(stored))), run.filename().string());
  EXPECT_THAT(stored, Not(HasSubstr("divergence_loss")));
  EXPECT_EQ(printed(with(stored)), all);
}

TEST_F(SpecFile, WrongOnesAreRefused) {
  const std::string text = printed(train({})).dump();
  EXPECT_THAT(refusal(with("{\"steps\": 1," + text.substr(1))), HasSubstr("spec.json: gives the key steps twice"));
  EXPECT_THAT(refusal(with(R"({"kind": "train", "optimizer": {"lr": 1, "lr": 2}})")),
              HasSubstr("key optimizer.lr twice"));
  EXPECT_THAT(refusal(with(std::string(100'000, '['))), HasSubstr("more than 64 deep"));
  EXPECT_THAT(refusal(with("{")), HasSubstr("spec.json: is not JSON"));
  EXPECT_THAT(refusal(with(text, {"--lr", "1"})), HasSubstr("--spec"));
}

}  // namespace
}  // namespace bnlab
