// What a rank says when another is lost, late or never there.
#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <string>
#include <thread>

#include "bnlab/ranks/gloo_ranks.h"
#include "tests/ranks/processes.h"

namespace bnlab {
namespace {

using std::chrono::milliseconds;
using testing::Child;
using ::testing::HasSubstr;
using testing::local_place;
using testing::Port;
using testing::run_processes;

constexpr milliseconds kShort{700};
constexpr char kGoOn[] = "; look at what the other ranks say; the same command goes on from the last checkpoint";

class Stopwatch {
 public:
  milliseconds time() const {
    return std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - begin_);
  }

 private:
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

std::string sum_for_ever(Ranks& ranks) {
  for (auto values = at::zeros({1000});;) ranks.begin_sum(values)();
}

TEST(Failures, ARankThatIsKilled) {
  for (const std::int64_t victim : {0, 1}) {
    const auto said = run_processes(3, [&](const RankPlace& place) {
      const auto ranks = join_ranks(place, milliseconds(10000));
      if (place.rank == victim) ::raise(SIGKILL);
      return sum_for_ever(*ranks);
    });
    EXPECT_EQ(said.at(static_cast<std::size_t>(victim)), "signal 9");
    EXPECT_EQ(said.at(2), std::string("threw: rank 2 of 3: another rank has ended") + kGoOn);
  }
}

TEST(Failures, ARankThatEndsByItself) {
  const auto said = run_processes(2, [](const RankPlace& place) -> std::string {
    const auto ranks = join_ranks(place, milliseconds(10000));
    if (place.rank == 1) return "left";
    return sum_for_ever(*ranks);
  });
  EXPECT_EQ(said.at(0), std::string("threw: rank 0 of 2: another rank has ended") + kGoOn);
  EXPECT_EQ(said.at(1), "left");
}

TEST(Failures, ARankThatStandsStill) {
  const Port port(false);
  const auto work = [&](std::int64_t rank) {
    const auto ranks = join_ranks(local_place(rank, 2, port.number()), kShort);
    if (rank == 1) ::raise(SIGSTOP);
    return sum_for_ever(*ranks);
  };
  Child first([&] { return work(0); });
  Child second([&] { return work(1); });
  EXPECT_EQ(first.said(), std::string("threw: rank 0 of 2: another rank did not answer in 0.7 s") + kGoOn);
  ::kill(second.pid(), SIGCONT);
  EXPECT_EQ(second.said(), std::string("threw: rank 1 of 2: another rank has ended") + kGoOn);
}

TEST(Failures, TheFirstRankIsNotThere) {
  const Port port(false);
  const Stopwatch watch;
  Child second([&] { return join_ranks(local_place(1, 2, port.number()), kShort) ? "joined" : ""; });
  EXPECT_EQ(second.said(),
            "threw: rank 1 of 2: the first rank was not at 127.0.0.1:" + std::to_string(port.number()) +
                " within 0.7 s; see what it says, and that MASTER_ADDR and MASTER_PORT are the same for all "
                "ranks");
  EXPECT_LT(watch.time(), milliseconds(2500));
}

TEST(Failures, AnotherRankIsNotThere) {
  const Port port(false);
  const Stopwatch watch;
  const auto work = [&](std::int64_t rank) {
    return join_ranks(local_place(rank, 3, port.number()), kShort) ? "joined" : "";
  };
  Child first([&] { return work(0); });
  Child third([&] { return work(2); });
  EXPECT_THAT(first.said(), HasSubstr("threw: rank 0 of 3: rank 1 did not come to 127.0.0.1:"));
  EXPECT_THAT(third.said(), HasSubstr("threw: rank 2 of 3: "));
  EXPECT_LT(watch.time(), milliseconds(2500));
}

TEST(Failures, TheFirstRankEndsWhileOthersAreWaitedFor) {
  const Port port(false);
  const auto work = [&](std::int64_t rank, milliseconds timeout) {
    return join_ranks(local_place(rank, 3, port.number()), timeout) ? "joined" : "";
  };
  Child second([&] { return work(1, milliseconds(10000)); });
  Child first([&] { return work(0, kShort); });
  EXPECT_THAT(first.said(), HasSubstr("rank 2 did not come"));
  EXPECT_THAT(second.said(), HasSubstr("threw: rank 1 of 3: the first rank left 127.0.0.1:"));
}

TEST(Failures, ThePortIsTaken) {
  const Port port(true);
  Child first([&] { return join_ranks(local_place(0, 2, port.number()), kShort) ? "joined" : ""; });
  EXPECT_EQ(first.said(),
            "threw: rank 0 of 2: port " + std::to_string(port.number()) +
                " is already in use on this host; set MASTER_PORT to a free one for all ranks, or end what "
                "uses it");
}

TEST(Failures, SomethingElseListensAtThePort) {
  const Port port(true);
  Child second([&] { return join_ranks(local_place(1, 2, port.number()), kShort) ? "joined" : ""; });
  EXPECT_THAT(second.said(), HasSubstr("threw: rank 1 of 2: "));
}

TEST(Failures, AnAddressThatIsNone) {
  auto place = local_place(1, 2, 29500);
  place.address = "no host of this name.invalid";
  Child second([&] { return join_ranks(place, kShort) ? "joined" : ""; });
  EXPECT_THAT(second.said(),
              HasSubstr("threw: rank 1 of 2: there is no way to MASTER_ADDR=no host of this name.invalid"));
}

TEST(Failures, TwoProcessesOfTheSameRank) {
  const Port port(false);
  const auto work = [&](std::int64_t rank) {
    return join_ranks(local_place(rank, 3, port.number()), milliseconds(1500)) ? "joined" : "";
  };
  Child first([&] { return work(0); });
  Child second([&] { return work(1); });
  Child again([&] { return work(1); });
  const std::string both = second.said() + "\n" + again.said();
  EXPECT_THAT(both, HasSubstr("says that it is rank 1; two runs need two MASTER_PORTs"));
}

TEST(Failures, RanksThatCountDifferently) {
  const Port port(false);
  const auto work = [&](std::int64_t rank, std::int64_t size) {
    return join_ranks(local_place(rank, size, port.number()), kShort) ? "joined" : "";
  };
  Child first([&] { return work(0, 2); });
  Child second([&] { return work(1, 3); });
  EXPECT_THAT(first.said(), HasSubstr("threw: rank 0 of 2: rank 1 says that there are 3 ranks"));
}

TEST(Failures, SumsUnderWayDoNotKeepARankFromLeaving) {
  const Stopwatch watch;
  const auto said = run_processes(2, [](const RankPlace& place) -> std::string {
    auto ranks = join_ranks(place, milliseconds(10000));
    if (place.rank == 1) std::this_thread::sleep_for(kShort);
    if (place.rank == 1) return "left";
    std::vector<std::function<void()>> ends;
    for (int i = 0; i < 5; ++i) ends.push_back(ranks->begin_sum(at::zeros({100000})));
    ends.resize(1);
    ranks.reset();
    ends.clear();
    return "left";
  });
  EXPECT_THAT(said, ::testing::Each("left"));
  EXPECT_LT(watch.time(), milliseconds(5000));
}

TEST(Failures, AFailedGroupStaysFailed) {
  const auto said = run_processes(2, [](const RankPlace& place) -> std::string {
    const auto ranks = join_ranks(place, milliseconds(5000));
    if (place.rank == 1) return "left";
    const auto end = ranks->begin_sum(at::zeros({10}));
    EXPECT_THROW(end(), RanksError);
    const Stopwatch watch;
    try {
      ranks->gather(at::zeros({1}));
    } catch (const RanksError& error) {
      return std::string(watch.time() < milliseconds(200) ? "at once: " : "late: ") + error.what();
    }
    return "gathered";
  });
  EXPECT_EQ(said.at(0), std::string("at once: rank 0 of 2: another rank has ended") + kGoOn);
}

/// Whoever leaves first has handed over all that it has sent.
TEST(Failures, LeavingLosesNothing) {
  for (int attempt = 0; attempt < 5; ++attempt) {
    const auto said = run_processes(3, [](const RankPlace& place) -> std::string {
      const auto ranks = join_ranks(place, milliseconds(5000));
      auto values = at::full({2000000}, static_cast<float>(place.rank == 0));
      ranks->take_from_first(values);
      return values.eq(1).all().item<bool>() ? "good" : "wrong";
    });
    EXPECT_THAT(said, ::testing::Each("good"));
  }
}

}  // namespace
}  // namespace bnlab
