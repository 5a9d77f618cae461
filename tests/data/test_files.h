// Small data files in a folder that is removed again, for the tests of the readers.
#pragma once
#include <archive.h>
#include <archive_entry.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <zlib.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "bnlab/data/dataset.h"
#include "bnlab/data/file_bytes.h"

namespace bnlab::testing {

class TempFolder {
 public:
  TempFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "bnlab-data-XXXXXX").string();
    path_ = mkdtemp(name.data());
  }
  TempFolder(const TempFolder&) = delete;
  ~TempFolder() { std::filesystem::remove_all(path_); }

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

inline void write_file(const std::filesystem::path& path, const Bytes& bytes) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary).write(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

inline Bytes gzip(const Bytes& content) {
  z_stream stream = {};
  EXPECT_EQ(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  Bytes out(deflateBound(&stream, content.size()) + 32);
  stream.next_in = const_cast<Bytef*>(content.data());
  stream.avail_in = content.size();
  stream.next_out = out.data();
  stream.avail_out = out.size();
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

/// An IDX file whose header says `magic` and `sizes`, whatever its payload.
inline Bytes idx(uint32_t magic, const std::vector<uint32_t>& sizes, const Bytes& payload) {
  Bytes out;
  const auto put = [&out](uint32_t word) {
    for (int shift = 24; shift >= 0; shift -= 8) {
      out.push_back(static_cast<uint8_t>(word >> shift));
    }
  };
  put(magic);
  for (const auto size : sizes) {
    put(size);
  }
  out.insert(out.end(), payload.begin(), payload.end());
  return out;
}

inline Bytes counting_bytes(size_t count, int modulus = 251) {
  Bytes bytes(count);
  for (size_t i = 0; i < count; ++i) {
    bytes[i] = static_cast<uint8_t>(i % modulus);
  }
  return bytes;
}

inline Bytes idx_images(uint32_t n, uint32_t h, uint32_t w) {
  return idx(2051, {n, h, w}, counting_bytes(n * h * w));
}
inline Bytes idx_labels(uint32_t n) {
  return idx(2049, {n}, counting_bytes(n, 10));
}

/// Six training and four test images of 3 x 4, gzip.
inline void write_tiny_idx_set(const std::filesystem::path& folder) {
  write_file(folder / "train-images-idx3-ubyte.gz", gzip(idx_images(6, 3, 4)));
  write_file(folder / "train-labels-idx1-ubyte.gz", gzip(idx_labels(6)));
  write_file(folder / "t10k-images-idx3-ubyte.gz", gzip(idx_images(4, 3, 4)));
  write_file(folder / "t10k-labels-idx1-ubyte.gz", gzip(idx_labels(4)));
}

/// CIFAR records whose label is (first + record) mod 10 and whose pixels follow from both.
inline Bytes cifar_records(int records, int first) {
  Bytes out;
  for (int i = 0; i < records; ++i) {
    out.push_back(static_cast<uint8_t>((first + i) % 10));
    for (int p = 0; p < 3072; ++p) {
      out.push_back(static_cast<uint8_t>((p * 7 + i * 31 + first) % 253));
    }
  }
  return out;
}

/// A tar archive of those members, not compressed.
inline Bytes tar(const std::vector<std::pair<std::string, Bytes>>& members) {
  Bytes out(1 << 20);
  for (const auto& member : members) {
    out.resize(out.size() + member.second.size() + 2048);
  }
  size_t used = 0;
  archive* writer = archive_write_new();
  archive_write_set_format_ustar(writer);
  archive_write_open_memory(writer, out.data(), out.size(), &used);
  for (const auto& [name, content] : members) {
    archive_entry* entry = archive_entry_new();
    archive_entry_set_pathname(entry, name.c_str());
    archive_entry_set_size(entry, static_cast<int64_t>(content.size()));
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0644);
    EXPECT_EQ(archive_write_header(writer, entry), ARCHIVE_OK);
    EXPECT_EQ(archive_write_data(writer, content.data(), content.size()), static_cast<la_ssize_t>(content.size()));
    archive_entry_free(entry);
  }
  EXPECT_EQ(archive_write_close(writer), ARCHIVE_OK);
  archive_write_free(writer);
  out.resize(used);
  return out;
}

/// What the DataError says that `action` throws; empty, which no expectation should accept, if it throws none.
template <class Action>
std::string data_error(Action&& action) {
  try {
    action();
  } catch (const DataError& error) {
    return error.what();
  }
  return "";
}

}  // namespace bnlab::testing
