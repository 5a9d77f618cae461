#include "bnlab/bench/figures.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bnlab/bench/bench.h"
#include "bnlab/bench/summary.h"
#include "tests/bench/tiny_shapes.h"
#include "tests/cli/program.h"

namespace bnlab::bench {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::Program;
using testing::TempFolder;

Json tiny_bench() {
  BenchOptions options;
  options.shapes = parse_shapes(kTinyShapes, "tiny", "test");
  options.threads = 1;
  options.rounds = 1;
  options.sample_seconds = 0;
  return to_json(run_bench(options));
}

std::vector<std::string> series_of(const Json& spec, const std::string& row) {
  std::vector<std::string> series;
  for (const Json& value : spec["data"]["values"]) {
    if (value["row"] == row) series.push_back(value["series"]);
  }
  return series;
}

TEST(BenchFigures, ShowEveryShapeWithItsPeersAndTheLimit) {
  const Json bench = tiny_bench();
  const auto all = figures(bench);
  ASSERT_EQ(all.size(), 3u);
  for (const Figure& figure : all) EXPECT_FALSE(figure.caption.empty() || figure.title.empty());
  for (const char* row : {"tiny/images  5×19×3×3", "tiny/matrix  6×7×1×1"}) {
    EXPECT_THAT(
        series_of(all[0].spec, row),
        ::testing::UnorderedElementsAre("PyTorch", "PyTorch with bnlab's allocator", "oneDNN", "limit of memory"));
    EXPECT_THAT(series_of(all[2].spec, row), ::testing::UnorderedElementsAre("BN + ReLU", "BN + addition + ReLU"));
  }
  const Json& value = all[1].spec["data"]["values"][0];
  EXPECT_LE(value["low"].get<double>(), value["ratio"].get<double>());
  EXPECT_LE(value["ratio"].get<double>(), value["high"].get<double>());
}

TEST(BenchFigures, FiguresWithoutMeasurementsAreLeftOut) {
  Json bench = tiny_bench();
  Json kept = Json::array();
  for (const Json& c : bench["comparisons"]) {
    if (c["layout"] == "nchw") kept.push_back(c);
  }
  bench["comparisons"] = kept;
  const auto all = figures(bench);
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].id, "nchw");
}

TEST(BenchFigures, ASectionIsAddedToAReport) {
  Json report = {{"experiments", Json::array()}, {"figures", Json::array()}};
  add_to_report(tiny_bench(), report);
  ASSERT_EQ(report["experiments"].size(), 1u);
  EXPECT_EQ(report["experiments"][0]["name"], kSectionName);
  ASSERT_EQ(report["figures"].size(), 3u);
  for (const Json& figure : report["figures"]) EXPECT_EQ(figure["experiment"], kSectionName);
}

TEST(BenchInTheReport, AStoredBenchmarkIsShownAndADamagedOneDoesNoHarm) {
  TempFolder folder;
  const std::string out = folder / "out";
  Program reproduce({"reproduce", "--scale", "smoke", "--data", "gaussian", "--only", "santurkar-fig1", "--seeds", "1",
                     "--out", out});
  ASSERT_EQ(reproduce.wait(), 0) << reproduce.err();
  const auto figures_of_report = [&](const char* says) {
    Program report({"report", out, "--json"});
    EXPECT_EQ(report.wait(), 0);
    EXPECT_THAT(report.err(), HasSubstr(says));
    std::vector<std::string> of_bench;
    const Json json = Json::parse(report.out());
    for (const Json& figure : json["figures"]) {
      if (figure["experiment"] == kSectionName) of_bench.push_back(figure["id"]);
    }
    return of_bench;
  };
  EXPECT_THAT(figures_of_report(""), ElementsAre());
  write_file_atomically(folder / "out" / "bench.json", tiny_bench().dump());
  EXPECT_THAT(figures_of_report(""), ElementsAre("nchw", "nhwc", "fused"));
  write_file_atomically(folder / "out" / "bench.json", "{\"settings\": ");
  EXPECT_THAT(figures_of_report("bench.json is left out of the report"), ElementsAre());
}

}  // namespace
}  // namespace bnlab::bench
