#include "bnlab/record/files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>

#include "tests/kill.h"
#include "tests/temp_folder.h"

namespace bnlab {
namespace {

using ::testing::HasSubstr;

std::ptrdiff_t files_in(const std::filesystem::path& folder) {
  return std::distance(std::filesystem::directory_iterator(folder), std::filesystem::directory_iterator());
}

/// As if the disk were full beyond `bytes` a file, while it lives.
class SmallDisk {
 public:
  explicit SmallDisk(rlim_t bytes) : handler_(signal(SIGXFSZ, SIG_IGN)) {
    getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit small{bytes, before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &small);
  }
  ~SmallDisk() {
    setrlimit(RLIMIT_FSIZE, &before_);
    signal(SIGXFSZ, handler_);
  }

 private:
  rlimit before_;
  void (*handler_)(int);
};

TEST(WriteFileAtomically, AFailureLeavesTheOldFile) {
  testing::TempFolder temp;
  write_file_atomically(temp / "file", "old");
  {
    SmallDisk disk(4);
    EXPECT_THROW(write_file_atomically(temp / "file", "longer than that"), FileError);
  }
  EXPECT_EQ(read_file(temp / "file"), "old");
  EXPECT_EQ(files_in(temp.path()), 1);
}

TEST(WriteFileAtomically, KilledAnywhereTheFileIsTheOldOneOrTheNewOne) {
  testing::TempFolder temp;
  int old = 0, fresh = 0;
  for (int nth = 1;; ++nth) {
    write_file_atomically(temp / "file", "old");
    if (!testing::killed_at(nth, [&](const WriteHook& hook) { write_file_atomically(temp / "file", "new", hook); }))
      break;
    const std::string found = read_file(temp / "file");
    (found == "old" ? old : fresh) += 1;
    EXPECT_TRUE(found == "old" || found == "new") << found;
  }
  EXPECT_EQ(old, 4);
  EXPECT_EQ(fresh, 2);
  EXPECT_GT(files_in(temp.path()), 1);
  remove_unfinished_files(temp.path());
  EXPECT_EQ(files_in(temp.path()), 1);
}

TEST(WriteFileAtomically, WritersOfOneFileDoNotShareTheirNewFile) {
  testing::TempFolder temp;
  bool inside = false;
  write_file_atomically(temp / "file", "outer", [&] {
    if (inside) return;
    inside = true;
    write_file_atomically(temp / "file", "another writer's");
    EXPECT_EQ(read_file(temp / "file"), "another writer's");
  });
  EXPECT_EQ(read_file(temp / "file"), "outer");
  EXPECT_EQ(files_in(temp.path()), 1);
}

TEST(ReadFile, AFolderOrNothingIsAFileError) {
  testing::TempFolder temp;
  EXPECT_THROW(read_file(temp.path()), FileError);
  EXPECT_THROW(read_file(temp / "none"), FileError);
  EXPECT_THAT(read_file("/proc/self/status"), HasSubstr("Pid:"));  // of size 0, says the system
}

TEST(FileExists, SaysWhenItCannotBeTold) {
  testing::TempFolder temp;
  EXPECT_FALSE(file_exists(temp / "none"));
  EXPECT_TRUE(file_exists(temp.path()));
  EXPECT_THROW(file_exists(temp / std::string(300, 'x')), FileError);
}

TEST(AppendToFile, AFailureIsAFileErrorAndAPartIsCutOff) {
  testing::TempFolder temp;
  append_to_file(temp / "file", "one");
  {
    SmallDisk disk(5);
    EXPECT_THROW(append_to_file(temp / "file", "two, three"), FileError);
  }
  EXPECT_EQ(size_of_file(temp / "file"), 5u);
  cut_file(temp / "file", 3);
  append_to_file(temp / "file", "two");
  EXPECT_EQ(read_file(temp / "file"), "onetwo");
}

}  // namespace
}  // namespace bnlab
