// bnlab serve, and reproduce with the live page beside it, as a person would start them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/cli/program.h"

namespace bnlab {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using testing::Program;
using testing::sleep_ms;
using ::testing::StartsWith;

/// Its first line on standard output, or what has come after 30 seconds.
std::string first_line(const Program& program) {
  std::string out;
  for (int waited = 0; waited < 300 && out.find('\n') == std::string::npos; ++waited) {
    sleep_ms(100);  // first: its file is not there at once
    out = program.out();
  }
  return out.substr(0, out.find('\n'));
}

TEST(Serve, PrintsItsAddressAndEndsCleanlyAtCtrlC) {
  const testing::TempFolder folder;
  Program serve({"serve", folder.path().string(), "--port", "0"});
  EXPECT_THAT(first_line(serve), MatchesRegex("http://127.0.0.1:[0-9]+/"));
  serve.signal(SIGINT);
  EXPECT_EQ(serve.wait(), 0) << serve.err();
}

TEST(Serve, ItsAddressHoldsATokenWhereOthersMayAskOrRunsBeStarted) {
  const testing::TempFolder folder;
  Program open({"serve", folder.path().string(), "--port", "0", "--host", "0.0.0.0"});
  EXPECT_THAT(first_line(open), MatchesRegex("http://0.0.0.0:[0-9]+/\\?token=[0-9a-f]+"));
  Program starting({"serve", folder.path().string(), "--port", "0", "--allow-runs", "--data", "gaussian"});
  EXPECT_THAT(first_line(starting), MatchesRegex("http://127.0.0.1:[0-9]+/\\?token=[0-9a-f]+"));
}

TEST(Serve, SaysWhatIsWrong) {
  const testing::TempFolder folder;
  Program nowhere({"serve", (folder / "nowhere").string()});
  EXPECT_EQ(nowhere.wait(), 1);
  EXPECT_THAT(nowhere.err(), HasSubstr("nowhere: is no folder; name the --out of bnlab reproduce"));
  Program elsewhere({"serve", folder.path().string(), "--host", "203.0.113.1"});
  EXPECT_EQ(elsewhere.wait(), 1);
  EXPECT_THAT(elsewhere.err(), HasSubstr("cannot listen on 203.0.113.1"));
  Program wrong({"serve", folder.path().string(), "--port", "65536"});
  EXPECT_EQ(wrong.wait(), 2);
}

TEST(Serve, ReproduceOpensItFirstAndEndsWithIt) {
  const testing::TempFolder folder;
  const std::string out = (folder / "out").string();
  Program reproduce({"reproduce", "--only", "dln-ics", "--scale", "smoke", "--out", out, "--serve", "--port", "0"});
  EXPECT_EQ(reproduce.wait(), 0) << reproduce.err();
  EXPECT_THAT(reproduce.err(), StartsWith("The page is at http://127.0.0.1:"));
  EXPECT_THAT(reproduce.out(), HasSubstr("report.html"));
  Program without({"reproduce", "--scale", "smoke", "--out", out, "--port", "0"});
  EXPECT_EQ(without.wait(), 2) << "--port is the page's";
}

}  // namespace
}  // namespace bnlab
