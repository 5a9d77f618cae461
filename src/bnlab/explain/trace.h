// Batch normalization of a small table, step by step: every intermediate of forward and backward in double precision,
// as the staged computational graph of Kratzert 2016, "Understanding the gradient flow through the batch normalization
// layer". Plain data; text.h, json.h and page.h show it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace bnlab {

/// Row by row. What there is one of a column has one row.
struct Matrix {
  std::int64_t rows = 0, columns = 0;
  std::vector<double> values;

  Matrix() = default;
  Matrix(std::int64_t rows, std::int64_t columns, double value = 0)
      : rows(rows), columns(columns), values(static_cast<std::size_t>(rows * columns), value) {}
  double& at(std::int64_t row, std::int64_t column) {
    return values[static_cast<std::size_t>((rows == 1 ? 0 : row) * columns + column)];
  }
  double at(std::int64_t row, std::int64_t column) const { return const_cast<Matrix*>(this)->at(row, column); }
};

/// What inference normalizes with, one row each.
struct PopulationStatistics {
  Matrix mean, var;
};

struct TracedLayer {
  std::vector<std::string> columns;                ///< names of x's columns, the channels
  Matrix x;                                        ///< (N,C)
  Matrix gamma, beta;                              ///< (1,C)
  double eps = 1e-5;                               ///< in units of x squared
  Matrix dy;                                       ///< (N,C), the gradient that arrives
  std::optional<PopulationStatistics> population;  ///< set: inference, else training
};

/// (1,C) unbiased variance and mean of x's columns: what running statistics hold after a batch with momentum 1. Throws
/// std::invalid_argument if x has one row.
PopulationStatistics statistics_of(const Matrix& x);

/// A node of the graph.
struct TraceNode {
  std::string name;     ///< e.g. "xhat"
  std::string meaning;  ///< in words
  std::string formula, gradient_formula;
  std::vector<std::string> inputs;  ///< names of the nodes that it is computed from
  Matrix value;
  std::optional<Matrix> gradient;  ///< none where nothing flows back: a constant of inference
};

struct Trace {
  TracedLayer layer;
  std::vector<TraceNode> nodes;    ///< in the order of the forward pass: twelve, in inference eleven
  Matrix dx, dgamma, dbeta;        ///< by the closed form of Ioffe & Szegedy 2015, section 3
  std::string closed_form;         ///< of dx
  double difference = 0;           ///< largest |staged - closed| over dx, dgamma, dbeta
  std::vector<std::string> notes;  ///< what is special about this table, each a sentence

  const TraceNode& node(const std::string& name) const;
};

/// Throws std::invalid_argument, one sentence: shapes that do not fit, eps or a variance below 0, a constant column
/// with eps 0, an intermediate beyond the range of a double (which node, which column).
Trace trace(const TracedLayer& layer);

}  // namespace bnlab
