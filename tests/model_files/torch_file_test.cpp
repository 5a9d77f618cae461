#include "bnlab/model_files/torch_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/model_files/made_up.h"

namespace bnlab::model_files {
namespace {

using namespace pickled;
using testing::ElementsAre;
using testing::HasSubstr;

doctor::LayerFacts layer_of(const std::string& bytes, const std::string& key = "") {
  return read_model_bytes(bytes, "model", {key}).layers.at(0);
}

TEST(TorchFile, ReadsAStateDictStoredOrDeflated) {
  for (const bool deflated : {false, true}) {
    const doctor::LayerFacts layer = layer_of(torch_zip(one_layer(), deflated));
    EXPECT_EQ(layer.name, "bn");
    EXPECT_THAT(*layer.gamma, ElementsAre(0.5, 1.5));
    EXPECT_THAT(*layer.beta, ElementsAre(0, 1));
    EXPECT_THAT(*layer.running_mean, ElementsAre(1, -2));
    EXPECT_THAT(*layer.running_var, ElementsAre(4, 9));
  }
}

TEST(TorchFile, IsRefusedWhereverThePickleIsCutOff) {
  const std::string pickle = whole(one_layer());
  for (std::size_t size = 0; size < pickle.size(); ++size) {
    const std::string file = zip_of({{"a/data.pkl", pickle.substr(0, size)}, {"a/data/0", std::string(8, '\0')}});
    EXPECT_NE(error_of(file), "") << size;
  }
}

TEST(TorchFile, IsRefusedWhereverTheArchiveIsCutOff) {
  const std::string file = torch_zip(one_layer());
  for (std::size_t size = 0; size + 22 < file.size(); ++size) EXPECT_NE(error_of(file.substr(0, size)), "") << size;
}

/// Any byte may be wrong: either a sentence, or a file that is still one; never a crash.
TEST(TorchFile, SurvivesEveryWrongByte) {
  const std::string file = torch_zip(one_layer());
  for (std::size_t at = 0; at < file.size(); ++at) {
    for (const char wrong : {'\0', '\xFF', 'R'}) {
      std::string spoiled = file;
      spoiled[at] = wrong;
      error_of(spoiled);
    }
  }
}

TEST(TorchFile, NeverRunsWhatAPickleCalls) {
  const std::string mark = testing::TempDir() + "bnlab_was_run";
  std::filesystem::remove(mark);
  const std::string evil = call(global("posix", "system"), text("touch " + mark));
  const std::string eval = call(global("builtins", "eval"), text("open('" + mark + "', 'w')"));
  EXPECT_THAT(error_of(torch_zip(evil)), HasSubstr("posix.system"));
  EXPECT_THAT(error_of(torch_zip(eval)), HasSubstr("builtins.eval"));
  const std::string hidden = torch_zip(dict(text("state_dict") + one_layer() + text("x") + evil + text("y") + eval));
  const doctor::Facts facts = read_model_bytes(hidden, "model");
  EXPECT_EQ(facts.layers.size(), 1U);
  ASSERT_EQ(facts.remarks.size(), 1U);
  EXPECT_THAT(facts.remarks[0], HasSubstr("builtins.eval, posix.system"));
  EXPECT_FALSE(std::filesystem::exists(mark));
}

TEST(TorchFile, FindsTheStateDictOfACheckpoint) {
  const std::string ema = dict(text("module.bn.running_mean") + tensor("FloatStorage", "1", 2) +
                               text("module.bn.running_var") + tensor("FloatStorage", "3", 2));
  std::string more;  // tensors, and no layer
  for (int i = 0; i < 9; ++i) more += text("buffer" + std::to_string(i)) + tensor("FloatStorage", "0", 2);
  const std::string file = torch_zip(dict(text("epoch") + integer(3) + text("momenta") + dict(more) + text("ema") +
                                          ema + text("model") + one_layer()));
  EXPECT_EQ(layer_of(file).name, "bn");
  const std::string remark = read_model_bytes(file, "model").remarks.at(0);
  EXPECT_THAT(remark, HasSubstr("\"model\" (4 tensors, 1 with running_var) was read"));
  EXPECT_THAT(remark, HasSubstr("\"ema\" (2 tensors"));
  EXPECT_EQ(layer_of(file, "ema").name, "module.bn");
  EXPECT_THAT(*layer_of(file, "ema").running_mean, ElementsAre(0, 1));
  EXPECT_THAT(error_of(file, "EMA"), HasSubstr("holds no \"EMA\"; there is \"model\""));
}

TEST(TorchFile, TakesViewsByTheirStrides) {
  const auto view = [](const std::string& place) {
    return zip_of({{"a/data.pkl", whole(dict(text("running_mean") + tensor("FloatStorage", "0", 2, 0, 3) +
                                             text("running_var") + place))},
                   {"a/data/0", bytes_of<float>({0, 1, 2, 3, 4, 5})}});
  };
  EXPECT_THAT(*layer_of(view(tensor("FloatStorage", "0", 2, 1, 3))).running_var, ElementsAre(1, 4));
  EXPECT_THAT(*layer_of(view(tensor("FloatStorage", "0", 2, 5, 0))).running_var, ElementsAre(5, 5));
  EXPECT_THAT(error_of(view(tensor("FloatStorage", "0", 2, 3, 3))), HasSubstr("reaches beyond the end"));
  EXPECT_THAT(error_of(view(tensor("FloatStorage", "0", 2, 0, -1))), HasSubstr("impossible"));
  EXPECT_THAT(error_of(view(tensor("FloatStorage", "0", 2, -1, 1))), HasSubstr("offset"));
  EXPECT_THAT(error_of(view(tensor("DoubleStorage", "0", 2, 2147483647, 2147483647))), HasSubstr("beyond the end"));
  EXPECT_THAT(error_of(view(tensor("ComplexFloatStorage", "0", 2))), HasSubstr("complex64"));
  EXPECT_THAT(error_of(view(tensor("FancyStorage", "0", 2))), HasSubstr("type that is not known"));
  EXPECT_THAT(error_of(view(tensor("FloatStorage", "7", 2))), HasSubstr("a/data/7 is missing"));
}

std::string attributes(const std::string& parameters, const std::string& buffers, const std::string& modules,
                       const std::string& more = "") {
  return dict(text("training") + "\x88" + text("_parameters") + dict(parameters) + text("_buffers") + dict(buffers) +
              text("_modules") + dict(modules) + more);
}

std::string object_of(const std::string& module, const std::string& name, const std::string& state) {
  return global(module, name) + ")\x81" + state + "b";
}

TEST(TorchFile, ReadsAWholeModule) {
  const std::string norm =
      object_of("torch.nn.modules.batchnorm", "BatchNorm2d",
                attributes(text("weight") + tensor("FloatStorage", "0", 2) + text("bias") + "N",
                           text("running_mean") + tensor("FloatStorage", "2", 2) + text("running_var") +
                               tensor("FloatStorage", "3", 2),
                           "", text("eps") + "G\x3f\x50\x62\x4d\xd2\xf1\xa9\xfc" + text("momentum") + "N"));
  const std::string file = torch_zip(object_of("mine", "Net", attributes("", "", text("bn") + norm)));
  const doctor::Facts facts = read_model_bytes(file, "model");
  const doctor::LayerFacts& layer = facts.layers.at(0);
  EXPECT_EQ(layer.name, "bn");
  EXPECT_EQ(layer.kind, "BatchNorm2d");
  EXPECT_EQ(layer.eps, 1e-3);
  EXPECT_TRUE(layer.momentum_known);
  EXPECT_FALSE(layer.momentum.has_value());
  EXPECT_TRUE(layer.training);
  EXPECT_TRUE(facts.training);
  for (const char* what : {"eps", "momentum", "mode"}) EXPECT_FALSE(facts.lacks(what)) << what;
  EXPECT_THAT(facts.remarks.at(0), HasSubstr("mine.Net"));
}

/// Two modules that hold each other twice would have 2^100 paths.
TEST(TorchFile, BoundsModulesThatHoldEachOther) {
  std::string inner = object_of("m", "A", attributes("", "", ""));
  std::string pickle = inner;
  for (int i = 0; i < 60; ++i) {
    // The module is stored under i, and taken twice.
    pickle += "q" + std::string(1, static_cast<char>(i)) + "0" +
              object_of("m", "A",
                        attributes("", "",
                                   text("a") + "h" + std::string(1, static_cast<char>(i)) + text("b") + "h" +
                                       std::string(1, static_cast<char>(i))));
  }
  EXPECT_THAT(error_of(torch_zip(pickle)), HasSubstr("too many"));
}

TEST(TorchFile, RefusesWhatItDoesNotKnow) {
  EXPECT_THAT(error_of(torch_zip(one_layer(), false, "big")), HasSubstr("big-endian"));
  EXPECT_THAT(error_of(torch_zip("I1\n")), HasSubstr("opcode 0x49"));
  EXPECT_THAT(error_of(torch_zip("\x80\x09N")), HasSubstr("protocol"));
  EXPECT_THAT(error_of(torch_zip("0")), HasSubstr("damaged"));
  EXPECT_THAT(error_of(torch_zip("h\x05")), HasSubstr("damaged"));
  EXPECT_THAT(error_of(torch_zip("}Na")), HasSubstr("damaged"));
  EXPECT_THAT(error_of(torch_zip("N")), HasSubstr("save model.state_dict()"));
  EXPECT_THAT(error_of(zip_of({{"x.txt", "hello"}})), HasSubstr("none of the formats"));
  EXPECT_THAT(error_of("PK\3\4"), HasSubstr("ZIP"));
  EXPECT_THAT(error_of("hello"), HasSubstr("none of the formats"));
}

/// A long list that is copied again and again would need more memory than there is.
TEST(TorchFile, BoundsWhatAShortPickleCopies) {
  std::string list = "](";
  for (int i = 0; i < 20000; ++i) list += "N";
  list += "eq\x01";
  std::string pickle = list;
  for (int i = 0; i < 2000; ++i) pickle += "0" + global("builtins", "set") + "h\x01\x85R";
  EXPECT_THAT(error_of(torch_zip(pickle)), HasSubstr("entries"));
}

TEST(TorchFile, ReadsTheOldFormat) {
  std::string keys, storages;
  for (int i = 0; i < 4; ++i) keys += text(std::to_string(i));
  std::string value = one_layer();
  // Old storages have one entry more: None, or a view.
  const std::string old = "J\x02" + std::string(3, '\0') + "tQ", with_view = "J\x02" + std::string(3, '\0') + "NtQ";
  for (std::size_t at = 0; (at = value.find(old, at)) != std::string::npos; at += with_view.size()) {
    value.replace(at, old.size(), with_view);
  }
  for (const auto& pair : {std::pair{0.5F, 1.5F}, std::pair{0.F, 1.F}, std::pair{1.F, -2.F}, std::pair{4.F, 9.F}}) {
    storages += little_endian(2, 8) + bytes_of<float>({pair.first, pair.second});
  }
  const std::string file = "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19." + whole("M\xe9\x03") +
                           whole("}") + whole(value) + whole("](" + keys + "e") + storages;
  const doctor::LayerFacts layer = layer_of(file);
  EXPECT_THAT(*layer.running_mean, ElementsAre(1, -2));
  EXPECT_THAT(*layer.running_var, ElementsAre(4, 9));
  for (std::size_t size = 0; size < file.size(); ++size) EXPECT_NE(error_of(file.substr(0, size)), "") << size;
}

}  // namespace
}  // namespace bnlab::model_files
