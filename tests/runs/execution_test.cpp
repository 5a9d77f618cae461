#include "bnlab/runs/execution.h"

#include <ATen/Functions.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include "bnlab/data/pool.h"
#include "bnlab/runs/completion.h"
#include "bnlab/train/trainer.h"
#include "tests/small_run.h"
#include "tests/temp_folder.h"

namespace bnlab {
namespace {

using testing::small_spec;

/// Specs on the synthetic set "gaussian", which needs no files, each different in what might be left to the next run.
std::vector<RunSpec> specs() {
  const DataFacts& facts = synthetic_facts("gaussian");
  std::vector<RunSpec> all;
  for (const char* norm : {"batch", "noisy-batch", "none", "noise", "batch"}) {
    TrainSpec spec = small_spec(norm, 4);
    spec.data.digest = facts.digest;
    spec.seed = static_cast<int64_t>(all.size() % 4);
    spec.threads = all.size() % 2 == 0 ? 1 : 2;
    if (all.size() == 2) spec.data.scaling = "none";
    if (all.size() == 3) spec.data.augment = "flip-crop";
    spec.probes = {{"accuracy", 0, 2, true, {{"examples", 50}}}, {"activations", 0, 2, true, {{"layers", {2, 7}}}}};
    all.push_back(complete_run_spec(spec, facts));
  }
  all.push_back(complete_run_spec(AnalysisSpec{"evaluation", Json::object(), {run_id(all[1])}}, facts));
  return all;
}

std::string compute(const std::filesystem::path& folder, const RunSpec& spec, DataShelf& data) {
  create_run(folder / run_id(spec), spec);
  EXPECT_EQ(execute_run(folder / run_id(spec), data, {}, [](const std::string&) {}), RunOutcome::kDone);
  return RunReader(folder / run_id(spec)).dump_rows();
}

TEST(ExecuteRun, TheLastOfManyInAProcessHasTheBitsOfOneComputedAlone) {
  testing::TempFolder together, alone;
  DataShelf shared({"gaussian"});
  const auto all = specs();
  std::vector<std::string> rows;
  for (const auto& spec : all) rows.push_back(compute(together.path(), spec, shared));
  // In the other order, each with data of its own and after something that draws random numbers.
  for (const size_t i : {4u, 3u, 2u, 1u, 0u}) {
    at::manual_seed(i);
    at::rand({17});
    at::set_num_threads(2);
    DataShelf own({"gaussian"});
    EXPECT_EQ(compute(alone.path(), all[i], own), rows[i]) << i;
  }
  DataShelf own({"gaussian"});
  EXPECT_EQ(compute(alone.path(), all.back(), own), rows.back()) << "the analysis";
}

TEST(ExecuteRun, WithPoolTrainsOnPooledImages) {
  testing::TempFolder temp;
  auto spec = std::get<TrainSpec>(specs().front());
  spec.probes.clear();
  spec.data.pool = 2;
  DataShelf shelf({"gaussian"});
  compute(temp.path(), complete_run_spec(spec, synthetic_facts("gaussian")), shelf);
  const auto losses = RunReader(temp / run_id(spec)).scalars({"train", 0, "loss"}).values;

  // The same steps on a set that was pooled beforehand.
  Dataset pooled = shelf.dataset(spec);
  for (Split* split : {&pooled.train, &pooled.test}) {
    split->images = at::avg_pool2d(split->images.to(at::kDouble), 2).to(at::kFloat);
  }
  TrainSpec unpooled = spec;
  unpooled.data.pool = 1;
  create_run(temp / "unpooled", unpooled);
  {
    RunWriter writer(temp / "unpooled", "");
    train(writer, TrainingData(pooled, unpooled), {}, {});
  }
  EXPECT_EQ(losses.size(), 4u);
  EXPECT_EQ(losses, RunReader(temp / "unpooled").scalars({"train", 0, "loss"}).values);
}

TEST(DataShelf, ReadsASetOnceAndSharesItsImages) {
  DataShelf shelf({"gaussian"});
  const auto spec = std::get<TrainSpec>(specs().front());
  const at::Tensor images = shelf.dataset(spec).train.images;
  EXPECT_TRUE(shelf.training_data(spec).dataset().train.images.is_alias_of(images));
}

TEST(DataShelf, PoolsASetOnceAndKeepsTheStoredOne) {
  DataShelf shelf({"gaussian"});
  auto spec = std::get<TrainSpec>(specs().front());
  spec.data.pool = 2;
  const Split pooled = shelf.training_data(spec).dataset().train;
  EXPECT_TRUE(shelf.training_data(spec).dataset().train.images.is_alias_of(pooled.images));
  const at::Tensor images = shelf.dataset(spec).train.images;
  EXPECT_TRUE(at::equal(pooled.images, mean_pooled(images, 2)));
  spec.data.pool = 1;
  EXPECT_TRUE(shelf.training_data(spec).dataset().train.images.is_alias_of(images));
}

TEST(DataShelf, AnotherDrawIsAnotherSet) {
  DataShelf shelf({"linear"});
  TrainSpec one = testing::small_linear_spec("none"), other = one;
  one.data.digest = shelf.dataset(one).digest;
  other.data.draw = 5;
  other.data.digest = shelf.dataset(other).digest;
  EXPECT_NE(one.data.digest, other.data.digest);
  for (const TrainSpec& spec : {one, other, one}) {
    EXPECT_EQ(shelf.training_data(spec).dataset().digest, spec.data.digest);
  }
}

}  // namespace
}  // namespace bnlab
