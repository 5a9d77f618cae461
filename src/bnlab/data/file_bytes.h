// Whole files in memory, gzip or not. Everything that goes wrong is a DataError that names the file.
#pragma once
#include <cstdint>
#include <filesystem>
#include <vector>

namespace bnlab {

using Bytes = std::vector<uint8_t>;

/// Whether there is a file or folder of that name; false where it cannot be known.
bool file_visible(const std::filesystem::path& path);

/// The file's bytes as stored. DataError: missing, a folder, unreadable, empty, too large for the memory.
Bytes read_file_bytes(const std::filesystem::path& path);

/// `stored` itself, or what it decompresses to if it is gzip (one member or several; their CRC-32 and lengths are
/// verified, which libarchive's filter does not do). DataError: truncated, damaged, or followed by other bytes.
Bytes gunzip_if_needed(Bytes stored, const std::filesystem::path& path);

}  // namespace bnlab
