#include "bnlab/launch/local_ranks.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <thread>
#include <tuple>

#include "bnlab/record/files.h"
#include "tests/temp_folder.h"

namespace bnlab {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;
using ::testing::Not;

/// The ranks are shell scripts; what they write is kept in files.
class LocalRanksTest : public ::testing::Test {
 protected:
  /// Runs in a process of its own, as its caller would be.
  pid_t start(std::int64_t size, const std::string& script, milliseconds grace = milliseconds(10000)) {
    std::fflush(nullptr);  // or the child says once more what waits to be written
    const pid_t caller = ::fork();
    if (caller != 0) return caller;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (const int stream : {STDOUT_FILENO, STDERR_FILENO}) {
      const auto file = temp_ / (stream == STDOUT_FILENO ? "out" : "err");
      ::dup2(::open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600), stream);
    }
    int status = 99;
    try {
      status = run_local_ranks("/bin/sh", {"-c", "cd " + temp_.path().string() + "; " + script}, size, grace);
    } catch (...) {
    }
    ::_exit(status);
  }

  static int status_of(pid_t process) {
    int status = 0;
    ::waitpid(process, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }

  std::string read(const std::string& name) const {
    return std::filesystem::exists(temp_ / name) ? read_file(temp_ / name) : "";
  }

  /// Until each rank has written its file "ready.N".
  void wait_for_ready(std::int64_t size) const {
    for (int i = 0; i < 1000; ++i) {
      bool all = true;
      for (std::int64_t rank = 0; rank < size; ++rank)
        all &= std::filesystem::exists(temp_ / ("ready." + std::to_string(rank)));
      if (all) return;
      std::this_thread::sleep_for(milliseconds(10));
    }
    FAIL() << "the ranks did not start";
  }

  testing::TempFolder temp_;
};

TEST_F(LocalRanksTest, EachKnowsItsPlace) {
  ::setenv("RANK", "77", 1);
  ::setenv("TORCHELASTIC_USE_AGENT_STORE", "True", 1);
  const auto script =
      "echo $RANK $LOCAL_RANK $WORLD_SIZE $LOCAL_WORLD_SIZE $MASTER_ADDR ${TORCHELASTIC_USE_AGENT_STORE:-none} "
      ">said.$RANK; "
      "echo $MASTER_PORT $BNLAB_LOCAL_RANKS >group.$RANK";
  EXPECT_EQ(status_of(start(3, script)), 0);
  ::unsetenv("RANK");
  ::unsetenv("TORCHELASTIC_USE_AGENT_STORE");
  for (const std::string rank : {"0", "1", "2"}) {
    EXPECT_EQ(read("said." + rank), rank + " " + rank + " 3 3 127.0.0.1 none\n");
    EXPECT_EQ(read("group." + rank), read("group.0"));
  }
  EXPECT_GT(std::stoi(read("group.0")), 1023);
}

TEST_F(LocalRanksTest, OutputOfTheFirstAndErrorsOfAll) {
  EXPECT_EQ(status_of(start(2, "echo out $RANK; echo err $RANK >&2; echo more $RANK >&2; printf rest >&2")), 0);
  EXPECT_EQ(read("out"), "out 0\n");
  std::string err = read("err");  // of two ranks at once: each line is whole, in an order of its own
  for (const char* line : {"[rank 1] err 1\n", "[rank 1] more 1\n", "[rank 1] rest\n", "err 0\n", "more 0\n", "rest"}) {
    const size_t at = err.find(line);
    ASSERT_NE(at, std::string::npos) << line << " is not in " << read("err");
    err.erase(at, std::string(line).size());
  }
  EXPECT_EQ(err, "");
}

TEST_F(LocalRanksTest, OneThatFailsEndsTheOthers) {
  const auto script =
      "trap 'echo told >told.$RANK; exit 1' TERM; : >ready.$RANK; "
      "while test $RANK != 1 -o ! -e ready.0 -o ! -e ready.2; do sleep 0.02; done; exit 7";
  EXPECT_EQ(status_of(start(3, script)), 7);
  EXPECT_EQ(read("told.0"), "told\n");
  EXPECT_EQ(read("told.1"), "");
  EXPECT_EQ(read("told.2"), "told\n");
}

TEST_F(LocalRanksTest, OneThatIsKilledIsNamed) {
  EXPECT_EQ(status_of(start(2, "test $RANK = 1 && kill -9 $$; exec sleep 60")), 128 + 9);
  EXPECT_THAT(read("err"), HasSubstr("rank 1 was ended by signal 9 (Killed)"));
}

TEST_F(LocalRanksTest, OneThatDoesNotStopIsKilled) {
  const auto begin = std::chrono::steady_clock::now();
  const auto script =
      "trap '' TERM; : >ready.$RANK; while test ! -e ready.0 -o ! -e ready.1; do sleep 0.02; done; "
      "test $RANK = 0 && exit 3; while :; do sleep 0.1; done";
  EXPECT_EQ(status_of(start(2, script, milliseconds(300))), 3);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(10));
}

TEST_F(LocalRanksTest, SignalsArePassedOnOnce) {
  const auto script =
      "trap 'echo $RANK >>term; sleep 0.2; exit 5' TERM; trap 'echo $RANK >>int; exit 6' INT; : >ready.$RANK; "
      "while :; do sleep 0.05; done";
  for (const auto& [number, status, file] : {std::tuple{SIGTERM, 5, "term"}, {SIGINT, 6, "int"}}) {
    for (const auto* ready : {"ready.0", "ready.1"}) std::filesystem::remove(temp_ / ready);
    const pid_t caller = start(2, script);
    wait_for_ready(2);
    ::kill(caller, number);
    EXPECT_EQ(status_of(caller), status);
    EXPECT_EQ(read(file).size(), 4u) << read(file);
  }
  EXPECT_EQ(read("term").size() + read("int").size(), 8u) << "none was told twice";
  EXPECT_EQ(read("err"), "");
}

TEST_F(LocalRanksTest, TheyEndWithTheirParent) {
  const pid_t caller = start(2, "echo $$ >pid.$RANK; : >ready.$RANK; exec sleep 60");
  wait_for_ready(2);
  ::kill(caller, SIGKILL);
  EXPECT_EQ(status_of(caller), -SIGKILL);
  for (const std::string rank : {"0", "1"}) {
    const pid_t orphan = std::stoi(read("pid." + rank));
    bool gone = false;
    for (int i = 0; i < 300 && !gone; ++i) {
      std::this_thread::sleep_for(milliseconds(10));
      gone = !std::filesystem::exists("/proc/" + std::to_string(orphan) + "/exe");
    }
    EXPECT_TRUE(gone);
  }
}

TEST_F(LocalRanksTest, WhatCannotBeStartedIsAnError) {
  EXPECT_THROW(run_local_ranks("/bin/true", {}, 0), std::invalid_argument);
  EXPECT_EQ(run_local_ranks("/no/program", {}, 2), 127);
  EXPECT_EQ(run_local_ranks("/bin/true", {}, 2), 0);
}

}  // namespace
}  // namespace bnlab
