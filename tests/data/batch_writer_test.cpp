#include "bnlab/data/batch_writer.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "bnlab/data/random.h"

namespace bnlab {
namespace {

at::Tensor random_bytes(at::IntArrayRef sizes) {
  auto images = at::empty(sizes, at::kByte);
  Random random(17);
  for (int64_t i = 0; i < images.numel(); ++i) {
    images.data_ptr<uint8_t>()[i] = static_cast<uint8_t>(random.below(256));
  }
  return images;
}

// The slow way: pad with zeros, pad by 4 again, cut out, mirror, then scale, each a tensor operation.
at::Tensor reference(const at::Tensor& image, int64_t pad_to, const ChannelScale& scale, const Placement& placement) {
  const int64_t h = image.size(1), w = image.size(2), out_h = pad_to != 0 ? pad_to : h,
                out_w = pad_to != 0 ? pad_to : w;
  const int64_t top = (out_h - h) / 2, left = (out_w - w) / 2;
  auto x = at::constant_pad_nd(image.to(at::kDouble), {left, out_w - w - left, top, out_h - h - top});
  x = at::constant_pad_nd(x, {4, 4, 4, 4});
  x = x.narrow(1, 4 + placement.down, out_h).narrow(2, 4 + placement.right, out_w);
  x = placement.flip ? x.flip({2}) : x;
  const auto offset = at::tensor(scale.offset, at::kDouble).reshape({-1, 1, 1});
  const auto unit = at::tensor(scale.unit, at::kDouble).reshape({-1, 1, 1});
  return ((x - offset) / unit).to(at::kFloat);
}

TEST(BatchWriter, EqualsTheSlowReferenceForEveryPlacement) {
  const auto bytes = random_bytes({3, 3, 6, 9});
  const ChannelScale scale = {{100.5, 3.25, 77.0}, {51.0, 1.0, 0.3}};
  for (const auto& images : {bytes, bytes.to(at::kFloat)}) {
    for (const int64_t pad_to : {0, 9, 12, 32}) {
      for (const bool channels_last : {false, true}) {
        const BatchWriter writer(images, pad_to, scale, channels_last);
        std::vector<int64_t> indices;
        std::vector<Placement> placements;
        for (int k = 0; k < 162; ++k) {
          indices.push_back(k % 3);
          placements.push_back({k % 9 - 4, k / 9 % 9 - 4, k >= 81});
        }
        const auto batch = writer.write(indices, placements);
        ASSERT_EQ(batch.scalar_type(), at::kFloat);
        ASSERT_TRUE(batch.is_contiguous(channels_last ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous));
        for (size_t b = 0; b < indices.size(); ++b) {
          ASSERT_TRUE(at::equal(batch[b], reference(images[indices[b]], pad_to, scale, placements[b])))
              << images.dtype() << " pad_to " << pad_to << " channels_last " << channels_last << " example " << b;
        }
      }
    }
  }
}

TEST(BatchWriter, WithoutAScalePassesPixelsOn) {
  const auto images = random_bytes({4, 1, 5, 5});
  const BatchWriter writer(images, 0, std::nullopt, true);
  const auto batch = writer.write(std::vector<int64_t>{3, 1}, std::vector<Placement>(2));
  EXPECT_TRUE(at::equal(batch, at::stack({images[3], images[1]}).to(at::kFloat)));
}

TEST(BatchWriter, WithoutAScaleMovesFloatsAsItMovesBytes) {
  for (const auto& sizes : std::vector<std::vector<int64_t>>{{4, 3, 1, 1}, {4, 1, 5, 5}, {4, 3, 5, 5}}) {
    const auto bytes = random_bytes(sizes);
    for (const bool channels_last : {false, true}) {
      for (const int64_t pad_to : {0, 7}) {
        const BatchWriter of_floats(bytes.to(at::kFloat), pad_to, std::nullopt, channels_last);
        const BatchWriter of_bytes(bytes, pad_to, std::nullopt, channels_last);
        const std::vector<int64_t> indices = {2, 0, 1, 2};
        const std::vector<Placement> placements = {{}, {1, 0, false}, {0, -1, false}, {0, 0, true}};
        EXPECT_TRUE(at::equal(of_floats.write(indices, placements), of_bytes.write(indices, placements)))
            << "channels_last " << channels_last << ", pad_to " << pad_to << ", of " << bytes.sizes();
      }
    }
  }
}

TEST(BatchWriter, PadsWithZeroPixelsBeforeScaling) {
  const BatchWriter writer(at::full({1, 1, 28, 28}, 255, at::kByte), 32, ChannelScale{{51.0}, {102.0}}, true);
  const auto x = writer.write(std::vector<int64_t>{0}, std::vector<Placement>(1));
  ASSERT_EQ(x.sizes(), (at::IntArrayRef{1, 1, 32, 32}));
  EXPECT_EQ(x[0][0][1][31].item<float>(), -0.5f);
  EXPECT_EQ(x[0][0][2][2].item<float>(), 2.0f);
  EXPECT_EQ(x[0][0][29][29].item<float>(), 2.0f);
  EXPECT_EQ(x.eq(2.0).sum().item<int64_t>(), 28 * 28);
}

TEST(BatchWriter, RefusesWhatDoesNotFit) {
  const auto images = random_bytes({2, 3, 8, 8});
  EXPECT_THROW(BatchWriter(images, 7, std::nullopt, true), std::invalid_argument);
  EXPECT_THROW(BatchWriter(images, 0, ChannelScale{{0.0}, {1.0}}, true), std::invalid_argument);
  EXPECT_THROW(BatchWriter(images.to(at::kDouble), 0, std::nullopt, true), std::invalid_argument);
  EXPECT_THROW(BatchWriter(images[0], 0, std::nullopt, true), std::invalid_argument);
}

}  // namespace
}  // namespace bnlab
