// Whole files, written so that a reader sees the old content or the new one, never a part, whatever happens in between.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

namespace bnlab {

/// A file could not be read or written; what() names the file, the system's reason and what to do.
class FileError : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Moments inside write_file_atomically at which a test may want to kill the process.
enum class WritePhase { kHalfWritten, kWritten, kRenamed };
using WriteHook = std::function<void(WritePhase)>;

/// Writes `path`.new, syncs it, renames it to `path`, syncs the folder. On an error the old file stays and the new one
/// is removed; throws FileError.
void write_file_atomically(const std::filesystem::path& path, std::string_view content, const WriteHook& hook = {});

/// The whole file. Throws FileError.
std::string read_file(const std::filesystem::path& path);

}  // namespace bnlab
