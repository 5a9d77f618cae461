// The choice of an instruction set: by BNLAB_FORCE_ISA in processes of their own, and by use_instruction_set().
#include "bnlab/kernels/instruction_set.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>

#include "bnlab/kernels/loops.h"
#include "bnlab/kernels/moments.h"
#include "bnlab/kernels/noise.h"
#include "tests/kernels/batch_case.h"
#include "tests/kernels/forced_instruction_set.h"

namespace bnlab::kernels {
namespace {

// Whether all functions fail for want of an instruction set, and none writes.
template <class E>
bool all_functions_refuse() {
  SerialTaskRunner runner;
  BatchCase<E> t({4, 3, 5, Layout::kChannelsFirst}, Fusion::kAddRelu);
  const BatchCase<E> before(t);
  Moments moments[3] = {};
  const Status all[] = {forward_training(t.forward(), runner),
                        forward_evaluation(t.evaluation(), runner),
                        backward_training(t.backward(), runner),
                        backward_evaluation(t.backward(), runner),
                        second_derivative_training(t.second(), runner),
                        second_derivative_evaluation(t.second(), runner),
                        channel_moments(t.shape, t.x.data(), moments, runner),
                        affine_noise({.shape = t.shape}, runner)};
  return std::all_of(std::begin(all), std::end(all), [](Status s) { return s == Status::kBadInstructionSet; }) &&
         t.same_results(before) && loops<E>() == nullptr;
}

// Long runs, whose sums depend on the number of lanes and on fused multiply-adds, in one task.
template <class E>
struct Sample {
  BatchCase<E> t{{1, 8, 500, Layout::kChannelsFirst}};
  Patch patch{.row_stride = 4000, .rows = 1, .slots = 8, .run = 500, .mask_row = 8 * 63, .mask_slot = 63};

  // The sums of the gradient and y, by a table of loops.
  static std::vector<double> by_table(const Loops<E>& table) {
    Sample sample;
    auto& t = sample.t;
    t.set_running_statistics();
    Values<Compute<E>> center(8), scale(8), offset(8);
    for (std::size_t c = 0; c < 8; ++c) {
      center[c] = static_cast<Compute<E>>(t.mean[c]);
      const double rest = t.mean[c] - static_cast<double>(center[c]);
      const double by = static_cast<double>(t.gamma[c]) * t.rstd[c];
      scale[c] = static_cast<Compute<E>>(by);
      offset[c] = static_cast<Compute<E>>(static_cast<double>(t.beta[c]) - rest * by);
    }
    table.normalize(sample.patch,
                    {.x = t.x.data(), .a = {{center.data(), scale.data(), offset.data()}}, .y = t.y.data()});
    std::vector<double> mean(8), m2(8), result = t.y.doubles();
    table.moments(sample.patch, t.x.data(), mean.data(), m2.data());
    result.insert(result.end(), mean.begin(), mean.end());
    result.insert(result.end(), m2.begin(), m2.end());
    return result;
  }

  // The same by the public functions.
  static std::vector<double> by_functions() {
    SerialTaskRunner runner;
    Sample sample;
    auto& t = sample.t;
    t.set_running_statistics();
    Moments moments[8];
    EXPECT_EQ(forward_evaluation(t.evaluation(), runner), Status::kOk);
    EXPECT_EQ(channel_moments(t.shape, t.x.data(), moments, runner), Status::kOk);
    std::vector<double> result = t.y.doubles();
    for (const Moments& m : moments) result.push_back(m.mean);
    for (const Moments& m : moments) result.push_back(m.m2);
    return result;
  }
};

// Whether the named set, and no other that computes differently, makes the results of the public functions.
template <class E>
bool runs(const char* name) {
  const auto found = Sample<E>::by_functions();
  bool ran = false;
  for (const Loops<E>* table : supported_loops<E>()) {
    const bool same = Sample<E>::by_table(*table) == found;
    const bool named = std::strcmp(table->instruction_set, name) == 0;
    if (named) ran = same && loops<E>() == table;
    if (has_fma(name) != has_fma(table->instruction_set) && same) return false;
  }
  return ran;
}

bool runs_for_all_types(const char* name) {
  return instruction_set() && std::strcmp(instruction_set(), name) == 0 && runs<float>(name) && runs<double>(name) &&
         runs<BFloat16>(name) && runs<Float16>(name);
}

[[noreturn]] void exit_with(bool good) {
  std::_Exit(good ? 0 : 1);
}

class InstructionSet : public testing::Test {
 public:
  // The body of EXPECT_EXIT runs in a process of its own that begins with main(), and so sees the variable first.
  InstructionSet() { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
  ~InstructionSet() override {
    if (before_.empty()) {
      unsetenv("BNLAB_FORCE_ISA");
    } else {
      setenv("BNLAB_FORCE_ISA", before_.c_str(), 1);
    }
  }

 private:
  std::string before_ = std::getenv("BNLAB_FORCE_ISA") ? std::getenv("BNLAB_FORCE_ISA") : "";
};

TEST_F(InstructionSet, AnUnknownNameMakesEveryFunctionFail) {
  for (const char* name : {"avx1024", "AVX2", "avx2 ", "none"}) {
    setenv("BNLAB_FORCE_ISA", name, 1);
    EXPECT_EXIT(
        exit_with(instruction_set() == nullptr && all_functions_refuse<float>() && all_functions_refuse<double>() &&
                  all_functions_refuse<BFloat16>() && all_functions_refuse<Float16>()),
        testing::ExitedWithCode(0), "")
        << name;
  }
}

// A set that exists, but not here. On a processor that has all of them there is none to try.
TEST_F(InstructionSet, AnUnsupportedNameMakesEveryFunctionFail) {
  const auto here = instruction_sets();
  int tried = 0;
  for (const char* name : {"avx512", "avx2", "sse4"}) {
    if (std::any_of(here.begin(), here.end(), [&](const char* own) { return std::strcmp(own, name) == 0; })) continue;
    ++tried;
    setenv("BNLAB_FORCE_ISA", name, 1);
    EXPECT_EXIT(exit_with(instruction_set() == nullptr && all_functions_refuse<float>()), testing::ExitedWithCode(0),
                "")
        << name;
  }
  if (tried == 0) GTEST_SKIP() << "this processor has every instruction set that the kernels know";
}

TEST_F(InstructionSet, AForcedOneRuns) {
  for (const char* name : instruction_sets()) {
    setenv("BNLAB_FORCE_ISA", name, 1);
    EXPECT_EXIT(exit_with(runs_for_all_types(name)), testing::ExitedWithCode(0), "") << name;
  }
}

TEST_F(InstructionSet, AnEmptyVariableMeansTheFastest) {
  setenv("BNLAB_FORCE_ISA", "", 1);
  EXPECT_EXIT(exit_with(runs_for_all_types(instruction_sets().front())), testing::ExitedWithCode(0), "");
}

TEST_F(InstructionSet, AnotherOneCanBeUsedAfterABadVariable) {
  setenv("BNLAB_FORCE_ISA", "unknown", 1);
  EXPECT_EXIT(exit_with(instruction_set() == nullptr && use_instruction_set("portable") == Status::kOk &&
                        runs_for_all_types("portable")),
              testing::ExitedWithCode(0), "");
}

TEST(InstructionSets, AreNamedFastestFirst) {
  const char* const order[] = {"avx512", "avx2", "sse4", "portable"};
  const char* const* place = std::begin(order);
  for (const char* name : instruction_sets()) {
    place = std::find_if(place, std::end(order), [&](const char* each) { return std::strcmp(each, name) == 0; });
    ASSERT_NE(place, std::end(order)) << name;
    ++place;
  }
  EXPECT_STREQ(instruction_sets().back(), "portable");
}

TEST(InstructionSets, TheOneThatIsUsedRuns) {
  for (const char* name : instruction_sets()) {
    const ForcedInstructionSet forced(name);
    EXPECT_TRUE(runs_for_all_types(name)) << name;
  }
}

TEST(InstructionSets, ABadNameChangesNothing) {
  const ForcedInstructionSet forced(instruction_sets().back());
  for (const char* bad : {"", "avx1024", "Portable"}) {
    EXPECT_EQ(use_instruction_set(bad), Status::kBadInstructionSet) << bad;
    EXPECT_STREQ(instruction_set(), instruction_sets().back());
  }
}

}  // namespace
}  // namespace bnlab::kernels
