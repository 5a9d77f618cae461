// MNIST's IDX files, gzip or not: a big-endian header (magic number, one 32-bit size per dimension), then unsigned
// bytes. Source: LeCun, Cortes & Burges, "The MNIST database of handwritten digits", file format.
#pragma once
#include <filesystem>
#include <span>

#include "bnlab/data/dataset.h"

namespace bnlab {

/// `content`, the decompressed bytes of `path`, as images (N,1,H,W) uint8.
/// DataError: magic number other than 2051, a size of 0, or more or fewer bytes than the header announces.
at::Tensor parse_idx_images(std::span<const unsigned char> content, const std::filesystem::path& path);

/// `content`, the decompressed bytes of `path`, as labels (N) int64.
/// DataError: magic number other than 2049, no labels, wrong length, or a label not in 0 .. classes-1.
at::Tensor parse_idx_labels(std::span<const unsigned char> content, const std::filesystem::path& path, int64_t classes);

}  // namespace bnlab
