#include "bnlab/data/file_bytes.h"

#include <gmock/gmock.h>

#include "bnlab/data/checksum.h"
#include "tests/data/test_files.h"

namespace bnlab {
namespace {

using testing::counting_bytes;
using testing::data_error;
using testing::gzip;
using ::testing::HasSubstr;
using testing::TempFolder;
using testing::write_file;

std::string gunzip_error(const Bytes& stored) {
  return data_error([&] { gunzip_if_needed(stored, "some/file.gz"); });
}

TEST(ReadFile, GivesTheBytes) {
  const TempFolder folder;
  write_file(folder / "a", counting_bytes(100000));
  EXPECT_EQ(read_file_bytes(folder / "a"), counting_bytes(100000));
}

TEST(ReadFile, RefusesWhatIsNoFileWithContent) {
  const TempFolder folder;
  write_file(folder / "empty", {});
  EXPECT_THAT(data_error([&] { read_file_bytes(folder / "absent"); }), HasSubstr("absent: no such file"));
  EXPECT_THAT(data_error([&] { read_file_bytes(folder.path()); }), HasSubstr("found a folder"));
  EXPECT_THAT(data_error([&] { read_file_bytes(folder / "empty"); }), HasSubstr("the file is empty"));
}

TEST(Gunzip, PassesOnWhatIsNotGzip) {
  EXPECT_EQ(gunzip_if_needed({1, 2, 3}, "x"), (Bytes{1, 2, 3}));
}

TEST(Gunzip, RestoresTheContent) {
  for (const size_t size : {0, 1, 65536, 1000000}) {
    EXPECT_EQ(gunzip_if_needed(gzip(counting_bytes(size)), "x"), counting_bytes(size));
  }
}

TEST(Gunzip, ReadsSeveralMembers) {
  auto stored = gzip(counting_bytes(1000));
  const auto second = gzip(counting_bytes(200000));
  stored.insert(stored.end(), second.begin(), second.end());
  auto expected = counting_bytes(1000);
  const auto more = counting_bytes(200000);
  expected.insert(expected.end(), more.begin(), more.end());
  EXPECT_EQ(gunzip_if_needed(stored, "x"), expected);
}

TEST(Gunzip, NoticesTruncationAnywhere) {
  const auto whole = gzip(counting_bytes(5000));
  for (size_t size = 2; size < whole.size(); ++size) {
    const Bytes cut(whole.begin(), whole.begin() + size);
    ASSERT_THAT(gunzip_error(cut), HasSubstr("some/file.gz: the gzip data ends too early"))
        << size << " of " << whole.size();
  }
}

TEST(Gunzip, NoticesEveryChangedByteOfContentAndChecksum) {
  const auto whole = gzip(counting_bytes(400));
  for (size_t at = 10; at < whole.size(); ++at) {
    auto damaged = whole;
    damaged[at] ^= 0x10;
    ASSERT_THAT(gunzip_error(damaged), HasSubstr("some/file.gz: the gzip data")) << "byte " << at;
  }
}

TEST(Gunzip, NoticesTrailingBytes) {
  auto longer = gzip(counting_bytes(400));
  longer.insert(longer.end(), {'a', 'b', 'c', 'd'});
  EXPECT_THAT(gunzip_error(longer), HasSubstr("are damaged"));
}

TEST(Checksum, MatchesThePublishedTestVectors) {  // RFC 1321, FIPS 180: "abc"
  const Bytes abc = {'a', 'b', 'c'};
  EXPECT_EQ(hash_hex(HashKind::kMd5, abc), "900150983cd24fb0d6963f7d28e17f72");
  EXPECT_EQ(hash_hex(HashKind::kSha1, abc), "a9993e364706816aba3e25717850c26c9cd0d89d");
  EXPECT_EQ(hash_hex(HashKind::kSha256, abc), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

}  // namespace
}  // namespace bnlab
