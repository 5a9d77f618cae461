// Tables of numbers from CSV text: what is read, and what each kind of damage is called.
#include "bnlab/data/csv.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <clocale>

#include "bnlab/data/data_error.h"

namespace bnlab {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

CsvTable parse(const std::string& text, const std::vector<std::string>& wanted = {}) {
  return parse_csv(text, "people.csv", wanted);
}

std::string complaint(const std::string& text, const std::vector<std::string>& wanted = {}) {
  try {
    parse(text, wanted);
  } catch (const DataError& error) {
    return error.what();
  }
  return "none";
}

TEST(Csv, ReadsNumbersUnderTheirNames) {
  const CsvTable table = parse("height,weight\n152.5,-48\n1.7e2, +70 \n");
  EXPECT_THAT(table.columns, ElementsAre("height", "weight"));
  EXPECT_EQ(table.rows, 2);
  EXPECT_THAT(table.values, ElementsAre(152.5, -48, 170, 70));
}

TEST(Csv, ReadsQuotesLineEndsAndAByteOrderMark) {
  const std::string quoted = "\xEF\xBB\xBF\"he said \"\"a, b\"\"\",\"two\nlines\"\r\n\"1\",2\r\n3,4\r\n\r\n\n";
  const CsvTable table = parse(quoted);
  EXPECT_THAT(table.columns, ElementsAre("he said \"a, b\"", "two\nlines"));
  EXPECT_THAT(table.values, ElementsAre(1, 2, 3, 4));
  EXPECT_THAT(parse("a,b\n1,2").values, ElementsAre(1, 2));
  EXPECT_THAT(parse("a,b\r\n1,2\r").values, ElementsAre(1, 2));
}

TEST(Csv, ReadsOnlyTheWantedColumnsInTheirOrder) {
  const CsvTable table = parse("name,height,age\nAnna,152,23\nBen,,31\n", {"age"});
  EXPECT_THAT(table.columns, ElementsAre("age"));
  EXPECT_THAT(table.values, ElementsAre(23, 31));
  EXPECT_THAT(parse("a,b\n1,2\n", {"b", "a"}).values, ElementsAre(2, 1));
  EXPECT_THAT(complaint("a,b\n1,2\n", {"c"}), HasSubstr("people.csv has no column \"c\"; it has a or b"));
}

TEST(Csv, ReadsDecimalPointsUnderEveryLocale) {
  const std::string before = std::setlocale(LC_ALL, nullptr);
  for (const char* locale : {"de_DE.UTF-8", "C.UTF-8", "fr_FR.UTF-8"}) {
    if (std::setlocale(LC_ALL, locale) == nullptr) continue;
    EXPECT_THAT(parse("a\n1.5\n").values, ElementsAre(1.5)) << locale;
  }
  std::setlocale(LC_ALL, before.c_str());
}

TEST(Csv, CallsDamageByItsLineAndColumn) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "people.csv is empty"},
      {"\n\n", "people.csv is empty"},
      {"a,b\n", "has a header, but no rows"},
      {"1,2\n3,4\n", "people.csv:1: the first line should name the columns"},
      {"a,\n1,2\n", "people.csv:1: column 2 has no name"},
      {"a,a\n1,2\n", "people.csv:1: two columns are called \"a\""},
      {"a,b\n1,2\n3\n", "people.csv:3: this line has 1 field, the header 2"},
      {"a,b\n1,2,3\n", "people.csv:2: this line has 3 fields, the header 2"},
      {"a;b\n1,5;2\n", "separate fields with commas, not semicolons"},
      {"a,b\n1,\n", "people.csv:2: column 2 (\"b\"): the field is empty"},
      {"a\n1\n\n2\n", "people.csv:3: column 1 (\"a\"): the field is empty"},
      {"a,b\n1,2\nx,2\n", "people.csv:3: column 1 (\"a\"): the field \"x\" is no number"},
      {"a,b\n\"1,5\",2\n", "\"1,5\" is no number; write decimals with a point"},
      {"a\n12kg\n", "\"12kg\" is no number"},
      {"a\n+-1\n", "\"+-1\" is no number"},
      {"a\n0x10\n", "\"0x10\" is no number"},
      {"a\nnan\n", "\"nan\" is not finite"},
      {"a\n-inf\n", "\"-inf\" is not finite"},
      {"a\n1e999\n", "\"1e999\" is beyond the range of a double"},
      {"a\n\"1\n", "people.csv:2: a quote is opened here and never closed"},
      {"a,b\n\"1\"2,3\n", "people.csv:2: after the closing quote of field 1 comes \"2\""},
      {"\"x\ny\",b\n1,2\n1,z\n", "people.csv:4: column 2 (\"b\")"},  // a name of two lines
  };
  for (const auto& [text, expected] : cases) EXPECT_THAT(complaint(text), HasSubstr(expected)) << text;
}

}  // namespace
}  // namespace bnlab
