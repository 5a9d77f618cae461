#include "bnlab/data/idx.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstring>
#include <vector>

namespace bnlab {
namespace fs = std::filesystem;
namespace {

using Content = std::span<const unsigned char>;

uint32_t big_endian(Content content, size_t at) {
  return uint32_t{content[at]} << 24 | uint32_t{content[at + 1]} << 16 | uint32_t{content[at + 2]} << 8 |
         content[at + 3];
}

// The sizes in the header, which fit the length of the content exactly.
std::vector<int64_t> parse_header(Content content, const fs::path& path, uint32_t magic, size_t dimensions,
                                  const char* what) {
  const size_t header = 4 + 4 * dimensions;
  if (content.size() < 4) {
    throw DataError(fmt::format("{}: {} bytes are too few for an IDX file of {}; get the file again", path.string(),
                                content.size(), what));
  }
  if (big_endian(content, 0) != magic) {
    throw DataError(
        fmt::format("{}: expected an IDX file of {} (magic number {}), found magic number {}; "
                    "check that the file is what its name says",
                    path.string(), what, magic, big_endian(content, 0)));
  }
  if (content.size() < header) {
    throw DataError(fmt::format("{}: the file ends in its header; get the file again", path.string()));
  }
  std::vector<int64_t> sizes;
  uint64_t payload = 1;
  bool too_large = false;
  for (size_t d = 0; d < dimensions; ++d) {
    const uint64_t size = big_endian(content, 4 + 4 * d);
    sizes.push_back(static_cast<int64_t>(size));
    too_large |= __builtin_mul_overflow(payload, size, &payload);
  }
  if (too_large || payload == 0 || content.size() - header != payload) {
    throw DataError(fmt::format("{}: the header announces {} bytes of {} ({}), found {}; get the file again",
                                path.string(), too_large ? std::string("more than 2^64") : std::to_string(payload),
                                what, fmt::join(sizes, " x "), content.size() - header));
  }
  return sizes;
}

}  // namespace

at::Tensor parse_idx_images(Content content, const fs::path& path) {
  const auto sizes = parse_header(content, path, 2051, 3, "images");
  auto images = at::empty({sizes[0], 1, sizes[1], sizes[2]}, at::kByte);
  std::memcpy(images.data_ptr<uint8_t>(), content.data() + content.size() - images.numel(), images.numel());
  return images;
}

at::Tensor parse_idx_labels(Content content, const fs::path& path, int64_t classes) {
  const auto sizes = parse_header(content, path, 2049, 1, "labels");
  const auto bytes = content.subspan(content.size() - sizes[0]);
  auto labels = at::empty({sizes[0]}, at::kLong);
  auto* out = labels.data_ptr<int64_t>();
  for (size_t i = 0; i < bytes.size(); ++i) {
    if (bytes[i] >= classes) {
      throw DataError(fmt::format("{}: label {} of example {} is not in 0 to {}; get the file again", path.string(),
                                  bytes[i], i, classes - 1));
    }
    out[i] = bytes[i];
  }
  return labels;
}

}  // namespace bnlab
