#include "bnlab/data/load.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <stdlib.h>
#include <sys/resource.h>

#include <fstream>
#include <optional>

#include "bnlab/data/scale.h"
#include "tests/data/test_files.h"

namespace bnlab {
namespace {

using ::testing::AllOf;
using testing::data_error;
using testing::gzip;
using ::testing::HasSubstr;
using testing::TempFolder;
using testing::write_file;

class EnvironmentVariable {
 public:
  EnvironmentVariable(const char* name, const std::string& value) : name_(name) {
    if (const char* old = getenv(name)) {
      old_ = old;
    }
    setenv(name, value.c_str(), 1);
  }
  ~EnvironmentVariable() { old_ ? setenv(name_, old_->c_str(), 1) : unsetenv(name_); }

 private:
  const char* name_;
  std::optional<std::string> old_;
};

std::string load_error(const std::filesystem::path& folder) {
  return data_error([&] { load_dataset({"fashion-mnist", folder}); });
}

TEST(DataChoice, ParsesNamesAndPaths) {
  const EnvironmentVariable home("HOME", "/home/somebody");
  EXPECT_EQ(parse_data_choice("fashion-mnist").name, "fashion-mnist");
  EXPECT_TRUE(parse_data_choice("fashion-mnist").path.empty());
  EXPECT_EQ(parse_data_choice("cifar10:a/b.tar.gz").path, "a/b.tar.gz");
  EXPECT_EQ(parse_data_choice("cifar10:a:b").path, "a:b");
  EXPECT_EQ(parse_data_choice("mnist:~/data").path, "/home/somebody/data");
}

TEST(DataChoice, RefusesWhatItDoesNotKnow) {
  EXPECT_THAT(data_error([] { parse_data_choice("cifar"); }),
              AllOf(HasSubstr("no data set \"cifar\""), HasSubstr("fashion-mnist, mnist, cifar10, gaussian")));
  EXPECT_THAT(data_error([] { parse_data_choice(""); }), HasSubstr("no data set \"\""));
  EXPECT_THAT(data_error([] { parse_data_choice("cifar10:"); }), HasSubstr("write --data cifar10:PATH"));
  EXPECT_THAT(data_error([] { parse_data_choice("gaussian:x"); }), HasSubstr("gaussian has no files"));
}

TEST(PlacesOf, PrefersThePathThenTheVariableThenTheUsualPlaces) {
  const auto& known = find_known_dataset("cifar10");
  const EnvironmentVariable variable("BNLAB_CIFAR10_DIR", "/somewhere");
  EXPECT_EQ(places_of(known, "chosen"), std::vector<std::filesystem::path>{"chosen"});
  EXPECT_EQ(places_of(known, {}), std::vector<std::filesystem::path>{"/somewhere"});
  const EnvironmentVariable home("HOME", "/home/somebody"), none("BNLAB_CIFAR10_DIR", "");
  EXPECT_THAT(places_of(known, {}), ::testing::Contains(std::filesystem::path("/home/somebody/.cache/bnlab")));
}

TEST(LoadDataset, ReadsATinyIdxSetAndSaysItIsNotThePublishedOne) {
  const TempFolder folder;
  testing::write_tiny_idx_set(folder.path());
  const auto data = load_dataset({"fashion-mnist", folder.path()});
  EXPECT_EQ(data.name, "fashion-mnist");
  EXPECT_EQ(data.title, "Fashion-MNIST (not the official files)");
  EXPECT_EQ(data.class_names.size(), 10u);
  EXPECT_EQ(data.train.images.sizes(), (at::IntArrayRef{6, 1, 3, 4}));
  EXPECT_EQ(data.test.count(), 4);
  EXPECT_EQ(data.test.labels[3].item<int>(), 3);
  EXPECT_EQ(data.digest, content_digest(data.train, data.test));
}

TEST(LoadDataset, ReadsDecompressedFilesAlike) {
  const TempFolder folder, plain;
  testing::write_tiny_idx_set(folder.path());
  write_file(plain / "train-images-idx3-ubyte", testing::idx_images(6, 3, 4));
  write_file(plain / "train-labels-idx1-ubyte", testing::idx_labels(6));
  write_file(plain / "t10k-images-idx3-ubyte", testing::idx_images(4, 3, 4));
  write_file(plain / "t10k-labels-idx1-ubyte", testing::idx_labels(4));
  EXPECT_EQ(load_dataset({"mnist", plain.path()}).digest, load_dataset({"mnist", folder.path()}).digest);
}

TEST(LoadDataset, NamesTheFileThatIsAtFault) {
  const auto truncated = [] {
    auto bytes = gzip(testing::idx_images(6, 3, 4));
    bytes.resize(bytes.size() - 9);
    return bytes;
  };
  struct Case {
    const char* file;
    Bytes content;
    const char* message;
  };
  const Case cases[] = {
      {"train-images-idx3-ubyte.gz", truncated(), "ends too early"},
      {"train-images-idx3-ubyte.gz", {}, "the file is empty"},
      {"train-images-idx3-ubyte.gz", gzip(testing::idx_labels(6)), "found magic number 2049"},
      {"train-labels-idx1-ubyte.gz", gzip(testing::idx_labels(5)), "6 images but"},
      {"t10k-labels-idx1-ubyte.gz", gzip(testing::idx(2049, {4}, {1, 2, 3, 10})), "label 10 of example 3"},
      {"t10k-labels-idx1-ubyte.gz", gzip(testing::idx(2049, {4}, {1, 2, 3, 4, 5})), "announces 4 bytes"},
      {"t10k-images-idx3-ubyte.gz", gzip(testing::idx_images(4, 4, 3)), "1 x 4 x 3"},
  };
  for (const auto& test : cases) {
    const TempFolder folder;
    testing::write_tiny_idx_set(folder.path());
    write_file(folder / test.file, test.content);
    EXPECT_THAT(load_error(folder.path()), AllOf(HasSubstr(test.message), HasSubstr(folder / test.file)));
  }
}

TEST(LoadDataset, SaysWhatIsMissingAndHowToGetIt) {
  const TempFolder folder;
  EXPECT_THAT(load_error(folder / "absent"), AllOf(HasSubstr("absent (does not exist)"),
                                                   HasSubstr("install the Debian package dataset-fashion-mnist")));
  testing::write_tiny_idx_set(folder.path());
  EXPECT_THAT(load_error(folder / "train-images-idx3-ubyte.gz"), HasSubstr("is a file, not a folder; mend that"));
  std::filesystem::remove(folder / "t10k-labels-idx1-ubyte.gz");
  EXPECT_THAT(load_error(folder.path()), HasSubstr("t10k-labels-idx1-ubyte.gz: no such file"));
  std::filesystem::create_directory(folder / "t10k-labels-idx1-ubyte.gz");
  EXPECT_THAT(load_error(folder.path()), HasSubstr("expected a file, found a folder"));
  EXPECT_THAT(data_error([&] { load_dataset({"cifar10", folder.path()}); }), HasSubstr("CIFAR-10 was not found"));
}

TEST(LoadDataset, SaysWhereALinkLeadsNowhere) {
  const TempFolder folder;
  std::filesystem::create_symlink(folder / "gone", folder / "dangling");
  std::filesystem::create_symlink(folder / "circle", folder / "circle");
  std::filesystem::create_symlink(folder / "gone", folder / "train-images-idx3-ubyte");
  std::filesystem::create_symlink(folder / "gone", folder / "test_batch.bin");
  const char nowhere[] = " is a link to something that does not exist";
  EXPECT_THAT(load_error(folder / "dangling"), HasSubstr((folder / "dangling").string() + nowhere));
  EXPECT_THAT(load_error(folder / "circle"), HasSubstr("circle cannot be read: Too many levels of symbolic links"));
  EXPECT_THAT(load_error(folder.path()), HasSubstr((folder / "train-images-idx3-ubyte").string() + nowhere));
  EXPECT_THAT(data_error([&] {
                load_dataset({"cifar10", folder.path()});
              }),
              HasSubstr((folder / "test_batch.bin").string() + nowhere));
}

TEST(LoadDataset, SaysHowManyBytesDidNotFitIntoMemory) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "the sanitizer's own address space is larger than the limit";
#endif
  const TempFolder folder;
  std::ofstream(folder / "train-images-idx3-ubyte") << "x";
  std::filesystem::resize_file(folder / "train-images-idx3-ubyte", uintmax_t{1} << 42);
  rlimit before{}, little{};
  ASSERT_EQ(::getrlimit(RLIMIT_AS, &before), 0);
  little = before;
  little.rlim_cur = rlim_t{1} << 41;
  ASSERT_EQ(::setrlimit(RLIMIT_AS, &little), 0);
  const std::string error = load_error(folder.path());
  ::setrlimit(RLIMIT_AS, &before);
  EXPECT_THAT(error, AllOf(HasSubstr("train-images-idx3-ubyte"), HasSubstr("no memory for its 4398046511104 bytes")));
}

TEST(LoadDataset, MakesTheGaussianSet) {
  EXPECT_EQ(load_dataset({"gaussian"}).train.count(), 4000);
}

TEST(LoadDataset, ReadsTheInstalledFashionMnist) {
  const auto data = load_dataset({"fashion-mnist"});
  EXPECT_EQ(data.title, "Fashion-MNIST");
  EXPECT_EQ(data.digest, "035a3cc72cbac99a");
  EXPECT_EQ(data.train.images.sizes(), (at::IntArrayRef{60000, 1, 28, 28}));
  EXPECT_EQ(data.test.images.sizes(), (at::IntArrayRef{10000, 1, 28, 28}));
  EXPECT_EQ(data.train.labels[0].item<int>(), 9);
  EXPECT_EQ(data.class_names[9], "Ankle boot");
  EXPECT_TRUE(at::equal(data.train.labels.bincount(), at::full({10}, 6000, at::kLong)));
  const auto scale = ChannelScale::z_score(data.train.images);
  EXPECT_NEAR(scale.offset[0] / 255.0, 0.2860, 5e-5);
  EXPECT_NEAR(scale.unit[0] / 255.0, 0.3530, 5e-5);
}

TEST(LoadDataset, ReadsTheCifar10OfTheEnvironment) {
  if (getenv("BNLAB_CIFAR10_DIR") == nullptr) {
    GTEST_SKIP() << "BNLAB_CIFAR10_DIR is not set";
  }
  const auto data = load_dataset({"cifar10"});
  EXPECT_THAT(data.title, ::testing::AnyOf("CIFAR-10", "CIFAR-10 (not the official files)"));
  EXPECT_EQ(data.train.images.sizes(), (at::IntArrayRef{50000, 3, 32, 32}));
  EXPECT_EQ(data.test.images.sizes(), (at::IntArrayRef{10000, 3, 32, 32}));
  EXPECT_TRUE(at::equal(data.train.labels.bincount(), at::full({10}, 5000, at::kLong)));
  EXPECT_TRUE(at::equal(data.test.labels.bincount(), at::full({10}, 1000, at::kLong)));
  const auto scale = ChannelScale::z_score(data.train.images);
  const double mean[] = {125.307, 122.950, 113.865}, stddev[] = {62.993, 62.089, 66.705};  // of the official set
  for (int c = 0; c < 3; ++c) {
    EXPECT_NEAR(scale.offset[c], mean[c], 0.5);
    EXPECT_NEAR(scale.unit[c], stddev[c], 0.5);
  }
}

}  // namespace
}  // namespace bnlab
