// ZIP archives in memory: what entries there are, and the bytes of some of them.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace bnlab::model_files {

struct ZipEntry {
  std::string name;
  std::uint64_t size = 0;  ///< of the content, as the archive's directory says
};

/// A view: the bytes must outlive it.
class ZipFile {
 public:
  /// Whether the bytes begin as a ZIP archive does.
  static bool begins_at(std::string_view bytes);

  /// Reads the directory. Throws ModelFileError: damaged, encrypted, no plain files, a name given twice, or more than
  /// kMostEntries.
  explicit ZipFile(std::string_view bytes);

  /// In the order of the archive.
  const std::vector<ZipEntry>& entries() const { return entries_; }
  /// Null if there is no entry of that name.
  const ZipEntry* find(const std::string& name) const;
  /// The one entry whose name ends with "/suffix" at the top folder, e.g. "archive/data.pkl" for "data.pkl", or that
  /// has the name itself. Null if there is none, or more than one.
  const ZipEntry* find_in_top_folder(const std::string& suffix) const;

  /// An entry's content. Throws ModelFileError: missing, larger than `limit`, damaged (its CRC-32 is compared).
  std::string read(const std::string& name, std::uint64_t limit) const;

  /// Calls visit(name, content) for each of these entries, one after the other in the order of the archive, in one pass
  /// over it. Throws as read() does.
  using Visit = std::function<void(const std::string& name, const std::string& content)>;
  void read_each(const std::set<std::string>& names, std::uint64_t limit_each, const Visit& visit) const;

 private:
  static constexpr std::size_t kMostEntries = 1000000;

  std::string_view bytes_;
  std::vector<ZipEntry> entries_;
  std::map<std::string, std::size_t> by_name_;
};

}  // namespace bnlab::model_files
