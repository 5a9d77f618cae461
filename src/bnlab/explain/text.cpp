#include <fmt/format.h>

#include <algorithm>
#include <sstream>

#include "bnlab/explain/views.h"

namespace bnlab {
namespace {

constexpr std::int64_t kWidth = 100;
constexpr std::int64_t kLabel = 5, kNumber = 13;  // characters of a row's number and of a value
constexpr std::int64_t kColumnsAside = 3;         // of a table, beside as many gradients
constexpr std::int64_t kFirstRows = 8, kLastRows = 2;
static_assert(kLabel + 2 * (kColumnsAside * kNumber + 2) < kWidth);

std::string number(double value) {
  const std::string text = fmt::format("{:.5g}", value == 0 ? 0 : value);  // no -0
  return fmt::format("{:>{}}", text, kNumber);
}

/// Number of characters, not of bytes: names may hold any letters.
std::int64_t characters(const std::string& text) {
  return std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; });
}

/// The text in lines of at most kWidth characters, broken at spaces.
std::string wrapped(const std::string& text) {
  std::string lines, line;
  std::istringstream words(text);
  for (std::string word; words >> word;) {
    if (!line.empty() && characters(line) + 1 + characters(word) > kWidth) {
      lines += line + "\n";
      line.clear();
    }
    line += (line.empty() ? "" : " ") + word;
  }
  return lines + line + "\n";
}

std::string heading(const std::string& name) {
  std::string shown = name;
  while (characters(shown) > kNumber - 1) {
    do shown.pop_back();
    while (!shown.empty() && (shown.back() & 0xC0) == 0x80);
  }
  return std::string(static_cast<std::size_t>(kNumber - characters(shown)), ' ') + shown;
}

struct Part {
  std::int64_t first, count;  // columns of the table
};

std::string line_of(const std::string& label, const Part& part, const Matrix& value, const Matrix* gradient,
                    std::int64_t row) {
  std::string line = fmt::format("{:>{}}", label, kLabel);
  for (std::int64_t c = part.first; c < part.first + part.count; ++c) line += number(value.at(row, c));
  line += "  │";
  for (std::int64_t c = part.first; gradient != nullptr && c < part.first + part.count; ++c) {
    line += number(gradient->at(row, c));
  }
  return line + "\n";
}

std::string body_of(const TraceNode& node, const Part& part) {
  const Matrix* gradient = node.gradient ? &*node.gradient : nullptr;
  if (node.value.rows == 1) return line_of("", part, node.value, gradient, 0);
  std::string text;
  const std::int64_t rows = node.value.rows;
  for (std::int64_t i = 0; i < rows; ++i) {
    if (rows > kFirstRows + kLastRows && i == kFirstRows) {
      i = rows - kLastRows;
      text += fmt::format("{:>{}} rows {} to {} are left out here; --json and --html have them\n", "…", kLabel,
                          kFirstRows + 1, i);
    }
    text += line_of(std::to_string(i + 1), part, node.value, gradient, i);
  }
  return text;
}

std::string head_of(const std::vector<std::string>& columns, const Part& part) {
  std::string names;
  for (std::int64_t c = part.first; c < part.first + part.count; ++c) {
    names += heading(columns[static_cast<std::size_t>(c)]);
  }
  return std::string(kLabel, ' ') + names + "  │" + names + "\n";
}

std::string text_of(const TraceNode& node, std::size_t number, const std::vector<std::string>& columns) {
  std::string text = fmt::format("{:>2}. {}: {}\n    {:<30} gradient: {}\n", number, node.name, node.meaning,
                                 node.formula, node.gradient_formula);
  const auto count = static_cast<std::int64_t>(columns.size());
  for (std::int64_t first = 0; first < count; first += kColumnsAside) {
    const Part part{first, std::min(kColumnsAside, count - first)};
    text += head_of(columns, part) + body_of(node, part);
  }
  return text + "\n";
}

}  // namespace

std::string trace_text(const Trace& trace) {
  const TracedLayer& layer = trace.layer;
  std::string text = wrapped(fmt::format(
      "Batch normalization of {} row{} and {} column{}, in {}, eps {:g}. Left of a bar the forward values: read them "
      "downwards. Right of it the gradients: read them upwards, from the one that arrives at y. A d in front of a name "
      "is the loss's derivative by it; Σ runs over the N rows.",
      layer.x.rows, layer.x.rows == 1 ? "" : "s", layer.x.columns, layer.x.columns == 1 ? "" : "s",
      layer.population ? "inference" : "training", layer.eps));
  text += "\n";
  for (std::size_t i = 0; i < trace.nodes.size(); ++i) text += text_of(trace.nodes[i], i + 1, layer.columns);
  text += fmt::format("In closed form: {}.\nIt differs from the gradients above, step by step, by at most {:.2g}.\n",
                      trace.closed_form, trace.difference);
  for (const std::string& note : trace.notes) text += wrapped(note);
  return text;
}

}  // namespace bnlab
