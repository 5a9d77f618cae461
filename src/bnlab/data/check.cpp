#include "bnlab/data/check.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>

#include "bnlab/data/cifar.h"
#include "bnlab/data/file_bytes.h"
#include "bnlab/data/idx.h"
#include "bnlab/data/trouble.h"

namespace bnlab {
namespace fs = std::filesystem;
namespace {

constexpr int64_t kCifarRecords = 10000;

FileCheck missing_file(const PublishedFile& published, const fs::path& path) {
  FileCheck check;
  check.name = published.name;
  check.path = path;
  check.expected_md5 = published.md5;
  check.expected_content_hash = published.content_hash;
  if (!published.content_hash.empty()) {
    check.content_hash_kind = published.content_kind == HashKind::kSha1 ? "sha1" : "sha256";
  }
  check.message = fmt::format("{}: no such file", path.string());
  return check;
}

void mark_bad(FileCheck& check, const std::string& message) {
  check.state = FileState::kBad;
  check.message = message;
}

// The verdict on a usable file from its hashes.
void judge(FileCheck& check) {
  const bool same_file = !check.expected_md5.empty() && check.md5 == check.expected_md5;
  const bool same_content = !check.expected_content_hash.empty() && check.content_hash == check.expected_content_hash;
  check.state = same_file || same_content ? FileState::kFound : FileState::kDiffers;
  if (same_file) {
    check.message = "the published file";
  } else if (same_content) {
    check.message = check.expected_md5.empty()
                        ? "the published content"
                        : "the published content, compressed anew (so the MD5 of the file differs)";
  } else {
    check.message = "usable, but its content is not the published one";
  }
}

FileCheck check_idx_file(const KnownDataset& known, size_t index, const fs::path& folder) {
  const auto& published = known.files[index];
  const auto path = idx_file(folder, published.name);
  auto check = missing_file(published, path);
  if (!file_visible(path) && trouble_with(path).empty()) {
    return check;
  }
  try {
    Bytes stored = read_file_bytes(path);
    check.bytes = static_cast<int64_t>(stored.size());
    check.md5 = hash_hex(HashKind::kMd5, stored);
    const Bytes content = gunzip_if_needed(std::move(stored), path);
    check.content_hash = hash_hex(published.content_kind, content);
    index % 2 == 0 ? parse_idx_images(content, path)
                   : parse_idx_labels(content, path, static_cast<int64_t>(known.class_names.size()));
    judge(check);
  } catch (const DataError& error) {
    mark_bad(check, error.what());
  }
  return check;
}

FileCheck check_archive(const KnownDataset& known, const fs::path& path) {
  auto check = missing_file(known.archive, path);
  try {
    const Bytes stored = read_file_bytes(path);
    check.bytes = static_cast<int64_t>(stored.size());
    check.md5 = hash_hex(HashKind::kMd5, stored);
    check.state = check.md5 == check.expected_md5 ? FileState::kFound : FileState::kDiffers;
    check.message =
        check.state == FileState::kFound ? "the published archive" : "usable, but not the published archive";
  } catch (const DataError& error) {
    mark_bad(check, error.what());
  }
  return check;
}

void check_cifar_content(FileCheck& check, std::span<const unsigned char> content, const std::string& name) {
  check.path = name;
  check.bytes = static_cast<int64_t>(content.size());
  check.content_hash = hash_hex(HashKind::kSha1, content);
  try {
    parse_cifar_records(content, name, at::empty({kCifarRecords, 3, 32, 32}, at::kByte),
                        at::empty({kCifarRecords}, at::kLong));
    judge(check);
  } catch (const DataError& error) {
    mark_bad(check, error.what());
  }
}

std::vector<FileCheck> check_cifar_folder(const KnownDataset& known, const fs::path& folder) {
  std::vector<FileCheck> checks;
  for (const auto& published : known.files) {
    const auto path = folder / published.name;
    checks.push_back(missing_file(published, path));
    if (!file_visible(path) && trouble_with(path).empty()) {
      continue;
    }
    try {
      check_cifar_content(checks.back(), read_file_bytes(path), path.string());
    } catch (const DataError& error) {
      mark_bad(checks.back(), error.what());
    }
  }
  return checks;
}

// The archive first, then its members.
std::vector<FileCheck> check_cifar_archive(const KnownDataset& known, const fs::path& path) {
  std::vector<FileCheck> checks = {check_archive(known, path)};
  for (const auto& published : known.files) {
    checks.push_back(missing_file(published, path));
    checks.back().message = fmt::format("{}: no member {}", path.string(), published.name);
  }
  auto& archive = checks.front();
  try {
    visit_cifar_files({path, true}, [&](size_t file, std::span<const unsigned char> content, const std::string& name) {
      check_cifar_content(checks[1 + file], content, name);
    });
  } catch (const DataError& error) {
    mark_bad(archive, error.what());
  }
  const bool members_published =
      std::all_of(checks.begin() + 1, checks.end(), [](const FileCheck& c) { return c.state == FileState::kFound; });
  if (archive.state == FileState::kDiffers && members_published) {
    archive.state = FileState::kFound;
    archive.message = "the published content, packed anew (so the MD5 of the archive differs)";
  }
  return checks;
}

}  // namespace

const char* to_string(FileState state) {
  switch (state) {
    case FileState::kFound:
      return "found";
    case FileState::kDiffers:
      return "differs";
    case FileState::kMissing:
      return "missing";
    case FileState::kBad:
      return "bad";
  }
  return "unknown";
}

std::vector<DatasetListing> list_datasets() {
  std::vector<DatasetListing> listings;
  for (const auto& known : known_datasets()) {
    DatasetListing listing{std::string(known.name),
                           std::string(known.title),
                           places_of(known, {}),
                           find_place(known, {}).value_or(fs::path()),
                           "",
                           std::string(known.hint)};
    for (const auto& place : listing.looked_in) {
      if (listing.found.empty() && listing.trouble.empty()) listing.trouble = trouble_in(known, place);
    }
    listings.push_back(std::move(listing));
  }
  return listings;
}

DatasetCheck check_dataset(const DataChoice& choice) {
  const auto& known = find_known_dataset(choice.name);
  DatasetCheck check;
  check.name = known.name;
  check.title = known.title;
  if (known.format != DataFormat::kSynthetic) {
    const auto place = find_place(known, choice.path);
    if (!place) {
      check.message = not_found_message(known, choice.path);
      return check;
    }
    check.place = *place;
    if (known.format == DataFormat::kCifar) {
      const auto cifar = *find_cifar(*place);
      check.files = cifar.archive ? check_cifar_archive(known, cifar.path) : check_cifar_folder(known, cifar.path);
    }
    for (size_t i = 0; known.format == DataFormat::kIdx && i < known.files.size(); ++i) {
      check.files.push_back(check_idx_file(known, i, *place));
    }
  }
  check.state = FileState::kFound;
  for (const auto& file : check.files) {
    check.state = std::max(check.state, file.state);
  }
  try {
    const auto dataset = load_dataset(choice);
    check.title = dataset.title;
    check.digest = dataset.digest;
    check.message = fmt::format("{} is usable: {} train and {} test images", dataset.title, dataset.train.count(),
                                dataset.test.count());
  } catch (const DataError& error) {
    check.state = check.state < FileState::kMissing ? FileState::kBad : check.state;
    check.message = error.what();
  }
  return check;
}

}  // namespace bnlab
