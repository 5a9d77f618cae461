#include "bnlab/record/run_lease.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <memory>
#include <vector>

#include "bnlab/record/files.h"
#include "bnlab/record/lease_watch.h"
#include "tests/temp_folder.h"

namespace bnlab {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;

constexpr milliseconds kBeat{40}, kPatience{400};

LeaseOwner on_machine(const std::string& host) {
  return {host, "kernel of " + host, "", ::getpid()};
}

void sleep_for(milliseconds time) {
  std::this_thread::sleep_for(time);
}

/// Another process, which ends with the result of `work`, or is killed.
class Child {
 public:
  explicit Child(const std::function<int()>& work) : pid_(fork()) {
    if (pid_ == 0) _exit(work());
  }
  ~Child() {
    if (pid_ > 0) kill(pid_, SIGKILL), wait();
  }
  void signal(int number) { kill(pid_, number); }
  int wait() {
    int status = 0;
    waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }

 private:
  pid_t pid_;
};

class RunLeaseTest : public ::testing::Test {
 protected:
  std::unique_ptr<RunLease> take(const std::string& host, const std::string& abandoned = "") {
    return std::make_unique<RunLease>(file_, abandoned, on_machine(host), kBeat);
  }

  /// Holds the lease as a process of machine A; ends with 7 if it has lost it.
  int hold() {
    try {
      const auto lease = take("A");
      for (int i = 0; i < 1000; ++i, sleep_for(milliseconds(10))) lease->require();
    } catch (const LeaseLost&) {
      return 7;
    }
    return 0;
  }

  void wait_for_holder() {
    for (int i = 0; i < 1000 && !read_lease(file_); ++i) sleep_for(milliseconds(5));
    ASSERT_TRUE(read_lease(file_));
  }

  /// The token of the lease, once it is abandoned; "" if it is not within four times the patience.
  std::string wait_until_abandoned() {
    LeaseWatch watch(kPatience);
    for (int i = 0; i < 160; ++i, sleep_for(milliseconds(10))) {
      const LeaseSight sight = watch.look(temp_.path());
      if (sight.state == LeaseState::kAbandoned) return sight.record.token;
    }
    return "";
  }

  testing::TempFolder temp_;
  std::filesystem::path file_ = lease_of(temp_.path());
};

TEST_F(RunLeaseTest, OfAHolderThatBeatsIsNeverAbandonedAndRefusesOthers) {
  const auto lease = take("A");
  EXPECT_EQ(wait_until_abandoned(), "");
  lease->require();
  try {
    take("B");
    FAIL();
  } catch (const RunHeld& held) {
    EXPECT_THAT(held.what(), HasSubstr("A, process"));
  }
}

TEST_F(RunLeaseTest, GivenBackIsFreeAtOnceAndCountsHowOftenItWasTaken) {
  take("A").reset();
  EXPECT_EQ(LeaseWatch(kPatience).look(temp_.path()).state, LeaseState::kFree);
  const auto lease = take("B");
  EXPECT_EQ(read_lease(file_)->generation, 2);
  EXPECT_EQ(read_lease(file_)->owner.host, "B");
}

TEST_F(RunLeaseTest, OfAKilledProcessOfAnotherMachineIsTakenOverAfterTheTimeButNotBefore) {
  Child holder([this] { return hold(); });
  wait_for_holder();
  holder.signal(SIGKILL);
  holder.wait();
  EXPECT_THROW(take("B"), RunHeld);
  const std::string token = wait_until_abandoned();
  ASSERT_NE(token, "");
  const auto lease = take("B", token);
  lease->require();
  EXPECT_EQ(read_lease(file_)->generation, 2);
}

TEST_F(RunLeaseTest, OfAKilledProcessOfThisMachineIsFreeAtOnce) {
  Child holder([this] {
    const RunLease lease(file_, "", LeaseOwner::this_process(), kBeat);
    sleep_for(milliseconds(10'000));
    return 0;
  });
  wait_for_holder();
  holder.signal(SIGKILL);
  holder.wait();
  EXPECT_EQ(LeaseWatch(kPatience).look(temp_.path()).state, LeaseState::kFree);
  const RunLease lease(file_, "", LeaseOwner::this_process(), kBeat);
}

TEST_F(RunLeaseTest, AStoppedHolderThatGoesOnNoticesThatItHasLostIt) {
  Child holder([this] { return hold(); });
  wait_for_holder();
  holder.signal(SIGSTOP);
  const auto lease = take("B", wait_until_abandoned());
  const std::string mine = lease->token();
  holder.signal(SIGCONT);
  EXPECT_EQ(holder.wait(), 7);
  lease->require();  // its last beat, and its giving back, harmed nobody
  EXPECT_EQ(read_lease(file_)->token, mine);
  EXPECT_FALSE(read_lease(file_)->released);
}

TEST_F(RunLeaseTest, OfManyTakersOneWins) {
  for (int round = 0; round < 10; ++round) {
    const std::string before = round == 0 ? "" : read_lease(file_)->token;
    const int64_t generation = round == 0 ? 0 : read_lease(file_)->generation;
    std::vector<std::unique_ptr<Child>> takers;
    for (int i = 0; i < 6; ++i) {
      takers.push_back(std::make_unique<Child>([&, i] {
        try {
          const auto lease = take("machine " + std::to_string(i), before);
          sleep_for(milliseconds(300));  // until all have tried
          lease->require();
          kill(getpid(), SIGKILL);
        } catch (const RunHeld&) {
          return 1;
        } catch (const std::exception&) {
          return 2;
        }
        return 3;
      }));
    }
    int won = 0, refused = 0;
    for (auto& taker : takers) {
      const int ended = taker->wait();
      won += ended == -SIGKILL;
      refused += ended == 1;
    }
    EXPECT_EQ(won, 1);
    EXPECT_EQ(refused, 5);
    EXPECT_EQ(read_lease(file_)->generation, generation + 1);
  }
  int files = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(temp_.path())) ++files;
  EXPECT_EQ(files, 1) << "takers leave nothing behind";
}

TEST_F(RunLeaseTest, ATakerThatDiedOnItsWayBlocksNobodyForEver) {
  {
    Child holder([this] { return hold(); });
    wait_for_holder();
    holder.signal(SIGKILL);
    holder.wait();
  }
  const auto successor = successor_of(file_, read_lease(file_)->token);
  std::filesystem::copy_file(file_, successor);  // of a machine A
  EXPECT_THROW(take("B", read_lease(file_)->token), RunHeld);
  const std::string token = wait_until_abandoned();
  ASSERT_NE(token, "");
  take("B", token)->require();
  EXPECT_FALSE(std::filesystem::exists(successor));
}

TEST_F(RunLeaseTest, IsLostWhenTheRunIsRemoved) {
  const auto lease = take("A");
  std::filesystem::remove(file_);
  EXPECT_THROW(lease->require(), LeaseLost);
}

TEST_F(RunLeaseTest, ADamagedOneIsRefusedWithTheRemedy) {
  write_file_atomically(file_, std::string(1024, 'x'));
  try {
    take("A");
    FAIL();
  } catch (const RunHeld& held) {
    EXPECT_THAT(held.what(), HasSubstr("remove that file"));
  }
}

TEST_F(RunLeaseTest, AwaitedItIsHeldOnTheFirstBeatAndAbandonedAfterTheTime) {
  {
    const auto lease = take("A");
    EXPECT_THROW(await_lease(temp_.path(), milliseconds(5000)), RunHeld);
  }
  EXPECT_EQ(await_lease(temp_.path(), kPatience), "");
  Child holder([this] { return hold(); });
  for (int i = 0; i < 1000 && read_lease(file_)->released; ++i) sleep_for(milliseconds(5));
  holder.signal(SIGKILL);
  holder.wait();
  EXPECT_EQ(await_lease(temp_.path(), kPatience), read_lease(file_)->token);
}

}  // namespace
}  // namespace bnlab
