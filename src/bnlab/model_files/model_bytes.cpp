#include "bnlab/model_files/model_bytes.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "bnlab/model_files/model_error.h"

namespace bnlab::model_files {

ModelBytes model_bytes(std::string_view bytes, std::string name) {
  ModelBytes file{std::move(name), bytes, {}};
  if (ZipFile::begins_at(bytes)) file.zip.emplace(bytes);
  return file;
}

MappedFile::MappedFile(const std::filesystem::path& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) throw ModelFileError(fmt::format("cannot be opened: {}", std::strerror(errno)));
  struct stat status {};
  const bool known = ::fstat(descriptor, &status) == 0;
  const bool regular = known && S_ISREG(status.st_mode);
  void* mapped = MAP_FAILED;
  if (regular && status.st_size > 0) {
    size_ = static_cast<std::size_t>(status.st_size);
    mapped = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, descriptor, 0);
  }
  const int error = errno;
  ::close(descriptor);
  if (known && !regular) {
    throw ModelFileError(S_ISDIR(status.st_mode) ? "is a folder; name the file in it that holds the weights"
                                                 : "is no plain file; copy it into one first");
  }
  if (regular && status.st_size == 0) throw ModelFileError("is empty");
  if (mapped == MAP_FAILED) throw ModelFileError(fmt::format("cannot be read: {}", std::strerror(error)));
  data_ = static_cast<const char*>(mapped);
}

MappedFile::~MappedFile() {
  ::munmap(const_cast<char*>(data_), size_);
}

}  // namespace bnlab::model_files
