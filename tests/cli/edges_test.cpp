// The program where its surroundings fail it: streams that take nothing, folders that may not be read, an environment
// that asks for what this machine does not have, too little memory. It ends with its exit status and one sentence.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "bnlab/record/files.h"
#include "bnlab/record/run_store.h"
#include "tests/temp_folder.h"

namespace bnlab {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;
using ::testing::StartsWith;
using testing::TempFolder;

const char kFull[] = "bnlab: cannot write to standard output: No space left on device\n";
const char kTinyRun[] = " train --data gaussian --width 0.1 --batch 8 --steps 2 --out ";

struct Ended {
  int status;  ///< of the shell; 128 + signal for a program that a signal ended
  std::string out, err;
};

/// Runs a script of the shell in which $B is the program.
Ended shell(const std::string& script) {
  TempFolder folder;
  ::setenv("B", BNLAB_PROGRAM, 1);
  std::ofstream(folder / "script") << script << "\n";
  const std::string place = folder.path().string();
  const int status = std::system(("sh " + place + "/script >" + place + "/out 2>" + place + "/err").c_str());
  return {WEXITSTATUS(status), read_file(folder / "out"), read_file(folder / "err")};
}

/// Starts the program as somebody whom permissions bind.
std::string as_nobody() {
  return ::geteuid() == 0 ? "setpriv --reuid=65534 --regid=65534 --clear-groups \"$B\"" : "\"$B\"";
}

bool is_one_sentence(const std::string& text) {
  return text.starts_with("bnlab: ") && text.find('\n') == text.size() - 1;
}

TEST(PathsThatAreNotUtf8, ArePrintedAndRefusedWhereTheyMustBeStored) {
  TempFolder temp;
  const std::string place = temp.path().string();
  const Ended trained = shell("D=" + place + "/$(printf '\\377'); \"$B\"" + kTinyRun + "\"$D\" --json");
  EXPECT_EQ(trained.status, 0) << trained.err;
  EXPECT_THAT(trained.out, HasSubstr("\xEF\xBF\xBD"));
  // A link of such a name to the data set: found and read, but no request can hold its name.
  const Ended reproduced = shell("D=" + place +
                                 "/$(printf '\\376'); ln -s /usr/share/datasets/fashion-mnist \"$D\"; \"$B\" "
                                 "reproduce --scale smoke --only dln-ics --data fashion-mnist:\"$D\" --out " +
                                 place + "/out");
  EXPECT_EQ(reproduced.status, 2);
  EXPECT_THAT(reproduced.err, HasSubstr("not UTF-8"));
  EXPECT_PRED1(is_one_sentence, reproduced.err);
}

TEST(AFileThatMayNotGrow, IsAnErrorAndNoSignal) {
  TempFolder temp;
  const Ended ended = shell("ulimit -f 8; \"$B\"" + std::string(kTinyRun) + (temp.path() / "run").string());
  EXPECT_EQ(ended.status, 1) << ended.err;
  EXPECT_PRED1(is_one_sentence, ended.err);
}

TEST(FullOutput, FailsWithOneSentence) {
  for (const char* command : {"--help", "--version", "train --help", "list", "list --json", "data list",
                              "data list --json", "data check gaussian", "train --data gaussian --print-spec"}) {
    const Ended ended = shell(std::string("\"$B\" ") + command + " >/dev/full");
    EXPECT_EQ(ended.status, 1) << command;
    EXPECT_EQ(ended.err, kFull) << command;
  }
}

TEST(FullOutput, OfErrorsCostsNeitherTheWorkNorTheStatus) {
  TempFolder folder;
  EXPECT_EQ(shell("\"$B\"" + (kTinyRun + folder.path().string()) + " 2>/dev/full").status, 0);
  EXPECT_EQ(shell("\"$B\" list --data mnist:/absent 2>/dev/full").status, 0);
  EXPECT_EQ(shell("\"$B\" lost 2>/dev/full").status, 2);
  EXPECT_EQ(shell("\"$B\" list >/dev/full 2>&1").status, 1);
}

TEST(ClosedStreams, AreLikeTheNullDevice) {
  for (const char* closed : {"<&-", ">&-", "2>&-", "<&- >&- 2>&-"}) {
    EXPECT_EQ(shell(std::string("\"$B\" list ") + closed).status, 0) << closed;
    EXPECT_EQ(shell(std::string("\"$B\" --help ") + closed).status, 0) << closed;
    EXPECT_EQ(shell(std::string("\"$B\" lost ") + closed).status, 2) << closed;
  }
}

TEST(ClosedStreams, AreNotGivenToFiles) {
  TempFolder folder;
  const std::string probe = "for f in 0 1 2; do readlink /proc/$p/fd/$f; done";
  const Ended ended = shell("\"$B\" train --data gaussian --width 0.1 --batch 8 --steps 100000 --out " +
                            folder.path().string() + " <&- >&- 2>&- & p=$!; until ls " + folder.path().string() +
                            "/runs/*/run.sqlite; do sleep 0.1; done >/dev/null 2>&1; " + probe + "; kill $p; wait $p");
  EXPECT_EQ(ended.out, "/dev/null\n/dev/null\n/dev/null\n");
  EXPECT_EQ(ended.status, 130);
}

TEST(ReaderThatLeft, EndsTheProgramQuietly) {
  for (const char* command : {"list", "--help", "list --json"}) {
    const Ended ended = shell(std::string("exec 3>&1; { sleep 0.3; \"$B\" ") + command + "; echo $? >&3; } | true");
    EXPECT_EQ(ended.out, "1\n") << command;
    EXPECT_EQ(ended.err, "") << command;
  }
}

class Unreadable : public ::testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::permissions(folder_.path(), std::filesystem::perms(0755));
    if (shell(as_nobody() + " --version").status != 0) GTEST_SKIP() << "nobody else may start the program here";
    std::filesystem::create_directories(place_);
    for (const char* name : {"train-images-idx3-ubyte.gz", "data_batch_1.bin"}) std::ofstream(place_ / name) << "x";
  }
  void TearDown() override { std::filesystem::permissions(place_, std::filesystem::perms(0755)); }

  TempFolder folder_;
  const std::filesystem::path place_ = folder_ / "data";
};

TEST_F(Unreadable, FolderIsNotCalledAbsent) {
  const auto denied =
      AllOf(HasSubstr("cannot be read: Permission denied"), Not(HasSubstr("not found")), Not(HasSubstr("install")));
  std::filesystem::permissions(place_, std::filesystem::perms(0));
  for (const std::string set : {"fashion-mnist", "cifar10"}) {
    const Ended check = shell(as_nobody() + " data check " + set + ":" + place_.string());
    EXPECT_EQ(check.status, 1);
    EXPECT_THAT(check.out, denied);
    const Ended train = shell(as_nobody() + " train --print-spec --data " + set + ":" + place_.string());
    EXPECT_EQ(train.status, 1);
    EXPECT_THAT(train.err, denied);
    EXPECT_TRUE(is_one_sentence(train.err)) << train.err;
    EXPECT_THAT(shell(as_nobody() + " train --print-spec --data " + set + ":" + (place_ / "inner").string()).err,
                denied);
  }
  EXPECT_THAT(shell("export BNLAB_CIFAR10_DIR=" + place_.string() + "; " + as_nobody() + " data check cifar10").out,
              denied);
  EXPECT_THAT(shell("export BNLAB_CIFAR10_DIR=" + place_.string() + "; " + as_nobody() + " data list").out,
              HasSubstr("data_batch_1.bin cannot be read: Permission denied"));
}

TEST_F(Unreadable, FileIsNotCalledAbsent) {
  std::filesystem::permissions(place_ / "data_batch_1.bin", std::filesystem::perms(0));
  EXPECT_THAT(shell(as_nobody() + " train --print-spec --data cifar10:" + place_.string()).err,
              HasSubstr("data_batch_1.bin: could not be opened: Permission denied"));
}

TEST(ForcedInstructionSet, ThatThisMachineLacksIsRefusedByEveryCommand) {
  for (const char* name : {"sse9", "PORTABLE", " avx2"}) {
    for (const char* command :
         {"list", "data list", "data check gaussian", "train --data gaussian --print-spec", "reproduce --only nothing",
          "report /absent", "bench --exactness", "worker /absent --data gaussian"}) {
      const Ended ended = shell(std::string("BNLAB_FORCE_ISA='") + name + "' \"$B\" " + command);
      EXPECT_EQ(ended.status, 2) << command;
      EXPECT_THAT(ended.err, StartsWith(std::string("bnlab: BNLAB_FORCE_ISA is \"") + name + "\"")) << command;
      EXPECT_THAT(ended.err, HasSubstr("portable"));
      EXPECT_TRUE(is_one_sentence(ended.err)) << ended.err;
    }
  }
  for (const char* name : {"", "portable"}) {
    EXPECT_EQ(shell(std::string("BNLAB_FORCE_ISA=") + name + " \"$B\" list").status, 0);
  }
}

TEST(NumberOfThreads, ThatCannotBeIsRefused) {
  for (const char* variable : {"OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"}) {
    for (const char* value : {"0", "-1", "99999", "1e3", "two", "99999999999999999999", "1.5"}) {
      const Ended ended = shell(std::string(variable) + "=" + value + " \"$B\" train --data gaussian --print-spec");
      EXPECT_EQ(ended.status, 2) << value;
      EXPECT_THAT(ended.err, HasSubstr(std::string("bnlab: ") + variable + " is \"" + value + "\"")) << value;
    }
    EXPECT_EQ(shell(std::string(variable) + "=2 \"$B\" list").status, 0);
    EXPECT_EQ(shell(std::string(variable) + "= \"$B\" list").status, 0);
  }
  EXPECT_EQ(shell("OMP_NUM_THREADS=2,1 \"$B\" list").status, 0);
}

TEST(NumberOfThreads, ThatTheMemoryDoesNotHoldIsRefused) {
  TempFolder folder;
  const Ended ended = shell("ulimit -v 4000000; \"$B\" --version >/dev/null || exit 99; \"$B\"" +
                            (kTinyRun + folder.path().string()) + " --threads 1024");
  if (ended.status == 99) GTEST_SKIP() << "the program needs more address space here";
  EXPECT_EQ(ended.status, 2);
  EXPECT_THAT(ended.err, MatchesRegex("bnlab: --threads: 1024 threads were asked for, but only [0-9]+ can .*\n"));
}

TEST(LittleMemory, IsSaidWithWhatMakesTheRunSmaller) {
  TempFolder folder;
  const Ended ended = shell(
      "ulimit -v 3000000; \"$B\" --version >/dev/null || exit 99; \"$B\" train --data gaussian "
      "--batch 2000 --width 4 --steps 2 --out " +
      folder.path().string());
  if (ended.status == 99) GTEST_SKIP() << "the program needs more address space here";
  EXPECT_EQ(ended.status, 1);
  EXPECT_THAT(ended.err, AllOf(HasSubstr("bnlab: memory ran out"), HasSubstr("--batch"), Not(HasSubstr("frame #"))));
}

TEST(WorkingFolder, ThatWasRemovedIsNamedAsTheTrouble) {
  TempFolder folder;
  const Ended ended = shell("mkdir " + (folder / "gone").string() + " && cd " + (folder / "gone").string() +
                            " && rmdir " + (folder / "gone").string() + " && \"$B\" train --data gaussian --steps 2");
  EXPECT_EQ(ended.status, 1);
  EXPECT_TRUE(is_one_sentence(ended.err)) << ended.err;
}

TEST(List, RefusesAFileWhereItWantsAFolder) {
  TempFolder temp;
  const std::string file = temp / "report.html";
  std::ofstream(file) << "a file";
  const Ended listed = shell("\"$B\" list --data gaussian --out " + file);
  EXPECT_NE(listed.status, 0);
  EXPECT_TRUE(listed.out.empty()) << listed.out;
  EXPECT_TRUE(is_one_sentence(listed.err)) << listed.err;
  EXPECT_THAT(listed.err, HasSubstr(file));
}

}  // namespace
}  // namespace bnlab
