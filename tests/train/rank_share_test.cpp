// One network trained by several ranks, which are threads here, against one process with the whole batch.
#include "bnlab/train/rank_share.h"

#include <gtest/gtest.h>

#include <cmath>

#include "bnlab/train/trainer.h"
#include "tests/ranks/threads.h"
#include "tests/small_run.h"
#include "tests/temp_folder.h"
#include "tests/train/final_state.h"

namespace bnlab {
namespace {

using testing::final_state;
using testing::small_dataset;
using testing::small_spec;

double departure(const std::vector<at::Tensor>& a, const std::vector<at::Tensor>& b) {
  double largest = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const double apart = (a[i].to(at::kDouble) - b[i].to(at::kDouble)).abs().max().item<double>();
    if (!std::isnan(largest) && !(apart <= largest)) largest = apart;  // a NaN stays
  }
  return largest;
}

// Then a maximum of two nearly equal values goes to one or the other with the last bit, in one process as in several.
constexpr int64_t kBeforeTheTie = 3;

TrainSpec shared_spec(int64_t ranks, const std::string& statistics, int64_t steps = 6) {
  TrainSpec spec = small_spec("batch", steps);
  spec.model.options["width"] = 0.125;
  spec.data.augment = "flip-crop";
  spec.optimizer.lr = 0.02;
  spec.optimizer.momentum = 0.9;
  spec.batch = 17;  // uneven parts
  spec.ranks = ranks;
  spec.rank_statistics = statistics;
  return spec;
}

class RankShareTest : public ::testing::Test {
 protected:
  using StopAfter = std::function<bool(int64_t rank, int64_t step)>;

  std::filesystem::path new_run(const TrainSpec& spec) {
    const auto folder = temp_ / std::to_string(++count_);
    create_run(folder, spec);
    return folder;
  }

  static RunOutcome alone(const std::filesystem::path& folder, const TrainSpec& spec) {
    RunWriter writer(folder, "test");
    return train(writer, TrainingData(small_dataset(), spec), {}, {});
  }

  /// What each rank's training returned.
  static std::vector<RunOutcome> together(const std::filesystem::path& folder, const TrainSpec& spec, int64_t size,
                                          const StopAfter& stop_after = {}) {
    std::vector<RunOutcome> outcomes(static_cast<size_t>(size));
    bnlab_test::run_ranks(size, [&](Ranks& ranks) {
      std::atomic<bool> stop{false};
      ExecutionOptions options;
      options.stop = &stop;
      options.ranks = {&ranks, [](Ranks*) {}};
      options.progress = [&](int64_t step, int64_t, double) {
        if (stop_after && stop_after(ranks.rank(), step)) stop = true;
      };
      const TrainingData data(small_dataset(), spec);
      auto& outcome = outcomes[static_cast<size_t>(ranks.rank())];
      if (ranks.rank() == 0) {
        RunWriter writer(folder, "test");
        outcome = train(writer, data, {}, options);
      } else {
        outcome = train_beside_first(spec, data, {}, options);
      }
    });
    return outcomes;
  }

  std::filesystem::path run(const TrainSpec& spec) {
    const auto folder = new_run(spec);
    if (spec.ranks == 1) {
      alone(folder, spec);
    } else {
      together(folder, spec, spec.ranks);
    }
    return folder;
  }

  testing::TempFolder temp_;
  int count_ = 0;
};

TEST_F(RankShareTest, SynchronizedItTrainsAsOneProcessWithTheWholeBatch) {
  const TrainSpec single = shared_spec(1, "synchronized", kBeforeTheTie);
  const auto whole = run(single);
  const Series expected = RunReader(whole).scalars({"train", 0, "loss"});
  for (const int64_t size : {1, 2, 3, 4}) {
    const TrainSpec spec = shared_spec(size, "synchronized", kBeforeTheTie);
    const auto folder = new_run(spec);
    together(folder, spec, size);
    const Series loss = RunReader(folder).scalars({"train", 0, "loss"});
    ASSERT_EQ(loss.values.size(), expected.values.size());
    for (size_t step = 0; step < loss.values.size(); ++step) {
      EXPECT_NEAR(loss.values[step], expected.values[step], 1e-4 * expected.values[step]) << size << " ranks, " << step;
    }
    EXPECT_LE(departure(final_state(folder, spec), final_state(whole, single)), 1e-3) << size << " ranks";
    EXPECT_EQ(RunReader(folder).scalars({"train", 0, "accuracy"}).values.size(), expected.values.size());
  }
}

TEST_F(RankShareTest, WithLocalStatisticsItDoesNot) {
  const auto whole = run(shared_spec(1, "synchronized"));
  const auto local = run(shared_spec(2, "local"));
  const double one = RunReader(whole).scalars({"train", 0, "loss"}).values[0];
  EXPECT_GT(std::abs(RunReader(local).scalars({"train", 0, "loss"}).values[0] - one), 1e-3 * one);
}

TEST_F(RankShareTest, HasTheSameBitsFromRunToRun) {
  for (const char* statistics : {"synchronized", "local"}) {
    const TrainSpec spec = shared_spec(3, statistics);
    const auto once = run(spec), again = run(spec);
    EXPECT_EQ(RunReader(once).dump_rows(), RunReader(again).dump_rows()) << statistics;
    EXPECT_EQ(departure(final_state(once, spec), final_state(again, spec)), 0) << statistics;
  }
}

TEST_F(RankShareTest, WhenOneRankIsToldToStopAllDoAndGoOnToTheSameBits) {
  for (const char* statistics : {"synchronized", "local"}) {
    const TrainSpec spec = shared_spec(3, statistics, 7);
    const auto whole = run(spec), pieces = new_run(spec);
    int starts = 0;
    for (bool done = false; !done; ++starts) {
      const auto outcomes = together(pieces, spec, 3, [](int64_t rank, int64_t) { return rank == 2; });
      done = outcomes[0] == RunOutcome::kDone;
      for (const RunOutcome outcome : outcomes) EXPECT_EQ(outcome, outcomes[0]);
      ASSERT_LT(starts, 7);
    }
    EXPECT_GE(starts, 3) << statistics;
    EXPECT_EQ(RunReader(pieces).dump_rows(), RunReader(whole).dump_rows()) << statistics;
    EXPECT_EQ(departure(final_state(pieces, spec), final_state(whole, spec)), 0) << statistics;
  }
}

TEST_F(RankShareTest, ALossThatDivergesEndsAllRanks) {
  TrainSpec spec = shared_spec(2, "synchronized", 50);
  spec.model.norm = NormSpec{};
  spec.optimizer.lr = 1e6;
  const auto folder = run(spec);
  EXPECT_EQ(RunReader(folder).state(), RunState::kDiverged);
}

}  // namespace
}  // namespace bnlab
