#include "bnlab/serve/watched_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bnlab/serve/run_pages.h"
#include "tests/serve/written_run.h"
#include "tests/temp_folder.h"

namespace bnlab {
namespace {

using testing::AtWork;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::make_run;
using testing::training;

class WatchedFolderTest : public ::testing::Test {
 protected:
  RunSummary seen(const std::string& id) const { return folder_.summary(id).value(); }
  void write_report(const Json& runs) { write_file_atomically(temp_ / "report.json", Json{{"runs", runs}}.dump()); }

  testing::TempFolder temp_;
  WatchedFolder folder_{temp_.path(), [](const RunSpec&) { return 2.0; }};
};

TEST_F(WatchedFolderTest, FollowsARunFromItsSpecificationToItsEnd) {
  EXPECT_TRUE(folder_.look().runs.empty());
  const std::string id = make_run(temp_.path(), training(1));
  auto changes = folder_.look();
  ASSERT_EQ(changes.runs.size(), 1u);
  EXPECT_EQ(changes.runs[0].state, "waiting");
  EXPECT_EQ(changes.runs[0].title, "vgg11 batch, sgd 0.1, batch 128, seed 1");
  EXPECT_EQ(changes.runs[0].steps, 100);
  EXPECT_TRUE(folder_.look().runs.empty()) << "nothing has changed";
  {
    AtWork work(temp_.path(), id);
    work.go_to(10);
    changes = folder_.look();
    EXPECT_EQ(seen(id).state, "running");
    EXPECT_EQ(seen(id).step, 9);
    EXPECT_EQ(seen(id).loss, 0.1);
    ASSERT_EQ(changes.points.size(), 1u);
    EXPECT_EQ(changes.points[0].loss.steps.size(), 10u);
    work.go_to(12);
    changes = folder_.look();
    EXPECT_THAT(changes.points[0].loss.steps, ElementsAre(10, 11)) << "only what is new";
    EXPECT_EQ(changes.progress.running, 1u);
    EXPECT_DOUBLE_EQ(changes.progress.fraction.value(), 0.12);
    work.go_to(100);
    work.finish();
  }
  changes = folder_.look();
  EXPECT_EQ(seen(id).state, "finished");
  EXPECT_EQ(changes.progress.ended, 1u);
  EXPECT_DOUBLE_EQ(changes.progress.fraction.value(), 1);
  EXPECT_FALSE(changes.progress.left_seconds) << "nobody is at work";
}

TEST_F(WatchedFolderTest, SaysWhereARunDiverged) {
  const std::string id = make_run(temp_.path(), training(1));
  AtWork work(temp_.path(), id);
  work.go_to(7);
  work.finish(7);
  folder_.look();
  EXPECT_EQ(seen(id).state, "diverged");
  EXPECT_EQ(seen(id).diverged_at, 7);
}

TEST_F(WatchedFolderTest, ARunThatNobodyIsAtWorkOnIsUnfinished) {
  const std::string id = make_run(temp_.path(), training(1));
  AtWork(temp_.path(), id).go_to(5);
  folder_.look();
  EXPECT_EQ(seen(id).state, "unfinished") << "its record has not changed while somebody watched";
}

TEST_F(WatchedFolderTest, TakesTitlesAndErrorsFromTheReport) {
  const std::string good = make_run(temp_.path(), training(1)), bad = make_run(temp_.path(), training(2));
  write_report({{{"id", good}, {"title", "with BN"}, {"error", nullptr}},
                {{"id", bad}, {"title", "without BN"}, {"error", "out of memory"}}});
  EXPECT_TRUE(folder_.look().report);
  EXPECT_EQ(seen(good).title, "with BN");
  EXPECT_EQ(seen(good).state, "waiting");
  EXPECT_EQ(seen(bad).state, "failed");
  EXPECT_EQ(seen(bad).error, "out of memory");
  EXPECT_FALSE(folder_.look().report) << "it is still the same";
  AtWork(temp_.path(), bad).go_to(1);
  folder_.look();
  EXPECT_EQ(seen(bad).state, "running") << "somebody tries again";
}

TEST_F(WatchedFolderTest, ShowsTheErrorOfARunUntilItIsTriedAgain) {
  const std::string id = make_run(temp_.path(), training(1));
  folder_.note_error(id, "the data are not there");
  folder_.look();
  EXPECT_EQ(seen(id).state, "failed");
  EXPECT_EQ(seen(id).error, "the data are not there");
  folder_.note_error(id, "");
  folder_.look();
  EXPECT_EQ(seen(id).state, "waiting");
  EXPECT_EQ(seen(id).error, "");
}

TEST_F(WatchedFolderTest, SurvivesReportsAndRunsThatAreNone) {
  write_file_atomically(temp_ / "report.json", "{\"runs\": [{\"id\": 7}]");
  EXPECT_TRUE(folder_.look().report);
  write_file_atomically(temp_ / "report.json", R"({"runs": [{"id": 7}]})");
  EXPECT_TRUE(folder_.look().report);
  std::filesystem::create_directories(temp_ / "runs/0123456789abcdef");
  write_file_atomically(temp_ / "runs/0123456789abcdef/spec.json", "{");
  std::filesystem::create_directories(temp_ / "runs/not-a-run");
  EXPECT_TRUE(folder_.look().runs.empty());
  const std::string id = make_run(temp_.path(), training(1));
  write_file_atomically(temp_.path() / "runs" / id / "run.sqlite", std::string(8192, 'x'));
  folder_.look();
  EXPECT_EQ(seen(id).state, "failed");
  EXPECT_THAT(seen(id).error, HasSubstr("run.sqlite"));
}

TEST_F(WatchedFolderTest, ForgetsRunsThatWereRemoved) {
  const std::string id = make_run(temp_.path(), training(1));
  folder_.look();
  remove_run(temp_.path() / "runs" / id);
  folder_.look();
  EXPECT_FALSE(folder_.summary(id));
  const std::string other = make_run(temp_.path(), training(2));
  folder_.look();
  std::filesystem::remove_all(temp_ / "runs");
  EXPECT_TRUE(folder_.look().runs.empty());
  EXPECT_FALSE(folder_.summary(other));
}

TEST_F(WatchedFolderTest, ReadsNothingOutsideOfTheFolder) {
  const testing::TempFolder elsewhere;
  const std::string id = make_run(elsewhere.path(), training(1));
  AtWork(elsewhere.path(), id).go_to(1);
  std::filesystem::create_directories(temp_ / "runs");
  std::filesystem::create_directory_symlink(elsewhere.path() / "runs" / id, temp_.path() / "runs" / id);
  EXPECT_FALSE(folder_.run_folder(id)) << "a run that is a link";
  std::filesystem::create_symlink("/etc/passwd", temp_ / "report.json");
  EXPECT_FALSE(folder_.file("report.json"));
  EXPECT_FALSE(folder_.file("../" + elsewhere.path().filename().string() + "/runs/" + id + "/spec.json"));

  const std::string own = make_run(temp_.path(), training(2));
  EXPECT_TRUE(folder_.run_folder(own));
  std::filesystem::create_symlink(elsewhere.path() / "runs" / id / "run.sqlite",
                                  temp_.path() / "runs" / own / "run.sqlite");
  EXPECT_FALSE(folder_.run_folder(own)) << "a run whose record is a link";
  std::filesystem::create_directories(temp_ / "logs");
  std::filesystem::create_symlink("/etc/passwd", temp_.path() / "logs" / (own + ".log"));
  EXPECT_FALSE(folder_.file(std::filesystem::path("logs") / (own + ".log")));
  EXPECT_FALSE(folder_.run_folder("../runs/" + own));
}

TEST_F(WatchedFolderTest, IsOneThatIsThere) {
  EXPECT_THROW(WatchedFolder(temp_ / "nowhere", {}), FileError);
}

TEST_F(WatchedFolderTest, TellsOfOneRunWhatThePageAsks) {
  const std::string id = make_run(temp_.path(), training(1));
  EXPECT_EQ(run_details(folder_, id)["series"], Json::array()) << "not begun";
  EXPECT_EQ(run_series(folder_, id, {"train", 0, "loss"}, 5, -1)["of"], 0);
  AtWork(temp_.path(), id).go_to(10);
  folder_.look();
  const Json details = run_details(folder_, id);
  EXPECT_EQ(details["spec"]["model"]["name"], "vgg11");
  EXPECT_EQ(details["fingerprint"], "machine");
  EXPECT_EQ(details["series"][0]["points"], 10);
  const Json all = run_series(folder_, id, {"train", 0, "loss"}, 5, -1);
  EXPECT_EQ(all["steps"], Json::parse("[1, 3, 5, 7, 9]"));
  EXPECT_EQ(run_series(folder_, id, {"train", 0, "loss"}, 5, 7)["steps"], Json::parse("[8, 9]"));
  EXPECT_EQ(run_series(folder_, id, {"no", 0, "such"}, 5, -1)["of"], 0);
  std::filesystem::create_directories(temp_ / "logs");
  std::string log = "first line\n";
  while (log.size() < 100'000) log += "a line of the log\n";
  write_file_atomically(temp_.path() / "logs" / (id + ".log"), log + "\xff last");
  const std::string end = run_log(folder_, id)["log"];
  EXPECT_LE(end.size(), 65536u);
  EXPECT_TRUE(end.starts_with("a line of the log\n")) << "a whole line";
  EXPECT_TRUE(end.ends_with(" last"));
  EXPECT_TRUE(run_log(folder_, "0000000000000000").is_null());
}

}  // namespace
}  // namespace bnlab
