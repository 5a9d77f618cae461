// The encoding of protobuf messages, for the few fields of a format that are read:
// https://protobuf.dev/programming-guides/encoding/.
//
// The onnx library (libonnx-dev) is not used: it parses a whole model into objects of its own, which doubles the memory
// that weights take, and brings libprotobuf, whose versions clash with libtorch's in one process.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

namespace bnlab::model_files {

enum class WireType { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

struct WireField {
  std::uint32_t number = 0;
  WireType type = WireType::kVarint;
  std::uint64_t value = 0;  ///< of kVarint, kFixed64 and kFixed32, its bits
  std::string_view bytes;   ///< of kBytes; a view into the message

  std::int64_t as_int() const { return static_cast<std::int64_t>(value); }
  float as_float() const;  ///< of kFixed32
};

/// The fields of one message, in the order of the file. A view: the bytes must outlive it.
class WireReader {
 public:
  explicit WireReader(std::string_view message) : rest_(message) {}

  /// False at the end. Throws ModelFileError: cut off, a field's number or type that there is not.
  bool next(WireField& field);

 private:
  std::uint64_t varint();
  std::string_view take(std::uint64_t size);

  std::string_view rest_;
};

/// Calls visit(value) for each of a repeated integer field's values, packed into one field or not. Throws as next().
void for_each_int(const WireField& field, const std::function<void(std::int64_t)>& visit);

}  // namespace bnlab::model_files
