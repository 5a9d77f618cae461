// The kernels against the oracle: shapes, layouts, types, fusions, instruction sets and threads.
#include "bnlab/kernels/batch_norm.h"

#include <gtest/gtest.h>

#include "tests/kernels/forced_instruction_set.h"
#include "tests/kernels/oracle_checks.h"
#include "tests/kernels/shapes.h"
#include "tests/kernels/thread_runner.h"

namespace bnlab::kernels {
namespace {

template <class E>
class BatchNormKernels : public testing::Test {
 public:
  static void agree_with_oracle(const std::vector<Shape>& shapes, Fusion fusion, bool training) {
    SerialTaskRunner runner;
    for (const Shape& shape : shapes) {
      SCOPED_TRACE(name_of(shape) + ", " + name_of(fusion));
      BatchCase<E> t(shape, fusion);
      run_all(t, training, runner);
      check_all(t, training);
      if (testing::Test::HasFatalFailure()) return;
    }
  }
};
TYPED_TEST_SUITE(BatchNormKernels, ElementTypes);

TYPED_TEST(BatchNormKernels, TrainingAgreesWithOracle) {
  for (const Fusion fusion : kFusions) TestFixture::agree_with_oracle(small_shapes(), fusion, true);
}

TYPED_TEST(BatchNormKernels, TrainingOfLargeBatchesAgreesWithOracle) {
  TestFixture::agree_with_oracle(large_shapes(), Fusion::kAddRelu, true);
}

TYPED_TEST(BatchNormKernels, EvaluationAgreesWithOracle) {
  for (const Fusion fusion : kFusions) TestFixture::agree_with_oracle(small_shapes(), fusion, false);
}

TYPED_TEST(BatchNormKernels, EvaluationOfLargeBatchesAgreesWithOracle) {
  TestFixture::agree_with_oracle(large_shapes(), Fusion::kAddRelu, false);
}

// Every instruction set against the oracle, then 1 to 4 threads against the serial result, to the last bit.
TYPED_TEST(BatchNormKernels, AllInstructionSetsAndThreadsAgree) {
  std::int64_t most_tasks = 0;
  for (const char* name : instruction_sets()) {
    const ForcedInstructionSet forced(name);
    std::size_t turn = 0;
    for (const Shape& shape : chosen_shapes()) {
      for (const bool training : {true, false}) {
        const Fusion fusion = kFusions[turn++ % 3];
        SCOPED_TRACE(std::string(name) + ", " + name_of(shape) + ", " + name_of(fusion) +
                     (training ? ", training" : ", evaluation"));
        SerialTaskRunner alone;
        BatchCase<TypeParam> serial(shape, fusion);
        run_all(serial, training, alone);
        check_all(serial, training);
        for (int threads = 1; threads <= 4; ++threads) {
          ThreadRunner pool(threads);
          BatchCase<TypeParam> t(shape, fusion);
          run_all(t, training, pool);
          ASSERT_TRUE(t.same_results(serial)) << threads << " threads";
          most_tasks = std::max(most_tasks, pool.most_tasks());
        }
        if (this->HasFatalFailure()) return;
      }
    }
  }
  EXPECT_GT(most_tasks, 4);
}

// Small enough for ThreadSanitizer: slabs of both kinds, and tasks of some rows.
TEST(BatchNormThreads, AgreeWithOneThread) {
  for (const Shape& shape : {Shape{4, 80, 300, Layout::kChannelsFirst}, Shape{40, 60, 49, Layout::kChannelsFirst},
                             Shape{100, 700, 1, Layout::kChannelsLast}, Shape{70, 40, 60, Layout::kChannelsLast}}) {
    SCOPED_TRACE(name_of(shape));
    for (const bool training : {true, false}) {
      SerialTaskRunner alone;
      ThreadRunner pool(3);
      BatchCase<float> serial(shape, Fusion::kAddRelu), t(shape, Fusion::kAddRelu);
      run_all(serial, training, alone);
      run_all(t, training, pool);
      ASSERT_TRUE(t.same_results(serial));
      ASSERT_GT(pool.most_tasks(), 1);
    }
  }
}

// Alignment decides which stores a kernel may use, never the result.
TYPED_TEST(BatchNormKernels, AlignmentDoesNotShow) {
  SerialTaskRunner runner;
  for (const Shape& shape : chosen_shapes()) {
    SCOPED_TRACE(name_of(shape));
    BatchCase<TypeParam> aligned(shape, Fusion::kAddRelu, 0.5, 0);
    run_all(aligned, true, runner);
    ASSERT_TRUE(aligned.guarded());
    for (const std::int64_t offset : {1, 3, 7}) {
      BatchCase<TypeParam> t(shape, Fusion::kAddRelu, 0.5, offset);
      run_all(t, true, runner);
      ASSERT_TRUE(t.same_results(aligned)) << offset;
      ASSERT_TRUE(t.guarded());
    }
  }
}

}  // namespace
}  // namespace bnlab::kernels
