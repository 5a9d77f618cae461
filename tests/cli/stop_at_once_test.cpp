// Ctrl-C while bnlab doctor or a repair reads a file: a sentence, exit status 130, and no file.
#include <gmock/gmock.h>
#include <sys/stat.h>

#include "tests/cli/program.h"

namespace bnlab {
namespace {

using testing::Program;
using testing::TempFolder;

class StopAtOnce : public ::testing::TestWithParam<int> {};

void expect_stopped(const std::vector<std::string>& command, int signal_number) {
  TempFolder folder;
  const std::string pipe = (folder / "model.pt").string(), out = (folder / "out").string();
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  std::vector<std::string> arguments = {command.front(), pipe, "--out", out};
  arguments.insert(arguments.end(), command.begin() + 1, command.end());
  Program program(arguments);
  for (int look = 0; look < 3000 && !program.catches(signal_number); ++look) testing::sleep_ms(20);
  program.signal(signal_number);  // it waits for somebody to write into the pipe
  EXPECT_EQ(program.wait(), 130) << program.err();
  EXPECT_EQ(program.err(), "bnlab: stopped; no file was written\n");
  EXPECT_EQ(program.out(), "");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1) << "more than the pipe";
}

TEST_P(StopAtOnce, DoctorEndsInASentence) {
  expect_stopped({"doctor"}, GetParam());
}

TEST_P(StopAtOnce, RepairsEndInASentence) {
  expect_stopped({"freeze"}, GetParam());
  expect_stopped({"recalibrate", "--data", "inputs.pt"}, GetParam());
}

INSTANTIATE_TEST_SUITE_P(Signals, StopAtOnce, ::testing::Values(SIGINT, SIGTERM));

}  // namespace
}  // namespace bnlab
