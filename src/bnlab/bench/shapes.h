// The shapes of batches that benchmarks and tests share: bench/shapes/*.txt, compiled in. Needs the standard library
// only, so that tests of the kernels can include it.
//
// A file has a shape a line, "NAME N C H W"; "#" begins a comment.
#pragma once

#include <algorithm>
#include <cstdint>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "bnlab/shape_lists.h"

namespace bnlab::bench {

/// A batch (N,C,H,W).
struct NamedShape {
  std::string list;  ///< e.g. "resnet-50"
  std::string name;  ///< within its list, e.g. "stem"
  std::int64_t n = 0, c = 0, h = 0, w = 0;

  [[nodiscard]] std::string full_name() const { return list + "/" + name; }
  [[nodiscard]] std::int64_t elements() const { return n * c * h * w; }
  /// Elements per channel.
  [[nodiscard]] std::int64_t count() const { return n * h * w; }
  /// A matrix (N,C): channels-first and channels-last are the same.
  [[nodiscard]] bool is_matrix() const { return h * w == 1; }
  [[nodiscard]] bool operator==(const NamedShape&) const = default;
};

/// A line that is no shape; what() begins with "WHERE:LINE: ".
class ShapeError : public std::invalid_argument {
  using std::invalid_argument::invalid_argument;
};

namespace detail {

inline NamedShape parse_shape(const std::string& line, const std::string& list, const std::string& where) {
  std::istringstream words(line);
  NamedShape shape{list, {}, 0, 0, 0, 0};
  std::string rest;
  if (!(words >> shape.name >> shape.n >> shape.c >> shape.h >> shape.w) || words >> rest) {
    throw ShapeError(where + ": expected NAME N C H W, got \"" + line + "\"");
  }
  constexpr std::int64_t kMost = std::int64_t{1} << 31;  // elements; also keeps the products below from overflowing
  for (const std::int64_t size : {shape.n, shape.c, shape.h, shape.w}) {
    if (size < 1 || size > kMost) throw ShapeError(where + ": sizes must be at least 1, got \"" + line + "\"");
  }
  if (shape.n > kMost / shape.c || shape.h > kMost / shape.w || shape.n * shape.c > kMost / (shape.h * shape.w)) {
    throw ShapeError(where + ": more than 2^31 elements in \"" + line + "\"");
  }
  if (shape.count() < 2) throw ShapeError(where + ": training needs two values per channel, got \"" + line + "\"");
  return shape;
}

}  // namespace detail

/// The shapes of a list's text, in order. `where` is for errors, e.g. the file's name.
/// Throws ShapeError for a line that is no shape, for sizes that cannot be trained on, and for a text without any.
[[nodiscard]] inline std::vector<NamedShape> parse_shapes(const std::string& text, const std::string& list,
                                                          const std::string& where) {
  std::vector<NamedShape> shapes;
  std::istringstream lines(text);
  std::string line;
  for (int number = 1; std::getline(lines, line); ++number) {
    line.erase(std::min(line.find('#'), line.size()));
    line.erase(line.find_last_not_of(" \t\r") + 1);
    if (!line.empty()) shapes.push_back(detail::parse_shape(line, list, where + ":" + std::to_string(number)));
  }
  if (shapes.empty()) throw ShapeError(where + ": holds no shape; each line is NAME N C H W");
  return shapes;
}

/// All lists that are compiled in, one after the other.
[[nodiscard]] inline std::vector<NamedShape> shared_shapes() {
  std::vector<NamedShape> all;
  for (const ShapeListText& list : kShapeLists) {
    const auto shapes = parse_shapes(list.text, list.name, std::string("bench/shapes/") + list.name + ".txt");
    all.insert(all.end(), shapes.begin(), shapes.end());
  }
  return all;
}

}  // namespace bnlab::bench
