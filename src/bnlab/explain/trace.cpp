#include "bnlab/explain/trace.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace bnlab {
namespace {

/// f(row, column) for every place of a matrix; a row's number is of no matter for what there is one of a column.
template <class F>
Matrix filled(std::int64_t rows, std::int64_t columns, const F& f) {
  Matrix result(rows, columns);
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t c = 0; c < columns; ++c) result.at(i, c) = f(i, c);
  }
  return result;
}

/// f(row, column) summed over the rows: (1,C).
template <class F>
Matrix summed(std::int64_t rows, std::int64_t columns, const F& f) {
  return filled(1, columns, [&](std::int64_t, std::int64_t c) {
    double sum = 0;
    for (std::int64_t i = 0; i < rows; ++i) sum += f(i, c);
    return sum;
  });
}

void expect(bool holds, const std::string& sentence) {
  if (!holds) throw std::invalid_argument(sentence);
}

void check(const TracedLayer& layer) {
  const std::int64_t n = layer.x.rows, c = layer.x.columns;
  expect(n > 0 && c > 0, "a table needs at least one row and one column");
  const auto one_a_column = [&](const Matrix& values, const std::string& name) {
    expect(values.rows == 1 && values.columns == c,
           fmt::format("{} has {} values, the table {} columns", name, values.values.size(), c));
  };
  one_a_column(layer.gamma, "gamma");
  one_a_column(layer.beta, "beta");
  expect(layer.dy.rows == n && layer.dy.columns == c,
         fmt::format("the gradient has {} rows and {} columns, the table {} and {}", layer.dy.rows, layer.dy.columns, n,
                     c));
  const auto finite = [&](const Matrix& values, const std::string& name) {
    for (const double value : values.values) {
      expect(std::isfinite(value), fmt::format("{} holds {}, which is not finite", name, value));
    }
  };
  finite(layer.x, "the table");
  finite(layer.gamma, "gamma");
  finite(layer.beta, "beta");
  finite(layer.dy, "the gradient");
  expect(std::isfinite(layer.eps), fmt::format("eps must be finite, not {}", layer.eps));
  expect(layer.eps >= 0, fmt::format("eps must be at least 0, not {}", layer.eps));
  if (!layer.population) return;
  one_a_column(layer.population->mean, "the mean");
  one_a_column(layer.population->var, "the variance");
  finite(layer.population->mean, "the mean");
  finite(layer.population->var, "the variance");
  for (const double var : layer.population->var.values) {
    expect(var >= 0, fmt::format("a variance cannot be below 0: {}", var));
  }
}

class Tracer {
 public:
  explicit Tracer(const TracedLayer& layer)
      : layer_(layer), n_(layer.x.rows), c_(layer.x.columns), count_(static_cast<double>(n_)) {}

  Trace run() {
    forward();
    backward();
    Trace result{layer_, {}, {}, {}, {}, {}, 0, {}};
    if (layer_.population) {
      inference_nodes(result.nodes);
    } else {
      training_nodes(result.nodes);
    }
    common_nodes(result.nodes);
    for (const TraceNode& node : result.nodes) refuse_what_is_not_finite(node);
    closed_form(result);
    return result;
  }

 private:
  template <class F>
  Matrix each(const F& f) const {
    return filled(n_, c_, f);
  }
  template <class F>
  Matrix column(const F& f) const {
    return filled(1, c_, f);
  }
  template <class F>
  Matrix sum(const F& f) const {
    return summed(n_, c_, f);
  }

  void forward() {
    const Matrix& x = layer_.x;
    mean_ = layer_.population ? layer_.population->mean : sum([&](auto i, auto c) { return x.at(i, c) / count_; });
    centered_ = each([&](auto i, auto c) { return x.at(i, c) - mean_.at(0, c); });
    squared_ = each([&](auto i, auto c) { return centered_.at(i, c) * centered_.at(i, c); });
    var_ = layer_.population ? layer_.population->var : sum([&](auto i, auto c) { return squared_.at(i, c) / count_; });
    std_ = column([&](auto, auto c) { return std::sqrt(var_.at(0, c) + layer_.eps); });
    for (std::int64_t c = 0; c < c_; ++c) {
      expect(std_.at(0, c) != 0,
             fmt::format("column \"{}\" has variance 0 and eps is 0, so that its standard deviation, "
                         "by which it is divided, is 0; choose an eps above 0",
                         layer_.columns[static_cast<std::size_t>(c)]));
    }
    rstd_ = column([&](auto, auto c) { return 1 / std_.at(0, c); });
    xhat_ = each([&](auto i, auto c) { return centered_.at(i, c) * rstd_.at(0, c); });
    scaled_ = each([&](auto i, auto c) { return layer_.gamma.at(0, c) * xhat_.at(i, c); });
    y_ = each([&](auto i, auto c) { return scaled_.at(i, c) + layer_.beta.at(0, c); });
  }

  void backward() {
    const Matrix& dy = layer_.dy;  // of y, and of scaled
    dbeta_ = sum([&](auto i, auto c) { return dy.at(i, c); });
    dgamma_ = sum([&](auto i, auto c) { return dy.at(i, c) * xhat_.at(i, c); });
    dxhat_ = each([&](auto i, auto c) { return dy.at(i, c) * layer_.gamma.at(0, c); });
    if (layer_.population) {
      dcentered_ = each([&](auto i, auto c) { return dxhat_.at(i, c) * rstd_.at(0, c); });
      dx_ = dcentered_;
      return;
    }
    drstd_ = sum([&](auto i, auto c) { return dxhat_.at(i, c) * centered_.at(i, c); });
    dstd_ = column([&](auto, auto c) { return -drstd_.at(0, c) / (std_.at(0, c) * std_.at(0, c)); });
    dvar_ = column([&](auto, auto c) { return dstd_.at(0, c) / (2 * std_.at(0, c)); });
    dsquared_ = each([&](auto, auto c) { return dvar_.at(0, c) / count_; });
    dcentered_ = each(
        [&](auto i, auto c) { return dxhat_.at(i, c) * rstd_.at(0, c) + 2 * centered_.at(i, c) * dsquared_.at(i, c); });
    dmean_ = column([&](auto, auto c) { return -sum([&](auto i, auto k) { return dcentered_.at(i, k); }).at(0, c); });
    dx_ = each([&](auto i, auto c) { return dcentered_.at(i, c) + dmean_.at(0, c) / count_; });
  }

  void training_nodes(std::vector<TraceNode>& nodes) const {
    nodes = {
        {"x", "the table", "given", "dx = dcentered + dmean / N", {}, layer_.x, dx_},
        {"mean", "mean of each column", "mean = Σ x / N", "dmean = −Σ dcentered", {"x"}, mean_, dmean_},
        {"centered",
         "distance from the mean",
         "centered = x − mean",
         "dcentered = dxhat · rstd + 2 · centered · dsquared",
         {"x", "mean"},
         centered_,
         dcentered_},
        {"squared",
         "its square",
         "squared = centered²",
         "dsquared = dvar_biased / N",
         {"centered"},
         squared_,
         dsquared_},
        {"var_biased",
         "variance of each column, divided by N",
         "var_biased = Σ squared / N",
         "dvar_biased = dstd / (2 · std)",
         {"squared"},
         var_,
         dvar_},
        {"std",
         "standard deviation, kept from 0 by ε",
         "std = √(var_biased + ε)",
         "dstd = −drstd / std²",
         {"var_biased"},
         std_,
         dstd_},
        {"rstd", "its reciprocal", "rstd = 1 / std", "drstd = Σ dxhat · centered", {"std"}, rstd_, drstd_},
    };
  }

  void inference_nodes(std::vector<TraceNode>& nodes) const {
    const std::string none = "none: a constant";
    nodes = {
        {"x", "the table", "given", "dx = dcentered", {}, layer_.x, dx_},
        {"running_mean", "mean that training left", "given", none, {}, mean_, {}},
        {"centered",
         "distance from that mean",
         "centered = x − running_mean",
         "dcentered = dxhat · rstd",
         {"x", "running_mean"},
         centered_,
         dcentered_},
        {"running_var", "variance that training left", "given", none, {}, var_, {}},
        {"std", "standard deviation, kept from 0 by ε", "std = √(running_var + ε)", none, {"running_var"}, std_, {}},
        {"rstd", "its reciprocal", "rstd = 1 / std", none, {"std"}, rstd_, {}},
    };
  }

  void common_nodes(std::vector<TraceNode>& nodes) const {
    const std::vector<TraceNode> common = {
        {"xhat",
         "standardized: mean 0, variance 1",
         "xhat = centered · rstd",
         "dxhat = dscaled · gamma",
         {"centered", "rstd"},
         xhat_,
         dxhat_},
        {"gamma", "learned scale", "given", "dgamma = Σ dscaled · xhat", {}, layer_.gamma, dgamma_},
        {"scaled", "scaled", "scaled = gamma · xhat", "dscaled = dy", {"gamma", "xhat"}, scaled_, layer_.dy},
        {"beta", "learned shift", "given", "dbeta = Σ dy", {}, layer_.beta, dbeta_},
        {"y", "what the next layer gets", "y = scaled + beta", "given", {"scaled", "beta"}, y_, layer_.dy},
    };
    nodes.insert(nodes.end(), common.begin(), common.end());
    if (layer_.population) nodes[6].meaning = "standardized by what training left";
  }

  void refuse_what_is_not_finite(const TraceNode& node) const {
    const auto refuse = [&](const Matrix& values, const std::string& of) {
      for (std::size_t i = 0; i < values.values.size(); ++i) {
        expect(std::isfinite(values.values[i]),
               fmt::format("{}{} of column \"{}\" is {}, beyond the range of a double; rescale the table", of,
                           node.name, layer_.columns[i % static_cast<std::size_t>(c_)], values.values[i]));
      }
    };
    refuse(node.value, "");
    if (node.gradient) refuse(*node.gradient, "d");
  }

  void closed_form(Trace& result) const {
    const Matrix& dy = layer_.dy;
    result.dbeta = sum([&](auto i, auto c) { return dy.at(i, c); });
    const auto centered = [&](auto i, auto c) { return layer_.x.at(i, c) - mean_.at(0, c); };
    const auto rstd = [&](auto c) { return 1 / std::sqrt(var_.at(0, c) + layer_.eps); };
    result.dgamma = sum([&](auto i, auto c) { return dy.at(i, c) * centered(i, c); });
    for (std::int64_t c = 0; c < c_; ++c) result.dgamma.at(0, c) *= rstd(c);
    if (layer_.population) {
      result.closed_form = "dx = gamma · rstd · dy";
      result.dx = each([&](auto i, auto c) { return layer_.gamma.at(0, c) * rstd(c) * dy.at(i, c); });
    } else {
      result.closed_form = "dx = (gamma · rstd / N) · (N · dy − Σ dy − xhat · Σ dy · xhat)";
      result.dx = each([&](auto i, auto c) {
        return layer_.gamma.at(0, c) * rstd(c) / count_ *
               (count_ * dy.at(i, c) - result.dbeta.at(0, c) - centered(i, c) * rstd(c) * result.dgamma.at(0, c));
      });
    }
    const auto compare = [&](const Matrix& staged, const Matrix& closed) {
      for (std::size_t i = 0; i < staged.values.size(); ++i) {
        result.difference = std::max(result.difference, std::abs(staged.values[i] - closed.values[i]));
      }
    };
    compare(dx_, result.dx);
    compare(dgamma_, result.dgamma);
    compare(dbeta_, result.dbeta);
  }

  const TracedLayer& layer_;
  std::int64_t n_, c_;
  double count_;
  Matrix mean_, centered_, squared_, var_, std_, rstd_, xhat_, scaled_, y_;
  Matrix dx_, dmean_, dcentered_, dsquared_, dvar_, dstd_, drstd_, dxhat_, dgamma_, dbeta_;
};

bool is_constant(const Matrix& x, std::int64_t column) {
  for (std::int64_t i = 1; i < x.rows; ++i) {
    if (x.at(i, column) != x.at(0, column)) return false;
  }
  return true;
}

std::vector<std::string> notes_on(const TracedLayer& layer) {
  if (layer.population) {
    return {
        "Inference: a row's result does not depend on the other rows, and no gradient flows through the statistics."};
  }
  if (layer.x.rows == 1) {
    return {
        "One row is its own mean: xhat is 0, y is beta whatever x is, and dx is 0. (PyTorch refuses to train on it.)"};
  }
  std::vector<std::string> notes;
  for (std::int64_t c = 0; c < layer.x.columns; ++c) {
    if (!is_constant(layer.x, c)) continue;
    notes.push_back(
        fmt::format("Column \"{}\" is constant: its variance is 0 and its xhat 0 (up to the rounding of the "
                    "mean), y is beta; only eps keeps rstd finite, {:.4g}.",
                    layer.columns[static_cast<std::size_t>(c)], 1 / std::sqrt(layer.eps)));
  }
  return notes;
}

}  // namespace

PopulationStatistics statistics_of(const Matrix& x) {
  expect(x.rows > 1, "one row has no unbiased variance; give the mean and the variance that training left");
  const auto count = static_cast<double>(x.rows);
  PopulationStatistics result;
  result.mean = summed(x.rows, x.columns, [&](auto i, auto c) { return x.at(i, c) / count; });
  result.var = summed(x.rows, x.columns, [&](auto i, auto c) {
    const double centered = x.at(i, c) - result.mean.at(0, c);
    return centered * centered / (count - 1);
  });
  return result;
}

const TraceNode& Trace::node(const std::string& name) const {
  for (const TraceNode& node : nodes) {
    if (node.name == name) return node;
  }
  throw std::invalid_argument("there is no node " + name);
}

Trace trace(const TracedLayer& layer) {
  check(layer);
  Trace result = Tracer(layer).run();
  result.notes = notes_on(layer);
  return result;
}

}  // namespace bnlab
