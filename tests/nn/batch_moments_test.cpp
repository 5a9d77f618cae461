#include "bnlab/nn/batch_moments.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

namespace bnlab {
namespace {

TEST(BatchMoments, BatchesOfAnySizeAreMergedToThoseOfAllValues) {
  const at::Tensor values = at::tensor({1.0, 5.0, 3.0, 5.0, 8.0, 5.0, -4.0, 5.0, 2.0, 5.0}, at::kDouble).view({5, 2});
  BatchMoments moments;
  for (const auto& [begin, end] : {std::pair{0, 1}, std::pair{1, 3}, std::pair{3, 5}}) {
    const at::Tensor batch = values.slice(0, begin, end);
    moments.add(batch.mean(0), batch.var(0, /*unbiased=*/false), end - begin);
  }
  EXPECT_EQ(moments.count(), 5);
  EXPECT_TRUE(at::allclose(moments.mean(), values.mean(0), 1e-15));
  EXPECT_TRUE(at::allclose(moments.var_unbiased(), values.var(0), 1e-15, 0));
}

TEST(BatchMoments, ASmallVarianceAroundALargeMean) {
  BatchMoments moments;
  const at::Tensor quarter = at::full({1}, 0.25, at::kDouble);
  moments.add(at::full({1}, 1e9, at::kDouble), quarter, 4);      // 1e9 ± 0.5
  moments.add(at::full({1}, 1e9 + 1, at::kDouble), quarter, 4);  // 1e9 + 1 ± 0.5
  EXPECT_EQ(moments.mean().item<double>(), 1e9 + 0.5);
  EXPECT_EQ(moments.var_unbiased().item<double>(), (8 * 0.25 + 8 * 0.25) / 7);
}

}  // namespace
}  // namespace bnlab
