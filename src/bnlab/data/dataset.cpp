#include "bnlab/data/dataset.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <bit>

#include "bnlab/data/checksum.h"

namespace bnlab {
namespace {

static_assert(std::endian::native == std::endian::little, "digests hash floats and labels as they lie in memory");

void hash_tensor(Hasher& hasher, const char* what, const at::Tensor& tensor) {
  const auto contiguous = tensor.contiguous();
  const auto header =
      fmt::format("{} {} ({})\n", what, at::toString(contiguous.scalar_type()), fmt::join(contiguous.sizes(), ","));
  hasher.update(header.data(), header.size());
  hasher.update(contiguous.data_ptr(), contiguous.nbytes());
}

}  // namespace

int64_t outputs_of(const Dataset& dataset) {
  return dataset.train.labels.dim() == 1 ? static_cast<int64_t>(dataset.class_names.size())
                                         : dataset.train.labels.size(1);
}

std::string content_digest(const Split& train, const Split& test) {
  Hasher hasher(HashKind::kSha256);
  hash_tensor(hasher, "train images", train.images);
  hash_tensor(hasher, "train labels", train.labels);
  hash_tensor(hasher, "test images", test.images);
  hash_tensor(hasher, "test labels", test.labels);
  return hasher.finish().substr(0, 16);
}

}  // namespace bnlab
