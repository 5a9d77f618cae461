#include <algorithm>

#include "bnlab/explain/views.h"

namespace bnlab {
namespace {

using Json = nlohmann::json;

Json row_of(const Matrix& values, std::int64_t row) {
  Json result = Json::array();
  for (std::int64_t c = 0; c < values.columns; ++c) result.push_back(values.at(row, c));
  return result;
}

Json rows_of(const Matrix& values) {
  Json result = Json::array();
  for (std::int64_t i = 0; i < values.rows; ++i) result.push_back(row_of(values, i));
  return result;
}

/// What a node holds: of a table's shape as rows, else one row. A table of one row is still a table.
Json shaped(const TraceNode& node, const Matrix& values) {
  static const std::vector<std::string> tables = {"x", "centered", "squared", "xhat", "scaled", "y"};
  const bool is_table = std::find(tables.begin(), tables.end(), node.name) != tables.end();
  return is_table ? rows_of(values) : row_of(values, 0);
}

Json to_json(const TraceNode& node) {
  return {{"name", node.name},
          {"meaning", node.meaning},
          {"formula", node.formula},
          {"gradient_formula", node.gradient_formula},
          {"inputs", node.inputs},
          {"value", shaped(node, node.value)},
          {"gradient", node.gradient ? shaped(node, *node.gradient) : Json()}};
}

}  // namespace

Json trace_json(const Trace& trace) {
  const TracedLayer& layer = trace.layer;
  Json nodes = Json::array();
  for (const TraceNode& node : trace.nodes) nodes.push_back(to_json(node));
  return {{"mode", layer.population ? "inference" : "training"},
          {"columns", layer.columns},
          {"rows", layer.x.rows},
          {"eps", layer.eps},
          {"gamma", row_of(layer.gamma, 0)},
          {"beta", row_of(layer.beta, 0)},
          {"dy", rows_of(layer.dy)},
          {"running_mean", layer.population ? row_of(layer.population->mean, 0) : Json()},
          {"running_var", layer.population ? row_of(layer.population->var, 0) : Json()},
          {"nodes", nodes},
          {"closed_form",
           {{"formula", trace.closed_form},
            {"dx", rows_of(trace.dx)},
            {"dgamma", row_of(trace.dgamma, 0)},
            {"dbeta", row_of(trace.dbeta, 0)}}},
          {"difference", trace.difference},
          {"notes", trace.notes}};
}

}  // namespace bnlab
