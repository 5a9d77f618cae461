#include "bnlab/record/sqlite.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <limits>

namespace bnlab {
namespace {
constexpr int kBusyMilliseconds = 10'000;
}

Database::Database(const std::filesystem::path& path, Mode mode) : path_(path) {
  // A reader too may have to roll back what a killed writer left, so it is not opened SQLITE_OPEN_READONLY.
  const int flags = SQLITE_OPEN_READWRITE | (mode == Mode::kReadWrite ? SQLITE_OPEN_CREATE : 0);
  if (sqlite3_open_v2(path.c_str(), &handle_, flags, nullptr) != SQLITE_OK) {
    const std::string reason = handle_ ? sqlite3_errmsg(handle_) : "out of memory";
    sqlite3_close(handle_);
    throw DatabaseError(fmt::format("{}: cannot open the run's database: {}", path.string(), reason));
  }
  sqlite3_busy_timeout(handle_, kBusyMilliseconds);
}

Database::~Database() {
  sqlite3_close(handle_);
}

void Database::fail(const std::string& what) const {
  const int code = sqlite3_errcode(handle_);
  const char* hint = code == SQLITE_FULL ? "; free some space and run the same command again"
                     : code == SQLITE_CORRUPT || code == SQLITE_NOTADB ? "; use --force to compute this run anew"
                                                                       : "";
  throw DatabaseError(fmt::format("{}: cannot {}: {}{}", path_.string(), what, sqlite3_errmsg(handle_), hint));
}

void Database::execute(const char* sql) {
  if (sqlite3_exec(handle_, sql, nullptr, nullptr, nullptr) != SQLITE_OK) fail(std::string("run \"") + sql + "\"");
}

Statement Database::prepare(const char* sql) {
  return Statement(*this, sql);
}

Statement::Statement(const Database& database, const char* sql) : database_(&database) {
  check(sqlite3_prepare_v2(database.handle_, sql, -1, &handle_, nullptr), sql);
}

Statement::Statement(Statement&& other) noexcept : database_(other.database_), handle_(other.handle_) {
  other.handle_ = nullptr;
}

Statement::~Statement() {
  sqlite3_finalize(handle_);
}

void Statement::check(int code, const char* action) const {
  if (code != SQLITE_OK && code != SQLITE_ROW && code != SQLITE_DONE) {
    database_->fail(std::string("run \"") + action + "\"");
  }
}

void Statement::bind_one(int index, int64_t value) {
  check(sqlite3_bind_int64(handle_, index, value), "bind");
}
void Statement::bind_one(int index, double value) {
  check(sqlite3_bind_double(handle_, index, value), "bind");
}
void Statement::bind_one(int index, std::string_view value) {
  check(sqlite3_bind_text64(handle_, index, value.data(), value.size(), SQLITE_TRANSIENT, SQLITE_UTF8), "bind");
}
void Statement::bind_one(int index, std::span<const uint8_t> value) {
  check(sqlite3_bind_blob64(handle_, index, value.data(), value.size(), SQLITE_TRANSIENT), "bind");
}

bool Statement::next() {
  const int code = sqlite3_step(handle_);
  check(code, sqlite3_sql(handle_));
  return code == SQLITE_ROW;
}

void Statement::run() {
  while (next()) {
  }
  reset();
}

void Statement::reset() {
  sqlite3_reset(handle_);
}

int64_t Statement::integer(int column) const {
  return sqlite3_column_int64(handle_, column);
}

double Statement::real(int column) const {
  if (sqlite3_column_type(handle_, column) == SQLITE_NULL) return std::numeric_limits<double>::quiet_NaN();
  return sqlite3_column_double(handle_, column);
}

std::string Statement::text(int column) const {
  const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(handle_, column));
  return text ? std::string(text, sqlite3_column_bytes(handle_, column)) : std::string();
}

std::vector<uint8_t> Statement::blob(int column) const {
  const auto* bytes = static_cast<const uint8_t*>(sqlite3_column_blob(handle_, column));
  return bytes ? std::vector<uint8_t>(bytes, bytes + sqlite3_column_bytes(handle_, column)) : std::vector<uint8_t>();
}

}  // namespace bnlab
