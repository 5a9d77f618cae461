#include "bnlab/ranks/rank_place.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "bnlab/ranks/host_address.h"
#include "bnlab/ranks/ranks_error.h"

namespace bnlab {
namespace {

using ::testing::HasSubstr;
using Variables = std::map<std::string, std::string>;

std::optional<RankPlace> place_in(const Variables& variables) {
  return rank_place([&](const std::string& name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    return found == variables.end() ? std::nullopt : std::optional<std::string>(found->second);
  });
}

std::string error_in(const Variables& variables) {
  try {
    place_in(variables);
  } catch (const RanksError& error) {
    return error.what();
  }
  return "no error";
}

Variables with(Variables variables, const Variables& more) {
  for (const auto& [name, value] : more) variables[name] = value;
  return variables;
}

const Variables kTorchrunTwo{{"RANK", "1"}, {"WORLD_SIZE", "2"}, {"MASTER_ADDR", "node7"}, {"MASTER_PORT", "2345"}};
const Variables kMpiTwo{
    {"OMPI_COMM_WORLD_RANK", "1"}, {"OMPI_COMM_WORLD_SIZE", "2"}, {"OMPI_COMM_WORLD_LOCAL_SIZE", "2"}};
const Variables kSlurmTwo{{"SLURM_PROCID", "1"},         {"SLURM_NTASKS", "2"},     {"SLURM_STEP_NUM_TASKS", "2"},
                          {"SLURM_STEP_NUM_NODES", "1"}, {"SLURM_JOB_ID", "31234"}, {"SLURM_STEP_ID", "3"}};

TEST(RankPlace, NoLauncherIsASingleProcess) {
  EXPECT_FALSE(place_in({}));
  EXPECT_FALSE(place_in({{"RANK", ""}, {"WORLD_SIZE", ""}}));
  EXPECT_FALSE(place_in({{"SLURM_PROCID", "0"}, {"SLURM_NTASKS", "2"}, {"SLURM_JOB_ID", "5"}})) << "a batch script";
}

TEST(RankPlace, Torchrun) {
  const auto place = place_in(with(kTorchrunTwo, {{"TORCHELASTIC_RESTART_COUNT", "4"},
                                                  {"TORCHELASTIC_RUN_ID", "mine"},
                                                  {"TORCHELASTIC_USE_AGENT_STORE", "True"}}));
  ASSERT_TRUE(place);
  EXPECT_EQ(place->rank, 1);
  EXPECT_EQ(place->size, 2);
  EXPECT_EQ(place->address, "node7");
  EXPECT_EQ(place->port, 2345);
  EXPECT_EQ(place->launcher, "torchrun");
  EXPECT_EQ(place->prefix, "torchrun/mine/4");
  EXPECT_TRUE(place->store_is_there);
  EXPECT_FALSE(place_in(with(kTorchrunTwo, {{"TORCHELASTIC_USE_AGENT_STORE", "False"}}))->store_is_there);
}

TEST(RankPlace, OpenMpi) {
  const auto place = place_in(kMpiTwo);
  ASSERT_TRUE(place);
  EXPECT_EQ(place->rank, 1);
  EXPECT_EQ(place->size, 2);
  EXPECT_EQ(place->address, "127.0.0.1");
  EXPECT_EQ(place->port, 29500);
  EXPECT_EQ(place->launcher, "Open MPI");
  EXPECT_FALSE(place->store_is_there);
}

TEST(RankPlace, Slurm) {
  const auto place = place_in(kSlurmTwo);
  ASSERT_TRUE(place);
  EXPECT_EQ(place->rank, 1);
  EXPECT_EQ(place->size, 2);
  EXPECT_EQ(place->address, "127.0.0.1");
  EXPECT_EQ(place->port, 21237);
  EXPECT_EQ(place->launcher, "Slurm");
  EXPECT_EQ(place->prefix, "slurm/31234.3");
}

TEST(RankPlace, RankAndSizeComeFromOneLauncher) {
  // mpirun or torchrun within a step of Slurm; torchrun's agents under mpirun.
  const auto mpi = place_in(with(kMpiTwo, with(kSlurmTwo, {{"SLURM_PROCID", "0"}, {"SLURM_STEP_NUM_TASKS", "9"}})));
  EXPECT_EQ(mpi->launcher, "Open MPI");
  EXPECT_EQ(mpi->rank, 1);
  EXPECT_EQ(mpi->size, 2);
  const auto torchrun = place_in(with(kTorchrunTwo, {{"OMPI_COMM_WORLD_RANK", "0"}, {"OMPI_COMM_WORLD_SIZE", "9"}}));
  EXPECT_EQ(torchrun->launcher, "torchrun");
  EXPECT_EQ(torchrun->size, 2);
  EXPECT_THAT(error_in({{"RANK", "1"}, {"OMPI_COMM_WORLD_SIZE", "2"}}), HasSubstr("RANK is set"));
  EXPECT_THAT(error_in(with(kSlurmTwo, {{"WORLD_SIZE", "2"}})),
              HasSubstr("WORLD_SIZE is set in the environment and RANK is not"));
}

TEST(RankPlace, OneRankNeedsNoAddress) {
  const auto place = place_in({{"RANK", "0"}, {"WORLD_SIZE", "1"}});
  ASSERT_TRUE(place);
  EXPECT_EQ(place->size, 1);
}

TEST(RankPlace, AMissingAddressIsAsked) {
  EXPECT_THAT(error_in({{"RANK", "0"}, {"WORLD_SIZE", "2"}}), HasSubstr("MASTER_ADDR is not set"));
  EXPECT_EQ(place_in({{"RANK", "0"}, {"WORLD_SIZE", "2"}, {"LOCAL_WORLD_SIZE", "2"}})->address, "127.0.0.1");
  EXPECT_THAT(error_in(with(kMpiTwo, {{"OMPI_COMM_WORLD_LOCAL_SIZE", "1"}})), HasSubstr("mpirun -x MASTER_ADDR=HOST"));
  EXPECT_THAT(error_in(with(kSlurmTwo, {{"SLURM_STEP_NUM_NODES", "2"}})),
              HasSubstr("export MASTER_ADDR=$(scontrol show hostnames \"$SLURM_JOB_NODELIST\" | head -n 1)"));
}

TEST(RankPlace, WrongValuesAreNamed) {
  EXPECT_THAT(error_in(with(kTorchrunTwo, {{"RANK", "7"}})),
              HasSubstr("RANK=7 in the environment is not below WORLD_SIZE=2"));
  EXPECT_THAT(error_in(with(kTorchrunTwo, {{"RANK", "2"}})), HasSubstr("RANK=2 "));
  for (const std::string wrong : {"two", "2x", "-1", "0x2", " 2", "99999999999999999999", "0"}) {
    EXPECT_THAT(error_in(with(kTorchrunTwo, {{"WORLD_SIZE", wrong}})), HasSubstr("WORLD_SIZE=" + wrong + " in"));
  }
  for (const std::string wrong : {"0", "65536", "http"}) {
    EXPECT_THAT(error_in(with(kTorchrunTwo, {{"MASTER_PORT", wrong}})), HasSubstr("MASTER_PORT=" + wrong + " in"));
  }
  EXPECT_THAT(error_in(with(kSlurmTwo, {{"SLURM_JOB_ID", "x"}})), HasSubstr("SLURM_JOB_ID=x in"));
}

TEST(HostAddress, TheWayToThisHostIsLoopback) {
  const auto route = find_route("127.0.0.1", 29500);
  ASSERT_TRUE(route);
  EXPECT_EQ(route->from, "127.0.0.1");
  EXPECT_EQ(route->to, "127.0.0.1");
  EXPECT_FALSE(find_route("no host of this name.invalid", 29500));
}

TEST(HostAddress, ARankOnTheFirstHostListensWhereOthersReachIt) {
  const Route first{"127.0.0.1", "127.0.1.1"};
  const Route second{"10.0.0.2", "10.0.0.1"};
  EXPECT_EQ(choose_listen_address({first, first, second}, 0), "10.0.0.1");
  EXPECT_EQ(choose_listen_address({first, first, second}, 1), "10.0.0.1");
  EXPECT_EQ(choose_listen_address({first, first, second}, 2), "10.0.0.2");
  EXPECT_EQ(choose_listen_address({first, first}, 1), "127.0.0.1");
  EXPECT_EQ(choose_listen_address({{"::1", "::1"}, {"fe80::2", "fe80::1"}}, 0), "fe80::1");
}

}  // namespace
}  // namespace bnlab
