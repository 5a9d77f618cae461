#include "bnlab/data/idx.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include "tests/data/test_files.h"

namespace bnlab {
namespace {

using testing::counting_bytes;
using testing::data_error;
using ::testing::HasSubstr;
using testing::idx;

std::string images_error(const Bytes& content) {
  return data_error([&] { parse_idx_images(content, "dir/images"); });
}

std::string labels_error(const Bytes& content) {
  return data_error([&] { parse_idx_labels(content, "dir/labels", 10); });
}

TEST(IdxImages, GivesPixelsInOrder) {
  const auto images = parse_idx_images(testing::idx_images(2, 3, 4), "x");
  ASSERT_EQ(images.sizes(), (at::IntArrayRef{2, 1, 3, 4}));
  ASSERT_EQ(images.scalar_type(), at::kByte);
  EXPECT_TRUE(at::equal(images.flatten(), at::arange(24, at::kByte)));
}

TEST(IdxImages, RefusesBadHeadersAndLengths) {
  EXPECT_THAT(images_error(idx(2049, {24}, counting_bytes(24))),
              HasSubstr("dir/images: expected an IDX file of images"));
  EXPECT_THAT(images_error(idx(2051, {2, 3, 4}, counting_bytes(23))), HasSubstr("announces 24 bytes"));
  EXPECT_THAT(images_error(idx(2051, {2, 3, 4}, counting_bytes(25))), HasSubstr("found 25"));
  EXPECT_THAT(images_error(idx(2051, {2, 3, 5}, counting_bytes(24))), HasSubstr("2 x 3 x 5"));
  EXPECT_THAT(images_error(idx(2051, {0, 3, 4}, {})), HasSubstr("announces 0 bytes"));
  EXPECT_THAT(images_error(idx(2051, {2, 3}, {})), HasSubstr("ends in its header"));
  EXPECT_THAT(images_error({}), HasSubstr("too few"));
}

TEST(IdxImages, SurvivesSizesWhoseProductOverflows) {
  EXPECT_THAT(images_error(idx(2051, {1u << 31, 1u << 31, 4}, counting_bytes(16))), HasSubstr("more than 2^64"));
}

TEST(IdxLabels, GivesLabelsInOrder) {
  const auto labels = parse_idx_labels(testing::idx_labels(12), "x", 10);
  ASSERT_EQ(labels.scalar_type(), at::kLong);
  EXPECT_TRUE(at::equal(labels, at::arange(12, at::kLong).remainder(10)));
}

TEST(IdxLabels, RefusesLabelsOutOfRangeAndBadHeaders) {
  EXPECT_THAT(labels_error(idx(2049, {3}, {9, 10, 0})),
              HasSubstr("dir/labels: label 10 of example 1 is not in 0 to 9"));
  EXPECT_THAT(labels_error(idx(2049, {3}, {1, 2})), HasSubstr("announces 3 bytes"));
  EXPECT_THAT(labels_error(idx(2049, {2}, {1, 2, 3})), HasSubstr("found 3"));
  EXPECT_THAT(labels_error(testing::idx_images(1, 2, 2)), HasSubstr("expected an IDX file of labels"));
}

}  // namespace
}  // namespace bnlab
