#include "bnlab/ranks/gloo_ranks.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "tests/ranks/processes.h"

namespace bnlab {
namespace {

using std::chrono::milliseconds;
using ::testing::Each;
using ::testing::HasSubstr;
using testing::run_processes;

constexpr milliseconds kLong{15000};

/// Different on each rank, and such that their sum depends on the order.
at::Tensor uneven(std::int64_t size, std::int64_t rank) {
  return at::arange(size, at::kFloat).mul_(7919).add_(104729.f * rank).remainder_(10007).div_(7);
}

std::string bits_of(const at::Tensor& values) {
  const std::string_view bytes(static_cast<const char*>(values.data_ptr()), values.nbytes());
  return std::to_string(std::hash<std::string_view>()(bytes));
}

std::string check_every_call(const RankPlace& place) {
  const auto ranks = join_ranks(place, kLong);
  if (ranks->rank() != place.rank || ranks->size() != place.size) return "another place";
  for (const auto type : {at::kFloat, at::kDouble, at::kLong, at::kInt, at::kByte, at::kChar}) {
    const auto mine = at::full({2, 3}, ranks->rank() + 1, type);
    const auto all = ranks->gather(mine);
    if (all.scalar_type() != type || all.sizes() != at::IntArrayRef({ranks->size(), 2, 3})) return "gather: form";
    for (std::int64_t rank = 0; rank < ranks->size(); ++rank) {
      if (!all[rank].eq(rank + 1).all().item<bool>()) return "gather: values";
    }
    auto sum = mine.clone();
    ranks->begin_sum(sum)();
    if (!sum.eq(ranks->size() * (ranks->size() + 1) / 2).all().item<bool>()) return "sum";
    auto first = mine.clone();
    ranks->take_from_first(first);
    if (!first.eq(1).all().item<bool>()) return "take_from_first";
  }
  auto flag = at::full({}, ranks->rank() == 0, at::kBool);
  ranks->take_from_first(flag);
  if (!flag.item<bool>() || ranks->gather(flag).sum().item<std::int64_t>() != ranks->size()) return "bool";
  if (ranks->gather(at::zeros({0, 4})).sizes() != at::IntArrayRef({ranks->size(), 0, 4})) return "nothing to gather";
  return "good";
}

TEST(GlooRanks, EveryCallWithEveryType) {
  for (const std::int64_t size : {1, 2, 3, 4}) EXPECT_THAT(run_processes(size, check_every_call), Each("good"));
}

TEST(GlooRanks, AreNotWaitedForInVain) {
  // Rank 1, whose first rank never comes.
  const auto said = run_processes(2, [](const RankPlace& place) -> std::string {
    if (place.rank == 0) return "absent";
    const auto begin = std::chrono::steady_clock::now();
    int asked = 0;
    try {
      join_ranks(place, std::chrono::minutes(10), [&asked] { return ++asked == 3; });
    } catch (const RanksError& error) {
      const bool soon = std::chrono::steady_clock::now() - begin < std::chrono::seconds(20);
      return soon ? error.what() : "late";
    }
    return "joined";
  });
  EXPECT_THAT(said[1], HasSubstr("gave up waiting for the other ranks"));
}

TEST(GlooRanks, ManyGatherByARing) {
  EXPECT_THAT(run_processes(9, check_every_call), Each("good"));
}

TEST(GlooRanks, MayBeJoinedAgain) {
  const auto said = run_processes(3, [](const RankPlace& place) {
    for (int group = 0; group < 4; ++group) {
      if (const auto said_so = check_every_call(place); said_so != "good") return said_so;
    }
    return std::string("good");
  });
  EXPECT_THAT(said, Each("good"));
}

/// As a worker does, whose runs each have ranks of their own.
TEST(GlooRanks, MayBeJoinedAgainWithAnotherProcess) {
  const Port one(false), other(false);
  const auto call_at = [](std::int64_t rank, const Port& port) {
    return check_every_call(local_place(rank, 2, port.number()));
  };
  Child first([&] {
    const auto said = call_at(0, one);
    return said == "good" ? call_at(0, other) : said;
  });
  Child second([&] { return call_at(1, one); }), third([&] { return call_at(1, other); });
  EXPECT_EQ(first.said(), "good");
  EXPECT_EQ(second.said(), "good");
  EXPECT_EQ(third.said(), "good");
}

TEST(GlooRanks, StridesMayDifferBetweenRanks) {
  const auto said = run_processes(2, [](const RankPlace& place) {
    const auto ranks = join_ranks(place, kLong);
    auto values = at::arange(48, at::kFloat).view({2, 3, 2, 4});
    auto strided = ranks->rank() == 1 ? values.contiguous(at::MemoryFormat::ChannelsLast) : values.clone();
    if (!at::equal(ranks->gather(strided)[1 - ranks->rank()], values)) return "gather";
    ranks->begin_sum(strided)();
    if (!at::equal(strided, 2 * values)) return "sum";
    if (strided.is_contiguous() == (ranks->rank() == 1)) return "strides";
    if (ranks->rank() == 1) strided.zero_();
    ranks->take_from_first(strided);
    return at::equal(strided, 2 * values) ? "good" : "take_from_first";
  });
  EXPECT_THAT(said, Each("good"));
}

/// The bits of many sums, several of which are under way at a time.
std::string bits_of_sums(const RankPlace& place) {
  const auto ranks = join_ranks(place, kLong);
  std::vector<at::Tensor> sums;
  std::vector<std::function<void()>> ends;
  for (const std::int64_t size : {1, 2, 3, 5, 7, 64, 1000, 1023, 100003, 1000000}) {
    sums.push_back(uneven(size, ranks->rank()));
    ends.push_back(ranks->begin_sum(sums.back()));
  }
  for (auto end = ends.rbegin(); end != ends.rend(); ++end) (*end)();
  std::string bits;
  for (const auto& sum : sums) {
    auto expected = uneven(sum.numel(), 0);
    for (std::int64_t rank = 1; rank < ranks->size(); ++rank) expected += uneven(sum.numel(), rank);
    const bool near = (sum - expected).abs_().max().item<float>() < 0.01;
    if (!near) return "a wrong sum of " + std::to_string(sum.numel());
    bits += bits_of(sum) + " ";
  }
  return bits;
}

TEST(GlooRanks, SumsHaveTheSameBitsOnAllRanksAndInEveryRun) {
  for (const std::int64_t size : {2, 3, 4}) {
    const auto said = run_processes(size, bits_of_sums);
    EXPECT_THAT(said.front(), ::testing::Not(HasSubstr("threw"))) << said.front();
    EXPECT_THAT(said.front(), ::testing::Not(HasSubstr("wrong"))) << said.front();
    EXPECT_THAT(said, Each(said.front()));
    EXPECT_THAT(run_processes(size, bits_of_sums), Each(said.front()));
  }
}

TEST(GlooRanks, WhatCannotBeSummedIsRefused) {
  const auto ranks = join_ranks(testing::local_place(0, 1, 1), kLong);
  EXPECT_THROW(ranks->begin_sum(at::zeros({2}, at::kBFloat16)), std::invalid_argument);
  EXPECT_THROW(ranks->begin_sum(at::zeros({4, 4}).slice(1, 0, 2)), std::invalid_argument);
}

TEST(GlooRanks, RequireSameNamesTheFirstRankThatDiffers) {
  const auto said = run_processes(3, [](const RankPlace& place) -> std::string {
    const auto ranks = join_ranks(place, kLong);
    require_same(*ranks, "the seed", "7");
    require_same(*ranks, "the spec", place.rank == 2 ? "model=vgg16 depth=10" : "model=vgg16 depth=1");
    return "passed";
  });
  for (std::size_t rank = 0; rank < 3; ++rank) {
    EXPECT_EQ(said[rank],
              "threw: rank " + std::to_string(rank) +
                  " of 3: the spec is not the same on all ranks: rank 2 has \"model=vgg16 depth=10\", rank 0 has "
                  "\"model=vgg16 depth=1\"; start all by the same command, with the same program and data");
  }
}

}  // namespace
}  // namespace bnlab
