#include "bnlab/charts/heat_map.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "bnlab/charts/specification.h"

namespace bnlab {
namespace {

constexpr char kMiddle[] = "#f1f1ee", kMiddleOnDark[] = "#262b30";
constexpr double kMostHeight = 460;
constexpr size_t kMostGaps = 40;  // columns

/// The scale of colours, and where a value stands on it.
class Colors {
 public:
  Colors(const std::vector<HeatCell>& cells, const HeatMapOptions& options)
      : log_(options.log), diverging_(options.middle.has_value()) {
    low_ = INFINITY, high_ = -INFINITY;
    for (const auto& cell : cells) {
      low_ = std::min(low_, at(cell.value));
      high_ = std::max(high_, at(cell.value));
    }
    if (diverging_) {
      middle_ = at(*options.middle);
      const double reach = std::max({high_ - middle_, middle_ - low_, 1e-12});
      low_ = middle_ - reach;
      high_ = middle_ + reach;
    } else if (!(high_ > low_)) {
      low_ -= 0.5;
      high_ += 0.5;
    }
  }

  Json scale() const {
    Json scale = {{"type", log_ ? "log" : "linear"}, {"nice", false}};
    if (!log_) scale["zero"] = false;
    if (diverging_) {
      scale.update({{"domain", {value(low_), value(middle_), value(high_)}},
                    {"range", {colors::kBlue, kMiddle, colors::kRed}},
                    {"interpolate", "lab"}});
    } else {
      scale.update({{"domain", {value(low_), value(high_)}}, {"scheme", "viridis"}});
    }
    return scale;
  }

  /// The colour of words on the cell of a value. Viridis, the same on every page, begins dark and ends light; the
  /// diverging colours end far from the page's colour.
  std::string ink(double value) const {
    const double share = (at(value) - low_) / (high_ - low_);
    if (diverging_) return std::abs(share - 0.5) > 0.27 ? colors::kPaper : colors::kInk;
    return share < 0.62 ? "white" : "black";
  }

 private:
  double at(double value) const { return log_ ? std::log10(value) : value; }
  double value(double at) const { return log_ ? std::pow(10, at) : at; }
  bool log_, diverging_;
  double low_ = 0, middle_ = 0, high_ = 0;
};

Json band(const std::string& field, const std::string& title, const std::vector<std::string>& names) {
  return {
      {"field", field},
      {"type", "nominal"},
      {"sort", nullptr},
      {"title", title.empty() ? Json() : Json(title)},
      {"scale", {{"domain", names}, {"padding", 0}}},
      {"axis", {{"labelOverlap", true}, {"labelAngle", 0}, {"labelLimit", 220}, {"ticks", false}, {"domain", false}}}};
}

/// To three digits, with a true minus sign.
std::string number_text(double value) {
  const std::string text = fmt::format("{:.3g}", value + 0.0);  // no "-0"
  return text.front() == '-' ? "−" + text.substr(1) : text;
}

/// A dot on each marked cell, and its words above it.
void append_marks(Json& layers, const std::vector<HeatMark>& marks, const std::vector<HeatCell>& drawn,
                  const Colors& scale, const Json& x, const Json& y) {
  for (const HeatMark& mark : marks) {
    const auto cell = std::find_if(drawn.begin(), drawn.end(),
                                   [&](const HeatCell& it) { return it.row == mark.row && it.column == mark.column; });
    if (cell == drawn.end()) continue;
    const std::string ink = scale.ink(cell->value);
    const Json data = {{"values", {{{"row", mark.row}, {"column", mark.column}, {"text", mark.text}}}}};
    layers.push_back({{"data", data},
                      {"mark", {{"type", "point"}, {"filled", true}, {"size", 40}, {"color", ink}}},
                      {"encoding", {{"x", x}, {"y", y}}}});
    layers.push_back({{"data", data},
                      {"mark", {{"type", "text"}, {"dy", -10}, {"fontSize", 12}, {"color", ink}}},
                      {"encoding", {{"x", x}, {"y", y}, {"text", {{"field", "text"}, {"type", "nominal"}}}}}});
  }
}

Json number_layer(const std::string& ink, const Json& encoding) {
  return {{"transform", {{{"filter", {{"field", "ink"}, {"equal", ink}}}}}},
          {"mark", {{"type", "text"}, {"fontSize", 11}, {"color", ink}}},
          {"encoding", encoding}};
}

}  // namespace

Json heat_map_chart(const std::vector<HeatCell>& cells, const std::string& row_title, const std::string& column_title,
                    const std::string& value_title, const HeatMapOptions& options) {
  if (options.log && options.middle && !(*options.middle > 0)) {
    throw std::invalid_argument("heat_map_chart: a logarithmic scale has no middle at 0 or below; give one above");
  }
  charts::LeftOut left_out;
  std::vector<HeatCell> drawn;
  for (const auto& cell : cells) {
    if (left_out.draws(cell.value, options.log)) drawn.push_back(cell);
  }
  if (drawn.empty()) return charts::no_data(value_title, left_out);
  const Colors scale(drawn, options);
  Json values = Json::array();
  for (const auto& cell : drawn) {
    Json value = {{"row", cell.row}, {"column", cell.column}, {"value", cell.value}};
    if (options.numbers) {
      value["number"] = number_text(cell.value);
      value["ink"] = scale.ink(cell.value);
    }
    values.push_back(std::move(value));
  }
  // Rows and columns of all cells, so that one whose cells are all empty is still seen.
  const auto rows = charts::names_in_order(cells, [](const auto& c) -> const std::string& { return c.row; });
  const auto columns = charts::names_in_order(cells, [](const auto& c) -> const std::string& { return c.column; });
  const Json x = band("column", column_title, columns), y = band("row", row_title, rows);
  const Json legend = {
      {"title", value_title}, {"orient", "right"}, {"gradientLength", 160}, {"titleLimit", 200}, {"format", ".3g"}};
  const Json color = {{"field", "value"}, {"type", "quantitative"}, {"scale", scale.scale()}, {"legend", legend}};
  const Json tips = {charts::tip("row", row_title.empty() ? "row" : row_title),
                     charts::tip("column", column_title.empty() ? "column" : column_title),
                     charts::tip("value", value_title, ".4g")};
  Json cell = {{"mark", {{"type", "rect"}, {"stroke", colors::kPaper}, {"strokeWidth", 1}}},
               {"encoding", {{"x", x}, {"y", y}, {"color", color}, {"tooltip", tips}}}};
  if (columns.size() > kMostGaps) {
    cell["mark"] = "rect";  // no gaps between narrow cells
  }
  Json layers = {cell};
  if (options.numbers) {
    const Json encoding = {{"x", x}, {"y", y}, {"text", {{"field", "number"}, {"type", "nominal"}}}};
    for (const char* ink : {"white", "black", colors::kPaper, colors::kInk}) {
      const bool used =
          std::any_of(values.begin(), values.end(), [&](const Json& value) { return value["ink"] == ink; });
      if (used) layers.push_back(number_layer(ink, encoding));
    }
  }
  append_marks(layers, options.marks, drawn, scale, x, y);
  const double row_height = std::min(30.0, std::max(3.0, kMostHeight / static_cast<double>(rows.size())));
  return charts::finished({{"width", "container"},
                           {"height", std::round(row_height * static_cast<double>(rows.size()))},
                           {"data", {{"values", values}}},
                           {"layer", layers}},
                          left_out, options.middle ? Json{{kMiddle, kMiddleOnDark}} : Json::object());
}

}  // namespace bnlab
