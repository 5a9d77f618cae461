// ONNX files for tests, written field by field.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace bnlab::model_files {

inline std::string varint(std::uint64_t value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7) bytes += static_cast<char>((value & 0x7F) | 0x80);
  return bytes + static_cast<char>(value);
}

inline std::string int_field(int number, std::uint64_t value) {
  return varint(static_cast<std::uint64_t>(number) << 3) + varint(value);
}

inline std::string bytes_field(int number, const std::string& bytes) {
  return varint(static_cast<std::uint64_t>(number) << 3 | 2) + varint(bytes.size()) + bytes;
}

inline std::string float_field(int number, float value) {
  std::string bytes(4, '\0');
  std::memcpy(bytes.data(), &value, 4);
  return varint(static_cast<std::uint64_t>(number) << 3 | 5) + bytes;
}

inline std::string float_attribute(const std::string& name, float value) {
  return bytes_field(5, bytes_field(1, name) + float_field(2, value) + int_field(20, 1));
}

inline std::string int_attribute(const std::string& name, std::uint64_t value) {
  return bytes_field(5, bytes_field(1, name) + int_field(3, value) + int_field(20, 2));
}

inline std::string node(const std::string& op, const std::vector<std::string>& inputs,
                        const std::vector<std::string>& outputs, const std::string& attributes = "",
                        const std::string& name = "") {
  std::string bytes;
  for (const std::string& input : inputs) bytes += bytes_field(1, input);
  for (const std::string& output : outputs) bytes += bytes_field(2, output);
  if (!name.empty()) bytes += bytes_field(3, name);
  return bytes_field(1, bytes + bytes_field(4, op) + attributes);
}

/// A one-dimensional TensorProto named `name`; values: its fields beside size, type and name.
inline std::string tensor(const std::string& name, int type, std::size_t size, const std::string& values) {
  return int_field(1, size) + int_field(2, static_cast<std::uint64_t>(type)) + bytes_field(8, name) + values;
}

template <class T>
std::string raw(const std::vector<T>& values) {
  std::string bytes(values.size() * sizeof(T), '\0');
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

inline std::string floats(const std::string& name, const std::vector<float>& values) {
  return bytes_field(5, tensor(name, 1, values.size(), bytes_field(9, raw(values))));
}

/// The constants of a layer `name` of two channels.
inline std::string layer_constants(const std::string& name) {
  return floats(name + ".weight", {0.5F, 1.5F}) + floats(name + ".bias", {0.25F, -1}) +
         floats(name + ".running_mean", {2, -3}) + floats(name + ".running_var", {4, 9});
}

inline std::vector<std::string> layer_inputs(const std::string& x, const std::string& name) {
  return {x, name + ".weight", name + ".bias", name + ".running_mean", name + ".running_var"};
}

inline std::string onnx_file(const std::string& graph, std::uint64_t opset, const std::string& output = "y") {
  const std::string outputs = bytes_field(12, bytes_field(1, output));
  return int_field(1, 8) + bytes_field(2, "pytorch") + bytes_field(7, graph + outputs) +
         bytes_field(8, int_field(2, opset));
}

}  // namespace bnlab::model_files
