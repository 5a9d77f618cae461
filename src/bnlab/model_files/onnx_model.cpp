#include "bnlab/model_files/onnx_model.h"

#include "bnlab/model_files/model_error.h"
#include "bnlab/model_files/protobuf_wire.h"

namespace bnlab::model_files {
namespace {

/// An empty node takes two bytes in a file and hundreds in memory.
constexpr std::size_t kMostParts = 1000000;

class Parts {
 public:
  void add() {
    if (++count_ > kMostParts) throw ModelFileError("has more than a million nodes and names in one graph");
  }

 private:
  std::size_t count_ = 0;
};

std::string text_of(const WireField& field) {
  if (field.type != WireType::kBytes) throw ModelFileError("is damaged: a text of another type");
  return std::string(field.bytes);
}

/// The message in `field`.
std::string_view message_of(const WireField& field) {
  if (field.type != WireType::kBytes) throw ModelFileError("is damaged: a part of another type");
  return field.bytes;
}

void read_attribute(std::string_view message, OnnxNode& node) {
  OnnxAttribute attribute;
  std::string name;
  WireReader reader(message);
  for (WireField field; reader.next(field);) {
    if (field.number == 1) name = text_of(field);
    if (field.number == 2) attribute.f = field.as_float();
    if (field.number == 3) attribute.i = field.as_int();
    if (field.number == 5) attribute.tensor = message_of(field);
    if (field.number == 6 || field.number == 11) attribute.graphs.push_back(message_of(field));
  }
  node.attributes[name] = attribute;
}

OnnxNode read_node(std::string_view message, Parts& parts) {
  OnnxNode node;
  parts.add();
  WireReader reader(message);
  for (WireField field; reader.next(field);) {
    if (field.number == 1 || field.number == 2 || field.number == 5) parts.add();
    if (field.number == 1) node.inputs.push_back(text_of(field));
    if (field.number == 2) node.outputs.push_back(text_of(field));
    if (field.number == 3) node.name = text_of(field);
    if (field.number == 4) node.op = text_of(field);
    if (field.number == 5) read_attribute(message_of(field), node);
    if (field.number == 7) node.domain = text_of(field);
  }
  return node;
}

/// The first text of that number in a message; empty if there is none.
std::string text_in(std::string_view message, std::uint32_t number) {
  WireReader reader(message);
  for (WireField field; reader.next(field);) {
    if (field.number == number) return text_of(field);
  }
  return "";
}

void read_opset(std::string_view message, OnnxModel& model) {
  std::string domain;
  std::int64_t version = 0;
  WireReader reader(message);
  for (WireField field; reader.next(field);) {
    if (field.number == 1) domain = text_of(field);
    if (field.number == 2) version = field.as_int();
  }
  if (domain.empty() || domain == "ai.onnx") model.opset = version;
}

void read_function(std::string_view message, OnnxModel& model, Parts& parts) {
  WireReader reader(message);
  for (WireField field; reader.next(field);) {
    if (field.number == 7) model.function_ops.push_back(read_node(message_of(field), parts).op);
  }
}

/// Whether ModelProto has a field of this number and type.
bool is_model_field(const WireField& field) {
  switch (field.number) {
    case 2:
    case 3:
    case 4:
    case 6:
    case 7:
    case 8:
    case 14:
    case 20:
    case 25:
      return field.type == WireType::kBytes;
    case 5:
      return field.type == WireType::kVarint;
    default:
      return false;
  }
}

}  // namespace

std::int64_t OnnxNode::int_or(const std::string& attribute, std::int64_t otherwise) const {
  const auto found = attributes.find(attribute);
  return found == attributes.end() ? otherwise : found->second.i;
}

float OnnxNode::float_or(const std::string& attribute, float otherwise) const {
  const auto found = attributes.find(attribute);
  return found == attributes.end() ? otherwise : found->second.f;
}

bool begins_as_onnx(std::string_view bytes) {
  // ir_version, a varint of one byte, comes first; what follows is told by its key, since it may be cut off.
  constexpr unsigned char kLatestVersion = 64;
  if (bytes.size() < 3 || bytes[0] != 0x08) return false;
  const auto version = static_cast<unsigned char>(bytes[1]);
  const auto key = static_cast<unsigned char>(bytes[2]);
  WireField second;
  second.number = key >> 3;
  second.type = static_cast<WireType>(key & 7);
  return version >= 1 && version <= kLatestVersion && key < 0x80 && is_model_field(second);
}

OnnxModel parse_onnx_model(std::string_view bytes) {
  OnnxModel model;
  Parts parts;
  bool has_graph = false;
  std::string version;
  WireReader reader(bytes);
  for (WireField field; reader.next(field);) {
    if (field.number == 2) model.producer = text_of(field);
    if (field.number == 3) version = text_of(field);
    if (field.number == 7) {
      if (has_graph) throw ModelFileError("is damaged: it has two graphs");
      has_graph = true;
      model.graph = message_of(field);
    }
    if (field.number == 8) read_opset(message_of(field), model);
    if (field.number == 25) read_function(message_of(field), model, parts);
  }
  if (!has_graph) throw ModelFileError("is cut off or no ONNX model: it has no graph");
  if (!version.empty()) model.producer += " " + version;
  return model;
}

OnnxGraph parse_onnx_graph(std::string_view message) {
  OnnxGraph graph;
  Parts parts;
  WireReader reader(message);
  for (WireField field; reader.next(field);) {
    if (field.number == 1) graph.nodes.push_back(read_node(message_of(field), parts));
    if (field.number == 5) {
      parts.add();
      graph.initializers[text_in(message_of(field), 8)] = message_of(field);
    }
    if (field.number == 12) {
      parts.add();
      graph.outputs.push_back(text_in(message_of(field), 1));
    }
  }
  return graph;
}

}  // namespace bnlab::model_files
