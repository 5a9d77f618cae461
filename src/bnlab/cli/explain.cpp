// bnlab explain: batch normalization of a small table, step by step.
#include <fmt/format.h>

#include "bnlab/cli/commands.h"
#include "bnlab/cli/common.h"
#include "bnlab/cli/output.h"
#include "bnlab/data/csv.h"
#include "bnlab/data/ten_people.h"
#include "bnlab/explain/views.h"
#include "bnlab/record/files.h"

namespace bnlab {
namespace {

struct ExplainOptions {
  std::string table, gradient, html;
  std::vector<std::string> columns;
  std::vector<double> gamma = {1}, beta = {0}, mean, var;
  double eps = 1e-5;
  bool inference = false, json = false;
};

Matrix matrix_of(const CsvTable& table) {
  Matrix result(table.rows, static_cast<std::int64_t>(table.columns.size()));
  result.values = table.values;
  return result;
}

/// One value for all columns, or one for each.
Matrix row_of(const std::vector<double>& given, const std::string& flag, std::int64_t columns) {
  Matrix row(1, columns, given.front());
  if (given.size() == 1) return row;
  if (static_cast<std::int64_t>(given.size()) != columns) {
    throw std::invalid_argument(
        fmt::format("{} has {} values, but the table has {} columns; give one, or one for each column, as in {} 1,2,…",
                    flag, given.size(), columns, flag));
  }
  row.values = given;
  return row;
}

std::optional<PopulationStatistics> population_of(const ExplainOptions& options, const Matrix& x) {
  if (!options.inference) {
    if (options.mean.empty() && options.var.empty()) return std::nullopt;
    throw std::invalid_argument("--mean and --var are what inference normalizes with; add --inference");
  }
  PopulationStatistics result;
  if (options.mean.empty() || options.var.empty()) result = statistics_of(x);
  if (!options.mean.empty()) result.mean = row_of(options.mean, "--mean", x.columns);
  if (!options.var.empty()) result.var = row_of(options.var, "--var", x.columns);
  return result;
}

/// By default the loss is the first row's result, so that one sees what every row has to do with it.
Matrix gradient_of(const ExplainOptions& options, const CsvTable& table) {
  if (!options.gradient.empty()) {
    return matrix_of(parse_csv(read_file(options.gradient), options.gradient, table.columns));
  }
  Matrix dy(table.rows, static_cast<std::int64_t>(table.columns.size()));
  for (std::int64_t c = 0; c < dy.columns; ++c) dy.at(0, c) = 1;
  return dy;
}

void explain(const ExplainOptions& options) {
  const CsvTable table =
      options.table.empty() ? ten_people() : parse_csv(read_file(options.table), options.table, options.columns);
  TracedLayer layer;
  layer.columns = table.columns;
  layer.x = matrix_of(table);
  layer.gamma = row_of(options.gamma, "--gamma", layer.x.columns);
  layer.beta = row_of(options.beta, "--beta", layer.x.columns);
  layer.eps = options.eps;
  layer.dy = gradient_of(options, table);
  layer.population = population_of(options, layer.x);
  const Trace traced = trace(layer);
  if (!options.html.empty()) {
    write_file_atomically(options.html, trace_page(traced));
    say(fmt::format("The page is at {}\n", std::filesystem::absolute(options.html).string()));
    if (!options.json) return;
  }
  if (options.json) {
    print_json(trace_json(traced));
  } else {
    write_output(trace_text(traced));
  }
}

}  // namespace

void add_explain(CLI::App& app, Invocation&) {
  auto options = std::make_shared<ExplainOptions>();
  CLI::App* command = app.add_subcommand("explain", "Batch normalization of a small table, step by step");
  command->add_option(
      "TABLE", options->table,
      "CSV file: a header, then a row of numbers an example (default: ten people's height, weight, age)");
  command->add_option("--columns", options->columns, "Only these columns of TABLE, as in height,age")->delimiter(',');
  command->add_option("--gamma", options->gamma, "Scale: one, or one for each column (default: 1)")->delimiter(',');
  command->add_option("--beta", options->beta, "Shift: one, or one for each column (default: 0)")->delimiter(',');
  command->add_option("--eps", options->eps, "Added to the variance")->capture_default_str();
  command->add_option("--dy", options->gradient,
                      "CSV file like TABLE: the gradient that arrives (default: 1 in the first row, 0 elsewhere)");
  command->add_flag("--inference", options->inference, "Normalize with --mean and --var instead of the table's own");
  command->add_option("--mean", options->mean, "What training left (default: the table's mean)")->delimiter(',');
  command->add_option("--var", options->var, "What training left (default: the table's unbiased variance)")
      ->delimiter(',');
  command->add_flag("--json", options->json, "Every node with formula, value and gradient, in full precision");
  command->add_option("--html", options->html, "Write a page to edit and to step through");
  command->footer(
      "Example:\n  bnlab explain\n  bnlab explain people.csv --columns height,age --gamma 2,1 --html people.html");
  command->callback([options, command] {
    if (options->table.empty() && command->count("--columns") > 0) {
      throw std::invalid_argument("--columns chooses among the columns of a TABLE, and none is given");
    }
    explain(*options);
  });
}

}  // namespace bnlab
