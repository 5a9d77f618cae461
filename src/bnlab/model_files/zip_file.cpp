#include "bnlab/model_files/zip_file.h"

#include <archive.h>
#include <archive_entry.h>
#include <fmt/format.h>

#include <memory>

#include "bnlab/model_files/model_error.h"

namespace bnlab::model_files {
namespace {

struct ArchiveCloser {
  void operator()(archive* reader) const { archive_read_free(reader); }
};
using ArchiveReader = std::unique_ptr<archive, ArchiveCloser>;

[[noreturn]] void throw_damaged(archive* reader) {
  const char* reason = archive_error_string(reader);
  throw ModelFileError(fmt::format("the ZIP archive is damaged ({}); copy or save the file again",
                                   reason != nullptr ? reason : "no more is known"));
}

ArchiveReader open_zip(std::string_view bytes) {
  ArchiveReader reader(archive_read_new());
  if (!reader) throw ModelFileError("there is no memory for reading the archive");
  archive_read_support_format_zip_seekable(reader.get());
  if (archive_read_open_memory(reader.get(), bytes.data(), bytes.size()) != ARCHIVE_OK) throw_damaged(reader.get());
  return reader;
}

/// Goes to the next entry that is a file; false at the end.
bool next_file(archive* reader, archive_entry*& entry) {
  while (true) {
    const int result = archive_read_next_header(reader, &entry);
    if (result == ARCHIVE_EOF) return false;
    if (result != ARCHIVE_OK && result != ARCHIVE_WARN) throw_damaged(reader);
    if (archive_entry_filetype(entry) == AE_IFREG) return true;
  }
}

std::string name_of(archive_entry* entry) {
  const char* name = archive_entry_pathname_utf8(entry);
  if (name == nullptr) name = archive_entry_pathname(entry);
  if (name == nullptr) throw ModelFileError("the ZIP archive holds a name that cannot be read");
  return name;
}

[[noreturn]] void throw_too_large(const std::string& name, std::uint64_t limit) {
  throw ModelFileError(fmt::format("{} in the ZIP archive is larger than the {} bytes that are read", name, limit));
}

std::string content_of(archive* reader, const std::string& name, std::uint64_t limit) {
  std::string content;
  const void* block = nullptr;
  std::size_t size = 0;
  la_int64_t offset = 0;
  while (true) {
    const int result = archive_read_data_block(reader, &block, &size, &offset);
    if (result == ARCHIVE_EOF) return content;
    if (result != ARCHIVE_OK) throw_damaged(reader);
    if (static_cast<std::uint64_t>(offset) != content.size()) throw ModelFileError("the ZIP archive has gaps");
    if (size > limit - content.size()) throw_too_large(name, limit);
    content.append(static_cast<const char*>(block), size);
  }
}

}  // namespace

bool ZipFile::begins_at(std::string_view bytes) {
  return bytes.substr(0, 4) == "PK\3\4";
}

ZipFile::ZipFile(std::string_view bytes) : bytes_(bytes) {
  const ArchiveReader reader = open_zip(bytes);
  archive_entry* entry = nullptr;
  while (next_file(reader.get(), entry)) {
    const std::string name = name_of(entry);
    if (archive_entry_is_encrypted(entry) != 0) {
      throw ModelFileError("the ZIP archive is encrypted; save it without a password");
    }
    if (entries_.size() == kMostEntries) {
      throw ModelFileError(fmt::format("the ZIP archive has more than the {} entries that are read", kMostEntries));
    }
    if (!by_name_.emplace(name, entries_.size()).second) {
      throw ModelFileError(fmt::format("the ZIP archive holds {} twice, so which one is meant is unknown", name));
    }
    const la_int64_t size = archive_entry_size(entry);
    entries_.push_back({name, size > 0 ? static_cast<std::uint64_t>(size) : 0});
  }
}

const ZipEntry* ZipFile::find(const std::string& name) const {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : &entries_[found->second];
}

const ZipEntry* ZipFile::find_in_top_folder(const std::string& suffix) const {
  const ZipEntry* one = nullptr;
  for (const ZipEntry& entry : entries_) {
    const std::size_t slash = entry.name.find('/');
    const bool same = entry.name == suffix || (slash != std::string::npos && entry.name.substr(slash + 1) == suffix);
    if (!same) continue;
    if (one != nullptr) return nullptr;
    one = &entry;
  }
  return one;
}

std::string ZipFile::read(const std::string& name, std::uint64_t limit) const {
  std::string content;
  read_each({name}, limit, [&](const std::string&, const std::string& bytes) { content = bytes; });
  return content;
}

void ZipFile::read_each(const std::set<std::string>& names, std::uint64_t limit_each, const Visit& visit) const {
  for (const std::string& name : names) {
    const ZipEntry* entry = find(name);
    if (entry == nullptr) throw ModelFileError(fmt::format("{} is missing in the ZIP archive", name));
    if (entry->size > limit_each) throw_too_large(name, limit_each);
  }
  const ArchiveReader reader = open_zip(bytes_);
  archive_entry* entry = nullptr;
  std::size_t left = names.size();
  while (left > 0 && next_file(reader.get(), entry)) {
    const std::string name = name_of(entry);
    if (names.count(name) == 0) continue;
    visit(name, content_of(reader.get(), name, limit_each));
    --left;
  }
}

}  // namespace bnlab::model_files
