// Tables of numbers from CSV files (RFC 4180), read the same under every locale.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace bnlab {

struct CsvTable {
  std::vector<std::string> columns;
  std::int64_t rows = 0;
  std::vector<double> values;  ///< (rows, columns), row by row
};

/// The first line names the columns. Fields stand between commas, quoted ones ("a ""b"", c") may hold commas and line
/// breaks; lines end with LF or CRLF; a byte order mark and empty lines at the end pass. Numbers have a decimal point.
/// `wanted`: only these columns, in this order; the others may hold anything. Empty: all of them.
/// Throws DataError, a sentence with the line and the column: no header, a line of another length, a field that is
/// empty, no number, not finite or beyond a double, a quote that is not closed, no rows, an unknown wanted column.
CsvTable parse_csv(std::string_view text, const std::filesystem::path& path,
                   const std::vector<std::string>& wanted = {});

}  // namespace bnlab
