#include "bnlab/data/check.h"

#include <gmock/gmock.h>
#include <stdlib.h>

#include "bnlab/data/cifar.h"
#include "tests/data/test_files.h"

namespace bnlab {
namespace {

using testing::gzip;
using ::testing::HasSubstr;
using testing::TempFolder;
using testing::write_file;

TEST(ListDatasets, ShowsEveryKnownSet) {
  const auto listings = list_datasets();
  ASSERT_EQ(listings.size(), known_datasets().size());
  EXPECT_EQ(listings[0].name, "fashion-mnist");
  EXPECT_EQ(listings[0].found, listings[0].looked_in.at(0));
  EXPECT_TRUE(listings.back().looked_in.empty());
}

TEST(KnownDatasets, HaveWellFormedHashes) {
  for (const auto& known : known_datasets()) {
    for (const auto& file : known.files) {
      EXPECT_TRUE(file.md5.empty() || file.md5.size() == 32) << file.name;
      EXPECT_EQ(file.content_hash.size(), file.content_kind == HashKind::kSha1 ? 40u : 64u) << file.name;
      EXPECT_EQ(file.content_hash.find_first_not_of("0123456789abcdef"), std::string_view::npos) << file.name;
    }
  }
  const auto& cifar = find_known_dataset("cifar10");
  ASSERT_EQ(cifar.files.size(), kCifarFiles.size());
  for (size_t i = 0; i < kCifarFiles.size(); ++i) {
    EXPECT_EQ(cifar.files[i].name, kCifarFiles[i]);
  }
}

TEST(CheckDataset, RecognizesTheInstalledFashionMnist) {
  const auto check = check_dataset({"fashion-mnist"});
  EXPECT_EQ(check.state, FileState::kFound);
  ASSERT_EQ(check.files.size(), 4u);
  for (const auto& file : check.files) {
    EXPECT_EQ(file.state, FileState::kFound) << file.message;
    EXPECT_EQ(file.content_hash, file.expected_content_hash);
    EXPECT_EQ(file.md5.size(), 32u);
    EXPECT_GT(file.bytes, 5000);
    EXPECT_THAT(file.message, HasSubstr(file.md5 == file.expected_md5 ? "the published file" : "compressed anew"));
  }
  EXPECT_EQ(check.digest.size(), 16u);
  EXPECT_THAT(check.message, HasSubstr("60000 train and 10000 test images"));
}

TEST(CheckDataset, TellsTheStatesOfIdxFilesApart) {
  const TempFolder folder;
  testing::write_tiny_idx_set(folder.path());
  auto check = check_dataset({"fashion-mnist", folder.path()});
  EXPECT_EQ(check.state, FileState::kDiffers);
  EXPECT_THAT(check.title, HasSubstr("not the official files"));
  EXPECT_FALSE(check.digest.empty());

  std::filesystem::remove(folder / "train-labels-idx1-ubyte.gz");
  check = check_dataset({"fashion-mnist", folder.path()});
  EXPECT_EQ(check.state, FileState::kMissing);
  EXPECT_EQ(check.files.at(0).state, FileState::kDiffers);
  EXPECT_EQ(check.files.at(1).state, FileState::kMissing);
  EXPECT_TRUE(check.digest.empty());

  write_file(folder / "t10k-images-idx3-ubyte.gz", gzip(testing::counting_bytes(100)));
  check = check_dataset({"fashion-mnist", folder.path()});
  EXPECT_EQ(check.state, FileState::kBad);
  EXPECT_EQ(check.files.at(2).state, FileState::kBad);
  EXPECT_THAT(check.files.at(2).message, HasSubstr("expected an IDX file of images"));
}

TEST(CheckDataset, NoticesFilesThatDoNotFitTogether) {
  const TempFolder folder;
  testing::write_tiny_idx_set(folder.path());
  write_file(folder / "train-labels-idx1-ubyte.gz", gzip(testing::idx_labels(5)));
  const auto check = check_dataset({"fashion-mnist", folder.path()});
  EXPECT_EQ(check.files.at(1).state, FileState::kDiffers);
  EXPECT_EQ(check.state, FileState::kBad);
  EXPECT_THAT(check.message, HasSubstr("6 images but"));
}

TEST(CheckDataset, ReportsASetThatIsNowhere) {
  const TempFolder folder;
  const auto check = check_dataset({"cifar10", folder.path()});
  EXPECT_EQ(check.state, FileState::kMissing);
  EXPECT_TRUE(check.place.empty());
  EXPECT_THAT(check.message, HasSubstr("CIFAR-10 was not found"));
  EXPECT_THROW(check_dataset({"no-such-set"}), DataError);
}

TEST(CheckDataset, NeedsNoFilesForTheSyntheticSet) {
  const auto check = check_dataset({"gaussian"});
  EXPECT_EQ(check.state, FileState::kFound);
  EXPECT_TRUE(check.files.empty());
  EXPECT_FALSE(check.digest.empty());
}

TEST(CheckDataset, JudgesEachCifarFileOfAFolder) {
  const TempFolder folder;
  write_file(folder / "data_batch_1.bin", testing::cifar_records(10000, 0));
  write_file(folder / "data_batch_2.bin", testing::cifar_records(2, 0));
  write_file(folder / "data_batch_3.bin", {});
  const auto check = check_dataset({"cifar10", folder.path()});
  ASSERT_EQ(check.files.size(), 6u);
  EXPECT_EQ(check.files[0].state, FileState::kDiffers);
  EXPECT_EQ(check.files[0].bytes, 30730000);
  EXPECT_EQ(check.files[1].state, FileState::kBad);
  EXPECT_EQ(check.files[2].state, FileState::kBad);
  EXPECT_EQ(check.files[3].state, FileState::kMissing);
  EXPECT_EQ(check.state, FileState::kBad);
}

TEST(CheckDataset, JudgesACifarArchiveAndItsMembers) {
  const TempFolder folder;
  write_file(folder / "a.tar.gz", gzip(testing::tar({{"x/data_batch_1.bin", testing::cifar_records(1, 0)}})));
  auto check = check_dataset({"cifar10", folder / "a.tar.gz"});
  ASSERT_EQ(check.files.size(), 7u);
  EXPECT_EQ(check.files[0].expected_md5, "c32a1d4ab5d03f1284b67883e8d87530");
  EXPECT_EQ(check.files[0].state, FileState::kDiffers);
  EXPECT_EQ(check.files[1].state, FileState::kBad);
  EXPECT_EQ(check.files[2].state, FileState::kMissing);

  write_file(folder / "a.tar.gz", testing::counting_bytes(5000));
  check = check_dataset({"cifar10", folder / "a.tar.gz"});
  EXPECT_EQ(check.files[0].state, FileState::kBad);
  EXPECT_EQ(check.state, FileState::kBad);
}

TEST(CheckDataset, ChecksTheCifar10OfTheEnvironment) {
  if (getenv("BNLAB_CIFAR10_DIR") == nullptr) {
    GTEST_SKIP() << "BNLAB_CIFAR10_DIR is not set";
  }
  const auto check = check_dataset({"cifar10"});
  EXPECT_LE(check.state, FileState::kDiffers) << check.message;
  EXPECT_EQ(check.title == "CIFAR-10", check.state == FileState::kFound);
}

}  // namespace
}  // namespace bnlab
