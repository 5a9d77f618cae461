#include "bnlab/model_files/protobuf_wire.h"

#include <bit>
#include <cstring>

#include "bnlab/model_files/model_error.h"

namespace bnlab::model_files {
namespace {

[[noreturn]] void throw_cut_off() {
  throw ModelFileError("is cut off or damaged: a field reaches beyond the end; copy or export it again");
}

template <class T>
std::uint64_t little_endian(std::string_view bytes) {
  static_assert(std::endian::native == std::endian::little);
  T value = 0;
  std::memcpy(&value, bytes.data(), sizeof(T));
  return value;
}

}  // namespace

float WireField::as_float() const {
  return std::bit_cast<float>(static_cast<std::uint32_t>(value));
}

std::string_view WireReader::take(std::uint64_t size) {
  if (size > rest_.size()) throw_cut_off();
  const std::string_view taken = rest_.substr(0, static_cast<std::size_t>(size));
  rest_.remove_prefix(taken.size());
  return taken;
}

std::uint64_t WireReader::varint() {
  std::uint64_t value = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    const auto byte = static_cast<unsigned char>(take(1).front());
    value |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
    if (byte < 0x80) return value;
  }
  throw ModelFileError("is damaged: a number of more than ten bytes");
}

bool WireReader::next(WireField& field) {
  if (rest_.empty()) return false;
  const std::uint64_t key = varint();
  constexpr std::uint64_t kLargestNumber = (1U << 29) - 1;
  const std::uint64_t number = key >> 3;
  if (number == 0 || number > kLargestNumber) throw ModelFileError("is damaged: a field without a valid number");
  field = {static_cast<std::uint32_t>(number), static_cast<WireType>(key & 7), 0, {}};
  switch (field.type) {
    case WireType::kVarint:
      field.value = varint();
      return true;
    case WireType::kFixed64:
      field.value = little_endian<std::uint64_t>(take(8));
      return true;
    case WireType::kBytes:
      field.bytes = take(varint());
      return true;
    case WireType::kFixed32:
      field.value = little_endian<std::uint32_t>(take(4));
      return true;
  }
  throw ModelFileError("is damaged: a field of a type that there is not");
}

void for_each_int(const WireField& field, const std::function<void(std::int64_t)>& visit) {
  if (field.type == WireType::kVarint) return visit(field.as_int());
  if (field.type != WireType::kBytes) throw ModelFileError("is damaged: a list of numbers of another type");
  // A varint with the key of field 1 in front would be a field; packed values have no keys, so they are read here.
  std::uint64_t value = 0;
  int shift = 0;
  for (const char c : field.bytes) {
    if (shift >= 64) throw ModelFileError("is damaged: a number of more than ten bytes");
    value |= static_cast<std::uint64_t>(static_cast<unsigned char>(c) & 0x7F) << shift;
    shift += 7;
    if (static_cast<unsigned char>(c) < 0x80) {
      visit(static_cast<std::int64_t>(value));
      value = 0;
      shift = 0;
    }
  }
  if (shift != 0) throw_cut_off();
}

}  // namespace bnlab::model_files
