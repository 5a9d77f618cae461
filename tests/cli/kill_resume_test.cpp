// Killed at random moments, a run goes on and ends with the same bits.
#include <gtest/gtest.h>

#include <random>

#include "bnlab/record/run_store.h"
#include "tests/cli/program.h"

namespace bnlab {
namespace {

using testing::Program;
using testing::TempFolder;

std::vector<std::string> train_into(const std::filesystem::path& out) {
  // A checkpoint after every step, so that many kills fall into its write.
  return {"train",
          "--data",
          "gaussian",
          "--width",
          "0.03",
          "--steps",
          "400",
          "--batch",
          "16",
          "--momentum",
          "0.9",
          "--augment",
          "flip-crop",
          "--keep",
          "weights",
          "--keep-every",
          "50",
          "--probe",
          "accuracy:every=9,examples=50,at_end=true",
          "--probe",
          "activations:every=7,layers=[2,7],images=8,samples=32",
          "--checkpoint-seconds",
          "0",
          "--out",
          out.string()};
}

std::filesystem::path only_run(const std::filesystem::path& out) {
  return std::filesystem::directory_iterator(out / "runs")->path();
}

/// When the run's checkpoint was last written; the epoch if there is none yet.
std::filesystem::file_time_type checkpoint_time(const std::filesystem::path& out) {
  if (!std::filesystem::exists(out / "runs")) return {};  // killed before it began
  const auto checkpoint = RunPaths{only_run(out)}.checkpoint();
  return std::filesystem::exists(checkpoint) ? std::filesystem::last_write_time(checkpoint)
                                             : std::filesystem::file_time_type{};
}

TEST(KillResume, KilledAtRandomMomentsItEndsWithTheSameBits) {
  TempFolder whole, killed;
  ASSERT_EQ(Program(train_into(whole.path())).wait(), 0);
  std::mt19937 random(1805);
  std::uniform_int_distribution<int64_t> pause(250, 1300);
  double patience = 1;  // grows where the program starts more slowly than it is killed
  int kills = 0, resumed = 0;
  std::filesystem::file_time_type last_checkpoint{};
  for (int attempt = 0; attempt < 200; ++attempt) {
    Program program(train_into(killed.path()));
    testing::sleep_ms(static_cast<int64_t>(patience * static_cast<double>(pause(random))));
    program.signal(SIGKILL);
    if (program.wait() == 0) break;
    ++kills;
    const auto written = checkpoint_time(killed.path());
    resumed += written != std::filesystem::file_time_type{};
    if (written == last_checkpoint) patience *= 1.2;
    last_checkpoint = written;
  }
  ASSERT_EQ(Program(train_into(killed.path())).wait(), 0);
  EXPECT_GE(kills, 3);
  EXPECT_GE(resumed, 2) << "the kills came too early to test a resumption";
  const auto a = only_run(whole.path()), b = only_run(killed.path());
  EXPECT_EQ(a.filename(), b.filename());
  EXPECT_EQ(RunReader(a).dump_rows(), RunReader(b).dump_rows());
  // The last frame holds the final weights; the running statistics speak through the last test accuracy.
  EXPECT_EQ(read_trajectory(RunPaths{a}.trajectory()).steps.back(), 400);
  EXPECT_EQ(read_file(RunPaths{a}.trajectory()), read_file(RunPaths{b}.trajectory()));
}

}  // namespace
}  // namespace bnlab
