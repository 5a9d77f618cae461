#include "bnlab/data/cifar.h"

#include <ATen/ATen.h>
#include <archive.h>
#include <archive_entry.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "bnlab/data/checksum.h"
#include "bnlab/data/file_bytes.h"

namespace bnlab {
namespace fs = std::filesystem;
namespace {

constexpr int64_t kSide = 32;
constexpr int64_t kPixels = 3 * kSide * kSide;
constexpr int64_t kRecord = 1 + kPixels;
constexpr size_t kTrainFiles = 5;

bool holds_a_file(const fs::path& folder) {
  return std::any_of(kCifarFiles.begin(), kCifarFiles.end(),
                     [&](const char* name) { return file_visible(folder / name); });
}

void visit_folder(const fs::path& folder, const CifarVisitor& visit) {
  for (size_t file = 0; file < kCifarFiles.size(); ++file) {
    const auto path = folder / kCifarFiles[file];
    if (file_visible(path)) {
      visit(file, read_file_bytes(path), path.string());
    }
  }
}

struct ArchiveCloser {
  void operator()(archive* a) const { archive_read_free(a); }
};

[[noreturn]] void throw_bad_archive(const fs::path& path, archive* reader) {
  const char* reason = archive_error_string(reader);
  throw DataError(
      fmt::format("{}: expected cifar-10-binary.tar.gz or another tar archive, found something unreadable as one ({}); "
                  "get the archive again, or name the folder that holds data_batch_1.bin",
                  path.string(), reason != nullptr ? reason : "no more is known"));
}

Bytes read_member(archive* reader, archive_entry* entry, size_t archive_bytes, const fs::path& path) {
  if (archive_entry_size(entry) < 0 || static_cast<size_t>(archive_entry_size(entry)) > archive_bytes) {
    throw_bad_archive(path, reader);
  }
  Bytes content(static_cast<size_t>(archive_entry_size(entry)));
  size_t done = 0;
  while (done < content.size()) {
    const auto got = archive_read_data(reader, content.data() + done, content.size() - done);
    if (got <= 0) {
      throw_bad_archive(path, reader);
    }
    done += static_cast<size_t>(got);
  }
  return content;
}

void visit_archive(const fs::path& path, const CifarVisitor& visit) {
  const Bytes tar = gunzip_if_needed(read_file_bytes(path), path);
  const std::unique_ptr<archive, ArchiveCloser> reader(archive_read_new());
  archive_read_support_format_tar(reader.get());
  if (archive_read_open_memory(reader.get(), tar.data(), tar.size()) != ARCHIVE_OK) {
    throw_bad_archive(path, reader.get());
  }
  archive_entry* entry = nullptr;
  int result = ARCHIVE_OK;
  while ((result = archive_read_next_header(reader.get(), &entry)) == ARCHIVE_OK) {
    const char* name = archive_entry_pathname(entry);
    const auto base = fs::path(name != nullptr ? name : "").filename().string();
    const auto found = std::find(kCifarFiles.begin(), kCifarFiles.end(), base);
    if (found != kCifarFiles.end()) {
      visit(found - kCifarFiles.begin(), read_member(reader.get(), entry, tar.size(), path),
            fmt::format("{}, member {}", path.string(), name));
    }
  }
  if (result != ARCHIVE_EOF) {
    throw_bad_archive(path, reader.get());
  }
}

Split empty_split(int64_t count) {
  return {at::empty({count, 3, kSide, kSide}, at::kByte), at::empty({count}, at::kLong)};
}

}  // namespace

std::optional<CifarPlace> find_cifar(const fs::path& path) {
  std::error_code ignored;
  if (fs::is_regular_file(path, ignored)) {
    return CifarPlace{path, true};
  }
  for (const auto& folder : {path, path / "cifar-10-batches-bin"}) {
    if (holds_a_file(folder)) {
      return CifarPlace{folder, false};
    }
  }
  if (const auto archive = path / "cifar-10-binary.tar.gz"; file_visible(archive)) {
    return CifarPlace{archive, true};
  }
  return std::nullopt;
}

void visit_cifar_files(const CifarPlace& place, const CifarVisitor& visit) {
  place.archive ? visit_archive(place.path, visit) : visit_folder(place.path, visit);
}

void parse_cifar_records(std::span<const unsigned char> content, const std::string& name, const at::Tensor& images,
                         const at::Tensor& labels) {
  const int64_t records = labels.size(0);
  if (static_cast<int64_t>(content.size()) != records * kRecord) {
    throw DataError(fmt::format("{}: expected {} bytes ({} records of {}), found {}; get the file again", name,
                                records * kRecord, records, kRecord, content.size()));
  }
  auto* pixels = images.data_ptr<uint8_t>();
  auto* classes = labels.data_ptr<int64_t>();
  for (int64_t i = 0; i < records; ++i) {
    const auto* record = content.data() + i * kRecord;
    if (record[0] > 9) {
      throw DataError(
          fmt::format("{}: label {} of record {} is not in 0 to 9; get the file again", name, record[0], i));
    }
    classes[i] = record[0];
    std::memcpy(pixels + i * kPixels, record + 1, kPixels);
  }
}

CifarSplits read_cifar(const CifarPlace& place, int64_t records_per_file) {
  CifarSplits result{empty_split(kTrainFiles * records_per_file), empty_split(records_per_file), {}};
  visit_cifar_files(place, [&](size_t file, std::span<const unsigned char> content, const std::string& name) {
    const bool test = file >= kTrainFiles;
    const auto& split = test ? result.test : result.train;
    const int64_t first = test ? 0 : static_cast<int64_t>(file) * records_per_file;
    parse_cifar_records(content, name, split.images.narrow(0, first, records_per_file),
                        split.labels.narrow(0, first, records_per_file));
    result.sha1[file] = hash_hex(HashKind::kSha1, content);
  });
  for (size_t file = 0; file < kCifarFiles.size(); ++file) {
    if (result.sha1[file].empty()) {
      throw DataError(
          fmt::format("{}: {} is missing; expected data_batch_1.bin to data_batch_5.bin and test_batch.bin, "
                      "unpack cifar-10-binary.tar.gz again",
                      place.path.string(), kCifarFiles[file]));
    }
  }
  return result;
}

}  // namespace bnlab
