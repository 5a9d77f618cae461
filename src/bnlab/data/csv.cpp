#include "bnlab/data/csv.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

#include "bnlab/data/data_error.h"
#include "bnlab/record/json_fields.h"

namespace bnlab {
namespace {

struct Record {
  std::int64_t line = 0;  // where it begins, from 1
  std::vector<std::string> fields;
};

/// Cuts a text into records.
class Records {
 public:
  Records(std::string_view text, const std::filesystem::path& path) : rest_(text), path_(path) {
    if (rest_.substr(0, 3) == "\xEF\xBB\xBF") rest_.remove_prefix(3);
  }

  /// False at the end.
  bool next(Record& record) {
    if (rest_.find_first_not_of("\r\n") == rest_.npos) return false;
    record = {line_, {}};
    do record.fields.push_back(field());
    while (take(','));
    if (!take('\n') && !rest_.empty()) {
      throw DataError(
          fmt::format("{}:{}: after the closing quote of field {} comes \"{}\", not a comma; double a "
                      "quote that belongs to the field",
                      path_.string(), line_, record.fields.size(), rest_.front()));
    }
    ++line_;
    return true;
  }

 private:
  bool take(char c) {
    if (c == '\n' && rest_.substr(0, 2) == "\r\n") rest_.remove_prefix(1);
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }

  std::string field() {
    if (take('"')) return quoted();
    std::size_t end = std::min(rest_.find_first_of(",\n"), rest_.size());
    const std::string_view taken = rest_.substr(0, end);
    const bool line_ends = end == rest_.size() || rest_[end] == '\n';
    if (line_ends && !taken.empty() && taken.back() == '\r') --end;
    std::string result(rest_.substr(0, end));
    rest_.remove_prefix(end);
    if (rest_ == "\r") rest_ = {};
    return result;
  }

  std::string quoted() {
    const std::int64_t begin = line_;
    std::string result;
    while (!rest_.empty()) {
      const char c = rest_.front();
      rest_.remove_prefix(1);
      if (c == '"' && !take('"')) return result;
      line_ += c == '\n';
      result += c;
    }
    throw DataError(fmt::format("{}:{}: a quote is opened here and never closed", path_.string(), begin));
  }

  std::string_view rest_;
  const std::filesystem::path& path_;
  std::int64_t line_ = 1;
};

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t");
  return first == text.npos ? "" : text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

/// `problem` completes "the field …".
double number(std::string_view field, std::string& problem) {
  std::string_view text = trimmed(field);
  if (text.size() > 1 && text.front() == '+' && text[1] != '-') text.remove_prefix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty()) {
    problem = "is empty; fill it, or leave its line out";
  } else if (error == std::errc::result_out_of_range) {
    problem = fmt::format("\"{}\" is beyond the range of a double", text);
  } else if (error != std::errc() || end != text.data() + text.size()) {
    problem =
        fmt::format("\"{}\" is no number{}", text, text.find(',') != text.npos ? "; write decimals with a point" : "");
  } else if (!std::isfinite(value)) {
    problem = fmt::format("\"{}\" is not finite", text);
  }
  return value;
}

bool all_numbers(const std::vector<std::string>& fields) {
  return std::all_of(fields.begin(), fields.end(), [](const std::string& field) {
    std::string problem;
    number(field, problem);
    return problem.empty();
  });
}

std::vector<std::string> header_of(Records& records, const std::filesystem::path& path) {
  Record header;
  if (!records.next(header)) throw DataError(path.string() + " is empty; its first line should name the columns");
  if (all_numbers(header.fields)) {
    throw DataError(path.string() + ":1: the first line should name the columns, but it holds only numbers");
  }
  std::vector<std::string> names;
  for (const std::string& field : header.fields) {
    names.emplace_back(trimmed(field));
    if (names.back().empty()) throw DataError(fmt::format("{}:1: column {} has no name", path.string(), names.size()));
    if (std::count(names.begin(), names.end(), names.back()) > 1) {
      throw DataError(fmt::format("{}:1: two columns are called \"{}\"", path.string(), names.back()));
    }
  }
  return names;
}

/// Which fields of a line are read.
std::vector<std::size_t> places_of(const std::vector<std::string>& wanted, const std::vector<std::string>& names,
                                   const std::filesystem::path& path) {
  std::vector<std::size_t> places;
  for (const std::string& name : wanted.empty() ? names : wanted) {
    const auto found = std::find(names.begin(), names.end(), name);
    if (found == names.end()) {
      throw DataError(fmt::format("{} has no column \"{}\"; it has {}", path.string(), name, join_or(names)));
    }
    places.push_back(static_cast<std::size_t>(found - names.begin()));
  }
  return places;
}

}  // namespace

CsvTable parse_csv(std::string_view text, const std::filesystem::path& path, const std::vector<std::string>& wanted) {
  Records records(text, path);
  const std::vector<std::string> names = header_of(records, path);
  const std::vector<std::size_t> places = places_of(wanted, names, path);
  CsvTable table;
  for (const std::size_t place : places) table.columns.push_back(names[place]);
  for (Record record; records.next(record); ++table.rows) {
    if (record.fields.size() != names.size()) {
      throw DataError(fmt::format("{}:{}: this line has {} field{}, the header {}{}", path.string(), record.line,
                                  record.fields.size(), record.fields.size() == 1 ? "" : "s", names.size(),
                                  names.size() == 1 && names[0].find(';') != std::string::npos
                                      ? "; separate fields with commas, not semicolons"
                                      : ""));
    }
    for (const std::size_t place : places) {
      std::string problem;
      table.values.push_back(number(record.fields[place], problem));
      if (problem.empty()) continue;
      throw DataError(fmt::format("{}:{}: column {} (\"{}\"): the field {}", path.string(), record.line, place + 1,
                                  names[place], problem));
    }
  }
  if (table.rows == 0) throw DataError(path.string() + " has a header, but no rows");
  return table;
}

}  // namespace bnlab
