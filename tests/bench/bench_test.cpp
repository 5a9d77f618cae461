// Whole benchmarks of tiny batches: that everything is measured and compared, not how long it takes.
#include "bnlab/bench/bench.h"

#include <ATen/ops/empty.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <torch/version.h>

#include <algorithm>
#include <map>
#include <set>

#include "bnlab/bench/figures.h"
#include "bnlab/bench/measure.h"
#include "bnlab/bench/summary.h"
#include "bnlab/bench/table.h"
#include "bnlab/kernels/instruction_set.h"
#include "bnlab/ops/caching_allocator.h"
#include "tests/bench/tiny_shapes.h"
#include "tests/cli/program.h"

namespace bnlab::bench {
namespace {

using ::testing::HasSubstr;
using testing::Program;
using testing::TempFolder;

bool has(const char* instruction_set) {
  const auto sets = kernels::instruction_sets();
  return std::any_of(sets.begin(), sets.end(), [&](const char* name) { return std::string(name) == instruction_set; });
}

BenchOptions tiny_options() {
  BenchOptions options;
  options.shapes = parse_shapes(kTinyShapes, "tiny", "test");
  options.threads = 1;
  options.rounds = 2;
  options.sample_seconds = 0;
  return options;
}

/// The best instruction set is in use again after each test.
class Bench : public ::testing::Test {
 protected:
  void TearDown() override {
    ASSERT_EQ(kernels::use_instruction_set(kernels::instruction_sets().front()), kernels::Status::kOk);
  }
};

std::map<std::string, int> contenders_of(const Results& results) {
  std::map<std::string, int> counts;
  for (const Measurement& m : results.measurements) {
    EXPECT_EQ(m.seconds.size(), 2u);
    EXPECT_TRUE(std::all_of(m.seconds.begin(), m.seconds.end(), [](double s) { return s > 0; }));
    ++counts[to_string(m.level) + " " + m.contender];
  }
  return counts;
}

// An image batch has 2 layouts of ours and 3 of oneDNN, the matrix 1 and 2; 3 passes, 3 fusions.
TEST_F(Bench, MeasuresEveryLayoutPassFusionAndPeer) {
  const Results results = run_bench(tiny_options());
  const auto counts = contenders_of(results);
  EXPECT_EQ(counts.at("kernel bnlab"), (2 + 1) * 3 * 3);
  EXPECT_EQ(counts.at("kernel onednn"), (3 + 2) * 3 * 2) << "oneDNN has no fused addition";
  EXPECT_EQ(counts.at("kernel memcpy"), (2 + 1) * 3 * 3);
  EXPECT_EQ(counts.at("operator bnlab"), (2 + 1) * 3 * 3 * 2) << "under two allocators";
  EXPECT_EQ(counts.at("operator pytorch"), (2 + 1) * 3 * 3 * 2);
  EXPECT_EQ(counts.at("operator pytorch-inplace"), (2 + 1) * 3 * 2 * 2);
  EXPECT_EQ(results.our_results.size(), (2u + 1) * 3);
}

TEST_F(Bench, HasNoKernelPeerForDoubleAndAllForBfloat16) {
  BenchOptions options = tiny_options();
  options.element = "f64";
  const auto doubles = contenders_of(run_bench(options));
  EXPECT_EQ(doubles.count("kernel onednn"), 0u);
  EXPECT_EQ(doubles.at("operator pytorch"), (2 + 1) * 3 * 3 * 2);
  options.element = "bf16";
  const auto bfloats = contenders_of(run_bench(options));
  EXPECT_EQ(bfloats.at("operator pytorch"), (2 + 1) * 3 * 3 * 2);
  // oneDNN computes with bfloat16 on processors with AVX-512 only.
  const int peers = __builtin_cpu_supports("avx512bw") ? (3 + 2) * 3 * 2 : 0;
  EXPECT_EQ(bfloats.count("kernel onednn") == 0 ? 0 : bfloats.at("kernel onednn"), peers);
}

/// As LeftOut::cases, by level and contender.
std::map<std::string, std::int64_t> left_out_of(const Results& results) {
  std::map<std::string, std::int64_t> cases;
  for (const LeftOut& left_out : results.left_out) {
    cases[to_string(left_out.level) + " " + left_out.contender] += left_out.cases;
  }
  return cases;
}

// A peer that lacks float16 on this machine is left out of all cases, and the results say so; one that has it is in all
// of them. PyTorch 1.13 lacks it, 2.6 has it.
TEST_F(Bench, MeasuresFloat16BesideWhoeverHasIt) {
  BenchOptions options = tiny_options();
  options.element = "f16";
  const Results results = run_bench(options);
  auto counts = contenders_of(results);
  EXPECT_EQ(counts.at("kernel bnlab"), (2 + 1) * 3 * 3);
  EXPECT_EQ(counts.at("operator bnlab"), (2 + 1) * 3 * 3 * 2);
  auto left_out = left_out_of(results);
  EXPECT_EQ(counts["operator pytorch"] / 3 + left_out["operator pytorch"], (2 + 1) * 3 * 2);
  EXPECT_EQ(counts["kernel onednn"] / 3 + left_out["kernel onednn"], (3 + 2) * 2);
  const int version = 100 * TORCH_VERSION_MAJOR + TORCH_VERSION_MINOR;
  if (version <= 113) {
    EXPECT_EQ(left_out["operator pytorch"], (2 + 1) * 3 * 2);
  }
  if (version >= 206) {
    EXPECT_EQ(left_out["operator pytorch"], 0);
  }
  EXPECT_LE(results.left_out.size(), 2u) << "one sentence a peer";
  const std::string text = table(results, compare(results));
  for (const LeftOut& each : results.left_out) EXPECT_THAT(text, HasSubstr(sentence_of(each, results)));
  EXPECT_THAT(text, HasSubstr("5x19x3x3        nchw")) << "a row without PyTorch's time";
}

TEST_F(Bench, SaysWhatOneDnnLacks) {
  BenchOptions options = tiny_options();
  options.element = "f64";
  const Results results = run_bench(options);
  ASSERT_EQ(results.left_out.size(), 1u);
  EXPECT_THAT(sentence_of(results.left_out.front(), results),
              HasSubstr("is left out in 10 cases, since it has no batch normalization of f64 on this processor."));
}

TEST_F(Bench, LeavesThreadsAndAllocatorAsTheyWere) {
  cpu_set_t before, after;
  sched_getaffinity(0, sizeof(before), &before);
  (void)run_bench(tiny_options());
  sched_getaffinity(0, sizeof(after), &after);
  EXPECT_TRUE(CPU_EQUAL(&before, &after));
  const auto in_use = ops::block_cache().counts().bytes_in_use;
  const at::Tensor large = at::empty({4 << 20});
  EXPECT_EQ(ops::block_cache().counts().bytes_in_use, in_use) << "our allocator is still in use";
}

TEST_F(Bench, RefusesWhatDoesNotExist) {
  BenchOptions options = tiny_options();
  options.instruction_set = "sse9";
  EXPECT_THROW((void)run_bench(options), std::invalid_argument);
  options = tiny_options();
  options.element = "f8";
  try {
    (void)run_bench(options);
    ADD_FAILURE() << "f8 was measured";
  } catch (const std::invalid_argument& error) {
    EXPECT_STREQ(error.what(), "--type: \"f8\" is no type of elements; give f32, bf16, f16 or f64");
  }
  options = tiny_options();
  options.threads = 100000;
  EXPECT_THROW((void)run_bench(options), std::invalid_argument);
}

TEST_F(Bench, ThreadsDoNotShowInTheResults) {
  BenchOptions options = tiny_options();
  const Results one = run_bench(options);
  options.threads = 2;
  const Results two = run_bench(options);
  ASSERT_EQ(one.our_results.size(), two.our_results.size());
  for (std::size_t i = 0; i < one.our_results.size(); ++i) {
    EXPECT_EQ(one.our_results[i].digest, two.our_results[i].digest);
  }
}

TEST_F(Bench, TellsHowMuchIsDone) {
  BenchOptions options = tiny_options();
  std::vector<double> told;
  options.progress = [&](double done, const std::string& what) {
    told.push_back(done);
    EXPECT_THAT(what, HasSubstr("tiny/"));
  };
  (void)run_bench(options);
  ASSERT_GT(told.size(), 10u);
  EXPECT_EQ(told.front(), 0);
  EXPECT_LT(told.back(), 1);
  EXPECT_TRUE(std::is_sorted(told.begin(), told.end()));
}

TEST_F(Bench, QuickShapesAreSharedOnesOfEveryList) {
  std::set<std::string> lists;
  for (const NamedShape& shape : quick_shapes()) lists.insert(shape.list);
  EXPECT_EQ(lists.size(), 6u);
}

TEST(Measure, TakesTurnsAndRepeatsShortOperations) {
  std::string order;
  int quick_calls = 0;
  const std::vector<Contender> contenders = {{"a", [&] { order += 'a'; }}, {"b", [&] { order += 'b'; }}};
  const auto samples = measure(contenders, {.rounds = 3, .sample_seconds = 0});
  EXPECT_EQ(order,
            "aabb"
            "aabb"
            "bbaa"
            "aabb")
      << "two calls each to warm up; in a round one is not timed";
  EXPECT_EQ(samples[0].seconds.size(), 3u);
  EXPECT_EQ(samples[0].calls, 1);
  const std::vector<Contender> quick = {{"quick", [&] { ++quick_calls; }}};
  EXPECT_GT(measure(quick, {.rounds = 1, .sample_seconds = 1e-4})[0].calls, 10);
  EXPECT_GT(quick_calls, 10);
}

// The program.

/// Arguments that `more` does not give are those of a very short run.
std::vector<std::string> tiny_bench(const TempFolder& folder, std::vector<std::string> more = {}) {
  write_file_atomically(folder / "tiny.txt", kTinyShapes);
  std::vector<std::string> arguments = {"bench", "--shapes", folder / "tiny.txt", "--out", folder / "out"};
  for (const char* option : {"--rounds", "--threads"}) {
    if (std::find(more.begin(), more.end(), option) == more.end()) arguments.insert(arguments.end(), {option, "1"});
  }
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

std::vector<std::string> digests_of(const Json& bench) {
  std::vector<std::string> digests;
  for (const Json& result : bench.at("our_results")) digests.push_back(result.at("digest"));
  return digests;
}

std::vector<std::string> digests_with(const char* instruction_set) {
  BenchOptions options = tiny_options();
  options.instruction_set = instruction_set;
  return digests_of(to_json(run_bench(options)));
}

TEST_F(Bench, TheForcedInstructionSetReallyRan) {
  if (!has("sse4") || !has("avx2")) GTEST_SKIP() << "needs a processor with SSE4 and AVX2";
  TempFolder folder;
  Program program(tiny_bench(folder, {"--isa", "sse4", "--json", "-"}));
  ASSERT_EQ(program.wait(), 0) << program.err();
  const Json bench = Json::parse(program.out());
  EXPECT_EQ(bench["environment"]["instruction_set"], "sse4");
  EXPECT_EQ(digests_of(bench), digests_with("sse4"));
  EXPECT_NE(digests_of(bench), digests_with("avx2")) << "fused multiply-add rounds once";
}

TEST_F(Bench, TheProgramStoresWhatItPrints) {
  TempFolder folder;
  Program program(tiny_bench(folder, {"--json", (folder / "copy.json").string(), "--only", "images"}));
  ASSERT_EQ(program.wait(), 0) << program.err();
  EXPECT_THAT(program.out(), HasSubstr("tiny/images"));
  EXPECT_EQ(program.out().find("tiny/matrix"), std::string::npos);
  const std::string stored = read_file(folder / "out" / "bench.json");
  EXPECT_EQ(stored, read_file(folder / "copy.json"));
  const Json bench = Json::parse(stored);
  for (const char* key : {"schema_version", "bnlab", "environment", "settings", "summary", "comparisons",
                          "measurements", "our_results", "left_out"}) {
    EXPECT_TRUE(bench.contains(key)) << key;
  }
  for (const char* key : {"cpu", "instruction_set", "processors", "libtorch", "onednn", "highway", "commit", "date",
                          "load_before", "load_after"}) {
    EXPECT_TRUE(bench["environment"].contains(key)) << key;
  }
  const Json& summary = bench["summary"];
  for (const char* layout : {"nchw", "nhwc"}) {
    for (const char* peer : {"pytorch", "pytorch_caching", "onednn"}) {
      EXPECT_GT(summary[peer][layout].get<double>(), 0) << peer;
    }
  }
  EXPECT_GT(summary["onednn"]["best_layout"].get<double>(), 0);
  EXPECT_GT(summary["fused"]["pytorch_nhwc"].get<double>(), 0);
  EXPECT_TRUE(summary["limit"].is_null()) << "a tiny batch is not above the last-level cache";
  EXPECT_EQ(summary["worst"]["shape"], "tiny/images");
}

struct Wrong {
  std::vector<std::string> arguments;
  const char* says;
};
void PrintTo(const Wrong& wrong, std::ostream* out) {
  for (const auto& argument : wrong.arguments) *out << argument << ' ';
}

class WrongBench : public ::testing::TestWithParam<Wrong> {};

TEST_P(WrongBench, OneClearSentenceAndStatus2) {
  TempFolder folder;
  Program program(tiny_bench(folder, GetParam().arguments));
  EXPECT_EQ(program.wait(), 2);
  EXPECT_THAT(program.err() + program.out(), HasSubstr(GetParam().says));
  EXPECT_FALSE(std::filesystem::exists(folder / "out" / "bench.json"));
}

INSTANTIATE_TEST_SUITE_P(All, WrongBench,
                         ::testing::Values(Wrong{{"--isa", "sse9"}, "--isa: \"sse9\" is no instruction set"},
                                           Wrong{{"--only", "nothing"}, "tiny/images"},
                                           Wrong{{"--type", "f8"},
                                                 "--type: \"f8\" is no type of elements; give f32, bf16, f16 or f64"},
                                           Wrong{{"--rounds", "0"}, "--rounds"},
                                           Wrong{{"--threads", "4000"}, "--threads: 4000 threads need"}));

TEST(BenchHelp, HasAnExample) {
  Program program({"bench", "--help"});
  EXPECT_EQ(program.wait(), 0);
  EXPECT_THAT(program.out(), HasSubstr("Example:\n  bnlab bench"));
  EXPECT_THAT(program.out(), HasSubstr("f32, bf16, f16 or f64"));
}

TEST(BenchShapes, AWrongLineIsNamed) {
  TempFolder folder;
  write_file_atomically(folder / "wrong.txt", "a 1 2\n");
  Program program({"bench", "--shapes", folder / "wrong.txt", "--out", folder / "out"});
  EXPECT_EQ(program.wait(), 2);
  EXPECT_THAT(program.err(), HasSubstr("wrong.txt:1: expected NAME N C H W"));
}

TEST(BenchEnvironment, ABadForcedInstructionSetIsNamed) {
  TempFolder folder;
  ::setenv("BNLAB_FORCE_ISA", "sse9", 1);
  Program program(tiny_bench(folder));
  ::unsetenv("BNLAB_FORCE_ISA");
  EXPECT_EQ(program.wait(), 2);
  EXPECT_THAT(program.err(), HasSubstr("BNLAB_FORCE_ISA"));
}

TEST(BenchInterrupted, EndsAtOnceAndLeavesNoFile) {
  TempFolder folder;
  Program program({"bench", "--only", "vgg-a", "--out", folder / "out"});
  testing::sleep_ms(1500);
  program.signal(SIGINT);
  EXPECT_EQ(program.wait(), -SIGINT);
  EXPECT_FALSE(std::filesystem::exists(folder / "out" / "bench.json"));
}

}  // namespace
}  // namespace bnlab::bench
