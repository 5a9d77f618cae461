#include "bnlab/report/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "bnlab/record/files.h"
#include "bnlab/report/viewer_page.h"

namespace bnlab {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

json small_report() {
  const json claim = {{"experiment", "santurkar-fig1"}, {"id", "faster"}, {"effect", 0.1 + 0.2}};
  return {{"schema_version", 1}, {"scale", "smoke"}, {"claims", json::array({claim})}};
}

// The text between the report's tag and the end of its script element, as a browser cuts it.
std::string text_in_page(std::string_view page) {
  const size_t start = page.find(kReportTag) + kReportTag.size();
  return std::string(page.substr(start, page.find("</script", start) - start));
}

class ReportFiles : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "bnlab-report-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string read(const char* name) const { return read_file(folder_ / name); }
  size_t files() const { return static_cast<size_t>(std::distance(std::filesystem::directory_iterator(folder_), {})); }

  std::filesystem::path folder_;
};

// While it lives, no file of this process can grow beyond `bytes`: writes fail as on a full disk.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    old_handler_ = ::signal(SIGXFSZ, SIG_IGN);
    ::getrlimit(RLIMIT_FSIZE, &old_);
    rlimit limit = old_;
    limit.rlim_cur = bytes;
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &old_);
    ::signal(SIGXFSZ, old_handler_);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;

 private:
  rlimit old_{};
  void (*old_handler_)(int) = nullptr;
};

TEST(ViewerPage, IsOneWholePageWithOnePlaceForTheReport) {
  const std::string_view page = viewer_page();
  EXPECT_TRUE(page.starts_with("<!doctype html>")) << page.substr(0, 40);
  EXPECT_NE(page.find("</html>"), page.npos);
  const size_t tag = page.find(kReportTag);
  ASSERT_NE(tag, page.npos);
  EXPECT_EQ(page.find(kReportTag, tag + 1), page.npos);
  EXPECT_EQ(text_in_page(page), "");
}

TEST(ViewerPage, NamesNoOtherFile) {
  const std::string_view page = viewer_page();
  EXPECT_EQ(page.find("<script src="), page.npos);
  EXPECT_EQ(page.find("rel=\"stylesheet\""), page.npos);
  EXPECT_EQ(page.find("rel=\"modulepreload\""), page.npos);
}

TEST(ReportPage, HoldsTheReport) {
  EXPECT_EQ(json::parse(text_in_page(report_page(small_report()))), small_report());
}

TEST(ReportPage, KeepsThePageAroundTheReport) {
  const std::string page = report_page(small_report());
  const size_t place = viewer_page().find(kReportTag) + kReportTag.size();
  EXPECT_EQ(page.substr(0, place), viewer_page().substr(0, place));
  EXPECT_TRUE(std::string_view(page).ends_with(viewer_page().substr(place)));
}

TEST(ReportPage, DataCannotEndTheScriptElement) {
  json report = small_report();
  report["claims"][0]["sentence"] = "a </script><script>alert(1)</script> and <!-- <script> b";
  const std::string text = text_in_page(report_page(report));
  EXPECT_THAT(text, Not(HasSubstr("<")));
  EXPECT_EQ(json::parse(text), report);
}

TEST(ReportPage, NumbersThatAreNotFiniteAreNull) {
  json report = small_report();
  report["claims"][0]["effect"] = std::nan("");
  report["claims"][0]["interval"] = {-INFINITY, INFINITY};
  const json read_back = json::parse(text_in_page(report_page(report)));
  EXPECT_TRUE(read_back["claims"][0]["effect"].is_null());
  EXPECT_TRUE(read_back["claims"][0]["interval"][0].is_null());
}

TEST(ReportPage, BytesThatAreNotUtf8AreReplaced) {
  json report = small_report();
  report["data"] = "caf\xe9";
  EXPECT_EQ(json::parse(text_in_page(report_page(report)))["data"], "caf\xef\xbf\xbd");
}

TEST_F(ReportFiles, BothFilesReadBackAsTheReport) {
  write_report(small_report(), folder_ / "new" / "out");
  EXPECT_EQ(json::parse(read("new/out/report.json")), small_report());
  EXPECT_EQ(json::parse(text_in_page(read("new/out/report.html"))), small_report());
}

TEST_F(ReportFiles, ASecondReportReplacesTheFirstAndLeavesNothingElse) {
  write_report(small_report(), folder_);
  json later = small_report();
  later["scale"] = "quick";
  write_report(later, folder_);
  EXPECT_EQ(json::parse(read("report.json")), later);
  EXPECT_EQ(json::parse(text_in_page(read("report.html"))), later);
  EXPECT_EQ(files(), 2u);
}

TEST_F(ReportFiles, AFullDiskLeavesTheOldReport) {
  write_report(small_report(), folder_);
  json later = small_report();
  later["scale"] = "quick";
  std::string message;
  {
    const FileSizeLimit limit(viewer_page().size() / 2);
    try {
      write_report(later, folder_);
    } catch (const FileError& error) {
      message = error.what();
    }
  }
  EXPECT_THAT(message, AllOf(HasSubstr("report.html"), HasSubstr("cannot write"), Not(HasSubstr("\n"))));
  EXPECT_EQ(json::parse(read("report.json")), small_report());
  EXPECT_EQ(json::parse(text_in_page(read("report.html"))), small_report());
  EXPECT_EQ(files(), 2u);
}

TEST_F(ReportFiles, AFolderThatIsAFileIsAnError) {
  write_file_atomically(folder_ / "taken", "x");
  EXPECT_THROW(write_report(small_report(), folder_ / "taken"), FileError);
  EXPECT_EQ(read("taken"), "x");
}

// While it lives, root is an ordinary user, who may not write everywhere.
class OrdinaryUser {
 public:
  OrdinaryUser() : old_(::geteuid()) { changed_ = old_ == 0 && ::seteuid(65534) == 0; }
  ~OrdinaryUser() {
    if (changed_ && ::seteuid(old_) != 0) std::abort();
  }
  OrdinaryUser(const OrdinaryUser&) = delete;
  OrdinaryUser& operator=(const OrdinaryUser&) = delete;

 private:
  uid_t old_;
  bool changed_;
};

TEST_F(ReportFiles, AFolderOneMayNotWriteToIsAnError) {
  using std::filesystem::perms;
  write_report(small_report(), folder_);
  std::filesystem::permissions(folder_,
                               perms::owner_read | perms::owner_exec | perms::others_read | perms::others_exec);
  json later = small_report();
  later["scale"] = "quick";
  {
    const OrdinaryUser user;
    EXPECT_THROW(write_report(later, folder_), FileError);
    EXPECT_THROW(write_report(later, folder_ / "inner"), FileError);
  }
  std::filesystem::permissions(folder_, perms::owner_all);
  EXPECT_EQ(json::parse(read("report.json")), small_report());
  EXPECT_EQ(json::parse(text_in_page(read("report.html"))), small_report());
}

}  // namespace
}  // namespace bnlab
