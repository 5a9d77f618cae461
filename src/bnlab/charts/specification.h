// What the kinds of charts build their Vega-Lite specifications from, so that all look alike; and what a finished
// specification says about itself, in "usermeta":
//
//   "notes"  sentences on what could not be drawn
//   "dark"   which colour of the specification becomes which on a dark page
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "bnlab/charts/style.h"
#include "bnlab/record/json_fields.h"

namespace bnlab {

/// The sentences of a chart on what it leaves out; empty if it shows everything.
std::vector<std::string> notes_of(const Json& chart);

namespace charts {

/// Counts what a chart cannot draw.
class LeftOut {
 public:
  /// Whether a value can stand on an axis; counted if not.
  bool draws(double value, bool log);
  /// Whether a point can be drawn, which is one place on two axes; counted once if not.
  bool draws(double x, bool log_x, double y, bool log_y);
  /// Notes an interval that is not finite, so that only its value is drawn.
  void open_interval() { ++open_; }
  /// Notes an interval that reaches to 0 or below, on a logarithmic axis.
  void cut_interval() { ++cut_; }
  /// Notes a value outside of the range that was asked for.
  void outside() { ++outside_; }

  Json sentences() const;

 private:
  size_t not_finite_ = 0, not_positive_ = 0, open_ = 0, cut_ = 0, outside_ = 0;
};

/// An interval as it can be drawn: not finite, it becomes the value itself; on a logarithmic axis its low end is at
/// least `floor`. What had to be changed is counted.
struct Drawn {
  double low = 0, high = 0;
};
Drawn drawn_interval(double value, double low, double high, bool log, double floor, LeftOut& left_out);

/// A quantitative channel. An empty title gives none. A linear axis holds 0 unless it runs where the data are.
enum class Axis { kHoldsZero, kWhereDataAre };
Json channel(const std::string& field, const std::string& title, bool log, Axis axis = Axis::kHoldsZero);

/// Colour (and dash) by the field "arm", with the legend below the chart. Arms of the data that have no style get one.
struct ArmEncoding {
  Json color, dash;
};
ArmEncoding by_arm(const std::vector<ArmStyle>& styles, const std::vector<std::string>& arms_of_data, bool lines);

/// A line of a tooltip.
Json tip(const std::string& field, const std::string& title, const std::string& format = "");

/// A dashed line across the chart at `value` of a channel ("x" or "y"), with words at its end (or "").
struct ReferenceLine {
  double value = 0;
  std::string label;
};
Json reference_layer(const ReferenceLine& line, const std::string& channel, bool log);

/// The names in the order of their first appearance.
template <typename Items, typename NameOf>
std::vector<std::string> names_in_order(const Items& items, NameOf name_of) {
  std::vector<std::string> names;
  for (const auto& item : items) {
    const std::string& name = name_of(item);
    bool known = false;
    for (const auto& other : names) known = known || other == name;
    if (!known) names.push_back(name);
  }
  return names;
}

/// The whole specification: schema, notes, and the colours for a dark page, where `dark` gives its own for some.
Json finished(Json chart, const LeftOut& left_out, const Json& dark = Json::object());

/// A finished chart that says "no data", and of what.
Json no_data(const std::string& of_what, const LeftOut& left_out);

}  // namespace charts
}  // namespace bnlab
