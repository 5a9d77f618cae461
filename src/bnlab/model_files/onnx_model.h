// What an ONNX file holds of a graph: nodes and named constants, as views into the file.
// Field numbers: onnx.proto of ONNX 1.17, https://github.com/onnx/onnx/blob/main/onnx/onnx.proto.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bnlab/doctor/facts.h"

namespace bnlab::model_files {

struct OnnxAttribute {
  float f = 0;
  std::int64_t i = 0;
  std::string_view tensor;               ///< a TensorProto; empty if it has none
  std::vector<std::string_view> graphs;  ///< GraphProtos, of If, Loop and Scan
};

struct OnnxNode {
  std::string op, domain, name;
  std::vector<std::string> inputs, outputs;
  std::map<std::string, OnnxAttribute> attributes;

  bool is_standard() const { return domain.empty() || domain == "ai.onnx"; }
  std::int64_t int_or(const std::string& attribute, std::int64_t otherwise) const;
  float float_or(const std::string& attribute, float otherwise) const;
};

struct OnnxGraph {
  std::vector<OnnxNode> nodes;                           ///< in order of execution, as ONNX demands
  std::map<std::string, std::string_view> initializers;  ///< TensorProtos by name
  std::vector<std::string> outputs;
};

struct OnnxModel {
  std::int64_t opset = 1;                 ///< of the standard operators
  std::string producer;                   ///< e.g. "pytorch 1.13.0"
  std::string_view graph;                 ///< a GraphProto
  std::vector<std::string> function_ops;  ///< the operators that the model's own functions use
};

struct OnnxValues {
  std::string dtype;       ///< e.g. "float32"
  doctor::Numbers values;  ///< all of them, row by row
};

/// Whether the bytes begin as a ModelProto does.
bool begins_as_onnx(std::string_view bytes);

/// Throws ModelFileError, as all functions here: cut off, damaged, or of more than a million parts.
OnnxModel parse_onnx_model(std::string_view bytes);
OnnxGraph parse_onnx_graph(std::string_view graph);

/// A TensorProto's numbers, at most 2^20. Throws ModelFileError also if they lie in another file, or are of a type
/// other than floating point, bool or whole numbers of 32 or 64 bits.
OnnxValues onnx_values(std::string_view tensor);

}  // namespace bnlab::model_files
