// Whole files, written so that a reader sees the old content or the new one, never a part, whatever happens in between;
// and one that grows.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>

namespace bnlab {

/// A file could not be read or written; what() names the file, the system's reason and what to do.
class FileError : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Called at every moment between two changes of what is on the disk: where a test may want to kill the process.
using WriteHook = std::function<void()>;

/// Writes a new file PATH.*.new, syncs it, renames it to `path`, syncs the folder. On an error the old file stays and
/// the new one is removed (a kill may leave it); throws FileError.
void write_file_atomically(const std::filesystem::path& path, std::string_view content, const WriteHook& hook = {});

/// Removes what killed processes left of files that they were writing into `folder`. Call it only while no other
/// process writes there. Throws FileError.
void remove_unfinished_files(const std::filesystem::path& folder);

/// Appends to the file, which is created if need be. An error or a kill may leave a part of `bytes`. Throws FileError.
void append_to_file(const std::filesystem::path& path, std::string_view bytes, const WriteHook& hook = {});

/// Brings the file's content to the disk. Throws FileError.
void sync_file(const std::filesystem::path& path);

/// In bytes. Throws FileError.
uint64_t size_of_file(const std::filesystem::path& path);

/// Cuts the file to its first `bytes`. Throws FileError.
void cut_file(const std::filesystem::path& path, uint64_t bytes);

/// The whole file. Throws FileError, also if it is a folder.
std::string read_file(const std::filesystem::path& path);

/// Throws FileError if it cannot be told.
bool file_exists(const std::filesystem::path& path);

}  // namespace bnlab
