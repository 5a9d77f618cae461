#include "bnlab/data/linear_task.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "bnlab/data/load.h"
#include "bnlab/data/loader.h"

namespace bnlab {
namespace {

TEST(LinearTask, TargetsAreOneLinearMapOfStandardNormals) {
  const Dataset task = make_linear_task({});
  const at::Tensor x = task.train.images.flatten(1).to(at::kDouble), y = task.train.labels.to(at::kDouble);
  EXPECT_EQ(x.sizes(), at::IntArrayRef({1000, 10}));
  // Least squares finds the map without a rest, and the map serves the other split.
  const at::Tensor gram = x.t().matmul(x);
  const at::Tensor map = at::linalg_solve(gram, x.t().matmul(y));
  EXPECT_LT((x.matmul(map) - y).abs().max().item<double>(), 1e-5);
  const at::Tensor other = task.test.images.flatten(1).to(at::kDouble);
  EXPECT_LT((other.matmul(map) - task.test.labels).abs().max().item<double>(), 1e-5);
  EXPECT_NEAR(map.square().mean().item<double>(), 1, 0.5) << "100 independent N(0,1) entries";
  EXPECT_TRUE(at::allclose(gram / 1000, at::eye(10, at::kDouble), 0, 0.2)) << "x ~ N(0, I)";
}

TEST(LinearTask, IsTheSameEachTimeAndServedInBatches) {
  const Dataset task = load_dataset({"linear"});
  EXPECT_EQ(task.digest, make_linear_task({}).digest);
  EXPECT_NE(task.digest, make_linear_task({.seed = 2}).digest);
  const Dataset one = load_dataset({"linear", {}, 1}), two = load_dataset({"linear", {}, 2});
  EXPECT_EQ(load_dataset({"linear", {}, 0}).digest, task.digest);
  EXPECT_EQ(load_dataset({"linear", {}, 1}).digest, one.digest);
  EXPECT_NE(one.digest, task.digest);
  EXPECT_NE(one.digest, two.digest);
  EXPECT_EQ(outputs_of(task), 10);
  Loader loader(task.train, {.batch = 300, .seed = 1});
  const Batch batch = loader.next();
  EXPECT_EQ(batch.y.sizes(), at::IntArrayRef({300, 10}));
  for (const int64_t i : {0, 17, 299}) {
    EXPECT_TRUE(at::equal(batch.y[i], task.train.labels[batch.indices[static_cast<size_t>(i)]]));
    EXPECT_TRUE(at::equal(batch.x[i], task.train.images[batch.indices[static_cast<size_t>(i)]]));
  }
  EXPECT_THROW(make_linear_task({.width = 0}), DataError);
}

}  // namespace
}  // namespace bnlab
