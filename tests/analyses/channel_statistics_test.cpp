// Statistics by channel and by position against loops over single values.
#include "bnlab/analyses/channel_statistics.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/analyses/analysed.h"
#include "tests/temp_folder.h"

namespace bnlab {
namespace {

using testing::analysed;
using testing::small_spec;

constexpr int64_t kBatch = 4, kBatches = 8;

double of_channels(RunReader& run, int64_t layer, const std::string& name) {
  return run.scalar_at({"channel-statistics", layer, name}, 0).value_or(NAN);
}

/// Sum over `units` of the variance of `mean of a batch` and of the values, each unit a list of values by batch.
struct NoiseSums {
  double of_means = 0, of_values = 0;

  void add(const std::vector<std::vector<double>>& batches) {
    double sum = 0, squares = 0, means = 0, mean_squares = 0, count = 0;
    for (const auto& batch : batches) {
      double batch_sum = 0;
      for (const double value : batch) {
        batch_sum += value;
        squares += value * value;
      }
      const auto size = static_cast<double>(batch.size());
      sum += batch_sum;
      count += size;
      means += batch_sum / size / static_cast<double>(batches.size());
      mean_squares += std::pow(batch_sum / size, 2) / static_cast<double>(batches.size());
    }
    of_values += squares / count - std::pow(sum / count, 2);
    of_means += mean_squares - means * means;
  }
  double noise() const { return std::sqrt(of_means / of_values); }
};

TEST(ChannelStatistics, AreThoseOfLoops) {
  testing::TempFolder temp;
  const TrainSpec spec = small_spec("batch", 20);
  const auto run =
      analysed(temp.path(), spec, channel_statistics_analysis(), {{"batch", kBatch}, {"batches", kBatches}});

  at::NoGradGuard no_grad;
  const TrainingData data(testing::small_dataset(), spec);
  const auto network = finished_network(RunReader(temp.path() / "input"), spec, data);
  const at::Tensor images = data.evaluation_loader(true, kBatch * kBatches).next().x;
  const at::Tensor x = testing::pass_of(*network, images.slice(0, 0, kBatch)).in[1].to(at::kDouble);
  std::vector<at::Tensor> batches;
  for (int64_t b = 0; b < kBatches; ++b) {
    batches.push_back(
        testing::pass_of(*network, images.slice(0, b * kBatch, (b + 1) * kBatch)).in[1].to(at::kDouble).contiguous());
  }
  const int64_t channels = x.size(1), height = x.size(2), width = x.size(3);
  NoiseSums by_channel, by_position;
  for (int64_t c = 0; c < channels; ++c) {
    std::vector<std::vector<double>> channel(kBatches);
    for (int64_t h = 0; h < height; ++h) {
      for (int64_t w = 0; w < width; ++w) {
        std::vector<std::vector<double>> position(kBatches);
        for (int64_t b = 0; b < kBatches; ++b) {
          const auto values = batches[b].accessor<double, 4>();
          for (int64_t n = 0; n < kBatch; ++n) {
            channel[b].push_back(values[n][c][h][w]);
            position[b].push_back(values[n][c][h][w]);
          }
        }
        by_position.add(position);
      }
    }
    by_channel.add(channel);
  }
  EXPECT_NEAR(of_channels(*run, 2, "channel_noise") / by_channel.noise(), 1, 1e-6);
  EXPECT_NEAR(of_channels(*run, 2, "position_noise") / by_position.noise(), 1, 1e-6);
  EXPECT_EQ(of_channels(*run, 2, "values"), kBatch * height * width);

  double steadier = 0, layers = 0;
  for (int64_t layer = 1; layer <= 8; ++layer) {
    if (std::isnan(of_channels(*run, layer, "values"))) continue;
    EXPECT_GT(of_channels(*run, layer, "values"), kBatch) << "a map of one position has no place here";
    for (const char* name : {"mean_off", "deviation_off", "channel_bent"}) {
      EXPECT_TRUE(of_channels(*run, layer, name) < 1e-4) << name << layer;
      EXPECT_LE(of_channels(*run, layer, name), of_channels(*run, 0, name));
    }
    EXPECT_TRUE(of_channels(*run, layer, "position_bent") > 1e-3) << layer;
    steadier += std::log(of_channels(*run, layer, "channel_noise") / of_channels(*run, layer, "position_noise"));
    ++layers;
  }
  EXPECT_GE(layers, 4);
  EXPECT_NEAR(of_channels(*run, 0, "steadier"), steadier / layers, 1e-10);
}

TEST(ChannelStatistics, ShowsAMapAndThreeChannels) {
  testing::TempFolder temp;
  const TrainSpec spec = small_spec("batch", 3);
  const auto run =
      analysed(temp.path(), spec, channel_statistics_analysis(), {{"batch", kBatch}, {"batches", kBatches}});
  for (const char* name : {"map", "map_channel", "map_position"}) {
    const auto maps = run->arrays({"channel-statistics", 0, name});
    ASSERT_EQ(maps.size(), 1u) << name;
    EXPECT_EQ(maps.front().shape, (std::vector<int64_t>{32, 32}));
  }
  for (int64_t channel = 1; channel <= 3; ++channel) {
    const auto values = run->arrays({"channel-statistics", channel, "after"}).front().as_doubles();
    EXPECT_TRUE(std::is_sorted(values.begin(), values.end()));
    EXPECT_LE(values.size(), 2000u);
  }
}

TEST(ChannelStatistics, RefusesWhatItCannotLookAt) {
  testing::TempFolder temp;
  const AnalysisKind kind = channel_statistics_analysis();
  EXPECT_THROW(analysed(temp.path() / "none", small_spec("none", 1), kind), SpecError);
  EXPECT_THROW(analysed(temp.path() / "few", small_spec("batch", 1), kind), SpecError);  // 64 images, and 400 wanted
  EXPECT_THROW(kind.complete({kind.name, {{"batch", 1}}, {"a"}, 0, 1}), SpecError);
  EXPECT_THROW(kind.complete({kind.name, {{"batches", 1}}, {"a"}, 0, 1}), SpecError);
}

}  // namespace
}  // namespace bnlab
