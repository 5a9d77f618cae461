#include "bnlab/data/dataset.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <set>

namespace bnlab {
namespace {

Split small_split() {
  return {at::arange(2 * 3 * 2 * 2, at::kByte).reshape({2, 3, 2, 2}), at::arange(2, at::kLong)};
}

TEST(ContentDigest, ChangesWithEveryPartOfTheContent) {
  const Split a = small_split(), b = small_split();
  auto pixel = small_split(), label = small_split(), shape = small_split(), type = small_split();
  pixel.images[1][2][1][1] = 200;
  label.labels[0] = 1;
  shape.images = shape.images.reshape({2, 2, 3, 2});
  type.images = type.images.to(at::kFloat);
  std::set<std::string> digests = {content_digest(a, b)};
  for (const auto& changed : {pixel, label, shape, type}) {
    digests.insert(content_digest(changed, b));
    digests.insert(content_digest(a, changed));
  }
  EXPECT_EQ(digests.size(), 9u);
}

TEST(ContentDigest, IsPinnedAndIgnoresMemoryLayout) {
  const auto split = small_split();
  const Split strided = {split.images.contiguous(at::MemoryFormat::ChannelsLast), split.labels};
  EXPECT_EQ(content_digest(split, split), "9bbe8237dd90429c");
  EXPECT_EQ(content_digest(strided, split), content_digest(split, split));
}

}  // namespace
}  // namespace bnlab
