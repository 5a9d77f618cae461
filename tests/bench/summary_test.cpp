// Ratios and means from times that are made up.
#include "bnlab/bench/summary.h"

#include <gtest/gtest.h>

#include "bnlab/bench/element_type.h"
#include "bnlab/bench/table.h"

namespace bnlab::bench {
namespace {

using kernels::Fusion;

/// Two shapes, 3 rounds; the last-level cache is such that only the first shape is above it.
Results empty_results() {
  Results results;
  results.element = "f32";
  results.rounds = 3;
  results.shapes = {{"net", "large", 4, 4, 8, 8}, {"net", "small", 2, 2, 2, 2}};
  results.environment.last_level_bytes = 4 * 4 * 8 * 8 * 4;
  results.environment.processors = {0, 1};
  return results;
}

struct Times {
  double forward, backward, evaluation = 1;
};

void add(Results& results, Level level, AllocatorKind allocator, std::size_t shape, const char* layout, Fusion fusion,
         const char* contender, const Times& times) {
  const auto rounds = [](double seconds) { return std::vector<double>{seconds, 3 * seconds, 2 * seconds}; };
  for (const auto& [step, seconds] :
       {std::pair{Step::kForwardTraining, times.forward}, std::pair{Step::kBackward, times.backward},
        std::pair{Step::kForwardEvaluation, times.evaluation}}) {
    results.measurements.push_back({level, allocator, shape, layout, fusion, step, contender, "", 1, rounds(seconds)});
  }
}

void add_operator(Results& results, std::size_t shape, const char* layout, const char* contender, const Times& times,
                  AllocatorKind allocator = AllocatorKind::kDefault, Fusion fusion = Fusion::kNone) {
  add(results, Level::kOperator, allocator, shape, layout, fusion, contender, times);
}
void add_kernel(Results& results, std::size_t shape, const char* layout, const char* contender, const Times& times,
                Fusion fusion = Fusion::kNone) {
  add(results, Level::kKernel, AllocatorKind::kNone, shape, layout, fusion, contender, times);
}

Json summary_of(const Results& results) {
  return summarize(results, compare(results));
}

TEST(Summary, TakesForwardAndBackwardTogetherAndTheGeometricMeanOverShapes) {
  Results results = empty_results();
  add_operator(results, 0, kNchw, kOurs, {1, 3, 2});
  add_operator(results, 0, kNchw, kPyTorch, {2, 6, 1});  // 8 / 4
  add_operator(results, 1, kNchw, kOurs, {1, 1, 2});
  add_operator(results, 1, kNchw, kPyTorch, {15, 1, 4});  // 16 / 2
  const Json summary = summary_of(results);
  EXPECT_NEAR(summary["pytorch"]["nchw"].get<double>(), 4, 1e-12);
  EXPECT_NEAR(summary["evaluation"]["pytorch_nchw"].get<double>(), 1, 1e-12);
  EXPECT_TRUE(summary["pytorch"]["nhwc"].is_null());
  EXPECT_TRUE(summary["pytorch_caching"]["nchw"].is_null());
  EXPECT_TRUE(summary["onednn"]["best_layout"].is_null());
  EXPECT_TRUE(summary["limit"].is_null());
}

TEST(Summary, KeepsAllocatorsAndFusionsApart) {
  Results results = empty_results();
  for (const AllocatorKind allocator : {AllocatorKind::kDefault, AllocatorKind::kCaching}) {
    const double factor = allocator == AllocatorKind::kDefault ? 10 : 20;
    for (const Fusion fusion : {Fusion::kNone, Fusion::kRelu, Fusion::kAddRelu}) {
      const double ratio = factor + static_cast<double>(fusion) * 2;
      add_operator(results, 0, kNhwc, kOurs, {1, 1}, allocator, fusion);
      add_operator(results, 0, kNhwc, kPyTorch, {ratio, ratio}, allocator, fusion);
      if (fusion != Fusion::kNone) add_operator(results, 0, kNhwc, kPyTorchInPlace, {2, 2}, allocator, fusion);
    }
  }
  const Json summary = summary_of(results);
  EXPECT_NEAR(summary["pytorch"]["nhwc"].get<double>(), 10, 1e-9);
  EXPECT_NEAR(summary["pytorch_caching"]["nhwc"].get<double>(), 20, 1e-9);
  EXPECT_NEAR(summary["fused"]["pytorch_nhwc"].get<double>(), std::sqrt(12.0 * 14.0), 1e-9);
  EXPECT_NEAR(summary["fused"]["pytorch_nhwc_caching"].get<double>(), std::sqrt(22.0 * 24.0), 1e-9);
  EXPECT_NEAR(summary["fused"]["pytorch_inplace_nhwc"].get<double>(), 2, 1e-9);
  EXPECT_TRUE(summary["fused"]["pytorch_nchw"].is_null());
}

TEST(Summary, TheBestLayoutIsTheFastestOnEachSide) {
  Results results = empty_results();
  add_kernel(results, 0, kNchw, kOurs, {4, 4});
  add_kernel(results, 0, kNhwc, kOurs, {2, 2});
  add_kernel(results, 0, kNchw, kOneDnn, {16, 16});
  add_kernel(results, 0, kNhwc, kOneDnn, {6, 6});
  add_kernel(results, 0, kBlocked, kOneDnn, {5, 5});
  const Json summary = summary_of(results);
  EXPECT_NEAR(summary["onednn"]["nchw"].get<double>(), 4, 1e-12);
  EXPECT_NEAR(summary["onednn"]["nhwc"].get<double>(), 3, 1e-12);
  EXPECT_NEAR(summary["onednn"]["best_layout"].get<double>(), 2.5, 1e-12);
}

TEST(Summary, AMatrixCountsInBothLayouts) {
  Results results = empty_results();
  add_kernel(results, 0, kMatrix, kOurs, {1, 1});
  add_kernel(results, 0, kMatrix, kOneDnn, {3, 3});
  add_kernel(results, 1, kNhwc, kOurs, {1, 1});
  add_kernel(results, 1, kNhwc, kOneDnn, {12, 12});
  const Json summary = summary_of(results);
  EXPECT_NEAR(summary["onednn"]["nchw"].get<double>(), 3, 1e-12);
  EXPECT_NEAR(summary["onednn"]["nhwc"].get<double>(), 6, 1e-12);
}

TEST(Summary, TheLimitTakesTheFasterWayOfEachStepAndOnlyShapesAboveTheCache) {
  Results results = empty_results();
  add_kernel(results, 0, kNchw, kOurs, {2, 4});
  add_kernel(results, 0, kNchw, kMemcpy, {1, 4});
  add_kernel(results, 0, kNchw, kStreaming, {3, 2});
  add_kernel(results, 0, kNchw, kSlabs, {3, 3});
  add_kernel(results, 0, kNchw, kStreamingSlabs, {1, 5});
  add_kernel(results, 1, kNchw, kOurs, {100, 100});
  add_kernel(results, 1, kNchw, kMemcpy, {1, 1});
  const Json summary = summary_of(results);
  EXPECT_NEAR(summary["limit"].get<double>(), 6.0 / 3, 1e-12);
  EXPECT_NEAR(summary["limit_detail"]["memcpy"].get<double>(), 6.0 / 5, 1e-12);
  EXPECT_NEAR(summary["limit_detail"]["slabs"].get<double>(), 6.0 / 4, 1e-12);
  EXPECT_TRUE(summary["limit_detail"]["nhwc"].is_null());
  EXPECT_TRUE(summary["worst"].is_null()) << "the limit is no peer";
}

// The large shape fills the last-level cache with elements of 4 bytes, and half of it with those of 2.
TEST(Summary, ElementsOfTwoBytesFillHalfAsMuch) {
  for (const char* type : {"f32", "bf16", "f16", "f64"}) {
    Results results = empty_results();
    results.element = type;
    add_kernel(results, 0, kNchw, kOurs, {2, 4});
    add_kernel(results, 0, kNchw, kMemcpy, {1, 1});
    EXPECT_EQ(summary_of(results)["limit"].is_null(), element_type(type).bytes == 2) << type;
  }
}

TEST(Summary, NamesWhoIsLeftOut) {
  Results results = empty_results();
  results.environment.onednn = "9.8.7";
  results.environment.libtorch = "6.5";
  for (const char* layout : {kNchw, kNhwc}) {
    leave_out({.contender = kOneDnn, .level = Level::kKernel, .reason = "it has no such thing", .layout = layout},
              results);
  }
  leave_out({.contender = kPyTorchInPlace,
             .why = WhyLeftOut::kWrongResult,
             .reason = "its dx is wrong",
             .allocator = AllocatorKind::kCaching,
             .shape = 1,
             .layout = kNhwc,
             .fusion = Fusion::kRelu},
            results);
  const Json left_out = to_json(results)["left_out"];
  ASSERT_EQ(left_out.size(), 2u);
  EXPECT_EQ(left_out[0]["cases"], 2);
  EXPECT_EQ(left_out[0]["why"], "not-implemented");
  EXPECT_EQ(left_out[0]["sentence"], "oneDNN 9.8.7 is left out in 2 cases, since it has no such thing.");
  EXPECT_EQ(left_out[1]["why"], "wrong-result");
  EXPECT_EQ(left_out[1]["shape"], "net/small");
  EXPECT_EQ(left_out[1]["layout"], "nhwc");
  EXPECT_EQ(left_out[1]["fusion"], "relu");
  EXPECT_EQ(left_out[1]["allocator"], "caching");
  EXPECT_EQ(left_out[1]["sentence"],
            "PyTorch 6.5 (relu_, add_) is left out for net/small (2x2x2x2) in nhwc, relu, under the caching allocator: "
            "its dx is wrong.");
}

TEST(Summary, TheWorstIsTheSmallestRatioOfAnyPeer) {
  Results results = empty_results();
  add_operator(results, 0, kNchw, kOurs, {1, 1, 1});
  add_operator(results, 0, kNchw, kPyTorch, {3, 3, 1.5});
  add_kernel(results, 1, kNhwc, kOurs, {4, 4, 1}, Fusion::kRelu);
  add_kernel(results, 1, kNhwc, kOneDnn, {4, 2, 2}, Fusion::kRelu);
  add_kernel(results, 1, kNhwc, kMemcpy, {0.1, 0.1, 0.1}, Fusion::kRelu);
  const Json summary = summary_of(results);
  const Json& worst = summary["worst"];
  EXPECT_NEAR(worst["ratio"].get<double>(), 0.75, 1e-12);
  EXPECT_EQ(worst["interval"].size(), 2u);
  EXPECT_EQ(worst["shape"], "net/small");
  EXPECT_EQ(worst["layout"], "nhwc");
  EXPECT_EQ(worst["fusion"], "relu");
  EXPECT_EQ(worst["peer"], "onednn");
  EXPECT_EQ(summary["worst_pass"]["pass"], "backward");
  EXPECT_NEAR(summary["worst_pass"]["ratio"].get<double>(), 0.5, 1e-12);
  EXPECT_EQ(summary["slower"], 2) << "in NHWC and in the best layout";
}

TEST(Table, ShowsTimesRatiosAndTheShareOfTheLimit) {
  Results results = empty_results();
  add_operator(results, 0, kNchw, kOurs, {1e-3, 1.5e-3});
  add_operator(results, 0, kNchw, kPyTorch, {5e-3, 5e-3});
  add_kernel(results, 0, kNchw, kOurs, {1e-3, 1e-3});
  add_kernel(results, 0, kNchw, kMemcpy, {0.5e-3, 0.3e-3});
  add_kernel(results, 0, kNchw, kSlabs, {0.7e-3, 0.5e-3});
  const std::string text = table(results, compare(results));
  EXPECT_NE(text.find("net/large                4x4x8x8         nchw      5.000  4.00 [4.00, 4.00]"), text.npos)
      << text;
  EXPECT_NE(text.find("   40%   60%\n"), text.npos) << text;
  EXPECT_EQ(text.find("net/small"), text.npos) << text;
}

}  // namespace
}  // namespace bnlab::bench
