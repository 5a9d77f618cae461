// A trace as text and as JSON: nothing is lost, nothing is wider than a terminal.
#include "bnlab/explain/views.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

namespace bnlab {
namespace {

using ::testing::HasSubstr;

Trace traced(std::int64_t rows, std::int64_t columns, bool inference = false) {
  TracedLayer layer;
  layer.x = layer.dy = Matrix(rows, columns);
  for (std::size_t i = 0; i < layer.x.values.size(); ++i)
    layer.x.values[i] = -12345.678 * static_cast<double>(i * i % 7);
  layer.dy.values[0] = 1;
  layer.gamma = Matrix(1, columns, 1);
  layer.beta = Matrix(1, columns);
  for (std::int64_t c = 0; c < columns; ++c) layer.columns.push_back("größe-" + std::to_string(c) + "-und-mehr");
  if (inference) layer.population = PopulationStatistics{Matrix(1, columns, 1), Matrix(1, columns, 4)};
  return trace(layer);
}

TEST(TraceText, IsNeverWiderThanATerminal) {
  for (const bool inference : {false, true}) {
    for (const std::int64_t rows : {1, 2, 10, 200}) {
      for (const std::int64_t columns : {1, 3, 4, 5, 9}) {
        std::istringstream lines(trace_text(traced(rows, columns, inference)));
        for (std::string line; std::getline(lines, line);) {
          const auto wide = std::count_if(line.begin(), line.end(), [](char c) { return (c & 0xC0) != 0x80; });
          EXPECT_LE(wide, 100) << line;
        }
      }
    }
  }
}

TEST(TraceText, HoldsEveryNodeWithItsFormulas) {
  const Trace trace = traced(10, 3);
  const std::string text = trace_text(trace);
  for (const TraceNode& node : trace.nodes) {
    EXPECT_THAT(text, HasSubstr(". " + node.name + ": "));
    EXPECT_THAT(text, HasSubstr(node.formula));
    EXPECT_THAT(text, HasSubstr(node.gradient_formula));
  }
  EXPECT_THAT(text, HasSubstr(trace.closed_form));
  EXPECT_THAT(trace_text(traced(200, 3)), HasSubstr("rows 9 to 198 are left out here"));
}

TEST(TraceJson, HoldsEveryNumberInFull) {
  for (const bool inference : {false, true}) {
    const Trace trace = traced(4, 2, inference);
    const nlohmann::json json = nlohmann::json::parse(trace_json(trace).dump());
    EXPECT_EQ(json["mode"], inference ? "inference" : "training");
    ASSERT_EQ(json["nodes"].size(), trace.nodes.size());
    for (std::size_t i = 0; i < trace.nodes.size(); ++i) {
      const TraceNode& node = trace.nodes[i];
      const auto expect_same = [&](const nlohmann::json& got, const Matrix& values) {
        std::vector<double> flat;
        for (const auto& row : got) {
          if (row.is_array()) {
            for (const auto& value : row) flat.push_back(value);
          } else {
            flat.push_back(row);
          }
        }
        EXPECT_EQ(flat, values.values) << node.name;
      };
      expect_same(json["nodes"][i]["value"], node.value);
      EXPECT_EQ(json["nodes"][i]["gradient"].is_null(), !node.gradient.has_value());
      if (node.gradient) expect_same(json["nodes"][i]["gradient"], *node.gradient);
    }
    EXPECT_EQ(json["closed_form"]["dx"].size(), 4u);
    EXPECT_EQ(json["running_mean"].is_null(), !inference);
  }
}

TEST(TraceJson, ATableOfOneRowIsStillATable) {
  const nlohmann::json json = trace_json(traced(1, 2));
  EXPECT_TRUE(json["nodes"][0]["value"][0].is_array());
  EXPECT_TRUE(json["nodes"][1]["value"][0].is_number());
}

}  // namespace
}  // namespace bnlab
