#include "bnlab/data/cifar.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include <algorithm>

#include "bnlab/data/checksum.h"
#include "tests/data/test_files.h"

namespace bnlab {
namespace {

using testing::cifar_records;
using testing::data_error;
using testing::gzip;
using ::testing::HasSubstr;
using testing::tar;
using testing::TempFolder;
using testing::write_file;
using Members = std::vector<std::pair<std::string, Bytes>>;

constexpr int kRecords = 3;

Members tiny_members() {
  Members members;
  for (size_t file = 0; file < kCifarFiles.size(); ++file) {
    members.emplace_back(std::string("cifar-10-batches-bin/") + kCifarFiles[file],
                         cifar_records(kRecords, static_cast<int>(file)));
  }
  return members;
}

void write_members(const std::filesystem::path& folder, const Members& members) {
  for (const auto& [name, content] : members) {
    write_file(folder / name, content);
  }
}

CifarSplits read_tiny(const std::filesystem::path& path) {
  return read_cifar(find_cifar(path).value(), kRecords);
}

void expect_tiny(const CifarSplits& splits) {
  ASSERT_EQ(splits.train.images.sizes(), (at::IntArrayRef{5 * kRecords, 3, 32, 32}));
  ASSERT_EQ(splits.test.images.sizes(), (at::IntArrayRef{kRecords, 3, 32, 32}));
  for (int file = 0; file < 6; ++file) {
    const auto& split = file < 5 ? splits.train : splits.test;
    for (int i = 0; i < kRecords; ++i) {
      const int at = file < 5 ? file * kRecords + i : i;
      EXPECT_EQ(split.labels[at].item<int64_t>(), (file + i) % 10);
      for (const int pixel : {0, 1, 31, 32, 1024, 3071}) {  // p = channel * 1024 + row * 32 + column
        EXPECT_EQ(split.images[at][pixel / 1024][pixel / 32 % 32][pixel % 32].item<int>(),
                  (pixel * 7 + i * 31 + file) % 253);
      }
    }
    EXPECT_EQ(splits.sha1[file], hash_hex(HashKind::kSha1, cifar_records(kRecords, file)));
  }
}

TEST(Cifar, ReadsAFolderAndItsParent) {
  const TempFolder folder;
  write_members(folder.path(), tiny_members());
  expect_tiny(read_tiny(folder.path()));
  expect_tiny(read_tiny(folder / "cifar-10-batches-bin"));
}

TEST(Cifar, ReadsArchivesInAnyOrderCompressedOrNot) {
  const TempFolder folder;
  auto members = tiny_members();
  std::reverse(members.begin(), members.end());
  members.emplace_back("cifar-10-batches-bin/readme.html", Bytes{'h', 'i'});
  write_file(folder / "own.tar", tar(members));
  write_file(folder / "cifar-10-binary.tar.gz", gzip(tar(members)));
  expect_tiny(read_tiny(folder / "own.tar"));
  expect_tiny(read_tiny(folder / "cifar-10-binary.tar.gz"));
  expect_tiny(read_tiny(folder.path()));
}

TEST(Cifar, FindsNothingWhereNothingIs) {
  const TempFolder folder;
  EXPECT_FALSE(find_cifar(folder.path()).has_value());
  EXPECT_FALSE(find_cifar(folder / "absent").has_value());
}

TEST(Cifar, NamesTheMissingFile) {
  const TempFolder folder;
  auto members = tiny_members();
  members.erase(members.begin() + 2);
  write_members(folder / "files", members);
  write_file(folder / "a.tar.gz", gzip(tar(members)));
  EXPECT_THAT(data_error([&] { read_tiny(folder / "files"); }), HasSubstr("data_batch_3.bin is missing"));
  EXPECT_THAT(data_error([&] { read_tiny(folder / "a.tar.gz"); }), HasSubstr("data_batch_3.bin is missing"));
}

TEST(Cifar, RefusesAnArchiveWithoutTheMembers) {
  const TempFolder folder;
  write_file(folder / "a.tar.gz", gzip(tar({{"other/file.bin", {1, 2, 3}}})));
  EXPECT_THAT(data_error([&] { read_tiny(folder / "a.tar.gz"); }), HasSubstr("data_batch_1.bin is missing"));
}

TEST(Cifar, RefusesWhatIsNoArchive) {
  const TempFolder folder;
  write_file(folder / "noise", testing::counting_bytes(100000));
  write_file(folder / "noise.gz", gzip(testing::counting_bytes(100000)));
  write_file(folder / "empty.tar.gz", {});
  EXPECT_THAT(data_error([&] { read_tiny(folder / "noise"); }), HasSubstr("another tar archive"));
  EXPECT_THAT(data_error([&] { read_tiny(folder / "noise.gz"); }), HasSubstr("another tar archive"));
  EXPECT_THAT(data_error([&] { read_tiny(folder / "empty.tar.gz"); }), HasSubstr("the file is empty"));
}

TEST(Cifar, RefusesATruncatedArchive) {
  const TempFolder folder;
  auto archive = tar(tiny_members());
  auto compressed = gzip(archive);
  archive.resize(archive.size() / 2 + 100);
  compressed.resize(compressed.size() / 2);
  write_file(folder / "a.tar", archive);
  write_file(folder / "a.tar.gz", compressed);
  EXPECT_THAT(data_error([&] { read_tiny(folder / "a.tar"); }), HasSubstr("a.tar: "));
  EXPECT_THAT(data_error([&] { read_tiny(folder / "a.tar.gz"); }), HasSubstr("ends too early"));
}

TEST(Cifar, RefusesFilesOfTheWrongLengthOrLabel) {
  struct Case {
    const char* what;
    void (*damage)(Bytes&);
    const char* message;
  };
  const Case cases[] = {
      {"truncated", [](Bytes& b) { b.pop_back(); }, "expected 9219 bytes (3 records of 3073), found 9218"},
      {"extra bytes", [](Bytes& b) { b.push_back(0); }, "found 9220"},
      {"label 10", [](Bytes& b) { b[2 * 3073] = 10; }, "label 10 of record 2 is not in 0 to 9"},
      {"empty", [](Bytes& b) { b.clear(); }, "empty"},
  };
  for (const auto& test : cases) {
    const TempFolder folder;
    auto members = tiny_members();
    test.damage(members[5].second);
    write_members(folder.path(), members);
    const auto message = data_error([&] { read_tiny(folder.path()); });
    EXPECT_THAT(message, HasSubstr(test.message)) << test.what;
    EXPECT_THAT(message, HasSubstr("test_batch.bin")) << test.what;
  }
}

TEST(Cifar, RefusesAFolderInAFilesPlace) {
  const TempFolder folder;
  auto members = tiny_members();
  members.erase(members.begin());
  write_members(folder.path(), members);
  std::filesystem::create_directory(folder / "cifar-10-batches-bin/data_batch_1.bin");
  EXPECT_THAT(data_error([&] { read_tiny(folder.path()); }), HasSubstr("found a folder"));
}

}  // namespace
}  // namespace bnlab
