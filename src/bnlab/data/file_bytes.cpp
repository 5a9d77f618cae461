#include "bnlab/data/file_bytes.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <limits>

#include "bnlab/data/dataset.h"
#include "bnlab/data/trouble.h"

namespace bnlab {
namespace fs = std::filesystem;
namespace {

constexpr size_t kGzipTrailer = 8;  // CRC-32 and length modulo 2^32, little-endian

bool is_gzip(const Bytes& bytes) {
  return bytes.size() >= 2 && bytes[0] == 0x1f && bytes[1] == 0x8b;
}

class Inflater {
 public:
  Inflater(const Bytes& stored, const fs::path& path) : path_(path) {
    if (inflateInit2(&stream_, 15 + 16) != Z_OK) {
      throw DataError(fmt::format("{}: zlib could not start decompressing; free some memory", path.string()));
    }
    stream_.next_in = const_cast<Bytef*>(stored.data());
    left_ = stored.size();
  }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
  ~Inflater() { inflateEnd(&stream_); }

  /// Appends to `out` until the input ends with a complete member.
  void run(Bytes& out) {
    size_t used = 0;
    while (true) {
      if (used == out.size()) {
        out.resize(out.size() + out.size() / 2 + 65536);
      }
      const bool member_ended = step(out, used);
      if (member_ended && stream_.avail_in + left_ == 0) {
        break;
      }
      if (member_ended && inflateReset(&stream_) != Z_OK) {
        fail("zlib could not go on to the next member");
      }
    }
    out.resize(used);
  }

 private:
  static constexpr size_t kMost = std::numeric_limits<uInt>::max();

  [[noreturn]] void fail(const std::string& what) const {
    throw DataError(fmt::format("{}: the gzip data {}; get the file again", path_.string(), what));
  }

  // One call of inflate; true if it ended a member.
  bool step(Bytes& out, size_t& used) {
    const size_t more_in = std::min(left_, kMost - stream_.avail_in);
    stream_.avail_in += static_cast<uInt>(more_in);
    left_ -= more_in;
    const size_t room = std::min(out.size() - used, kMost);
    stream_.next_out = out.data() + used;
    stream_.avail_out = static_cast<uInt>(room);
    const int result = inflate(&stream_, Z_NO_FLUSH);
    used += room - stream_.avail_out;
    if (result == Z_STREAM_END) {
      return true;
    }
    if (result == Z_BUF_ERROR || (result == Z_OK && stream_.avail_out > 0 && stream_.avail_in + left_ == 0)) {
      fail("ends too early: the file is truncated");
    }
    if (result != Z_OK) {
      fail(fmt::format("are damaged ({})", stream_.msg != nullptr ? stream_.msg : "no more is known"));
    }
    return false;
  }

  fs::path path_;
  z_stream stream_ = {};
  size_t left_ = 0;  // input bytes not yet handed to zlib
};

Bytes room_for(uintmax_t size, const fs::path& path) {
  try {
    return Bytes(size);
  } catch (const std::exception&) {  // bad_alloc or length_error
    throw DataError(
        fmt::format("{}: there is no memory for its {} bytes; free some, or raise ulimit -v", path.string(), size));
  }
}

}  // namespace

bool file_visible(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

Bytes read_file_bytes(const fs::path& path) {
  std::error_code error;
  const auto status = fs::status(path, error);
  if (const std::string trouble = trouble_with(path); !trouble.empty()) {
    throw DataError(fmt::format("{} {}; make it readable, or give another path with --data", path.string(), trouble));
  }
  if (status.type() == fs::file_type::not_found) {
    throw DataError(fmt::format("{}: no such file; check the path given with --data", path.string()));
  }
  if (!fs::is_regular_file(status)) {
    throw DataError(fmt::format("{}: expected a file, found {}; check the path given with --data", path.string(),
                                fs::is_directory(status) ? "a folder" : "something else"));
  }
  const auto size = fs::file_size(path, error);
  std::ifstream file(path, std::ios::binary);
  if (error || !file) {
    throw DataError(fmt::format("{}: could not be opened: {}", path.string(), std::strerror(errno)));
  }
  if (size == 0) {
    throw DataError(fmt::format("{}: the file is empty; get it again", path.string()));
  }
  Bytes bytes = room_for(size, path);
  file.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(size));
  if (static_cast<uintmax_t>(file.gcount()) != size) {
    throw DataError(fmt::format("{}: only {} of {} bytes could be read", path.string(), file.gcount(), size));
  }
  return bytes;
}

Bytes gunzip_if_needed(Bytes stored, const fs::path& path) {
  if (!is_gzip(stored)) {
    return stored;
  }
  Bytes out;
  if (stored.size() > kGzipTrailer) {
    uint32_t length_hint = 0;
    std::memcpy(&length_hint, stored.data() + stored.size() - 4, 4);
    out.resize(std::min<size_t>(length_hint, 4 * stored.size()));  // a damaged file's hint may be anything
  }
  Inflater(stored, path).run(out);
  return out;
}

}  // namespace bnlab
