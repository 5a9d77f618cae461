// SQLite with owned handles and errors as exceptions; only what the run store needs.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

struct sqlite3;
struct sqlite3_stmt;

namespace bnlab {

/// what() names the database file, what was tried and SQLite's reason.
class DatabaseError : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

class Statement;

class Database {
 public:
  enum class Mode { kReadOnly, kReadWrite };
  Database(const std::filesystem::path& path, Mode mode);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  /// Runs statements without parameters or results.
  void execute(const char* sql);
  Statement prepare(const char* sql);

 private:
  friend class Statement;
  [[noreturn]] void fail(const std::string& what) const;
  std::filesystem::path path_;
  sqlite3* handle_ = nullptr;
};

/// A prepared statement. Bind all parameters in order with bind(), step through rows with next(), then reset().
class Statement {
 public:
  Statement(Statement&& other) noexcept;
  ~Statement();
  Statement(const Statement&) = delete;

  template <class... Values>
  Statement& bind(const Values&... values) {
    int index = 0;
    (bind_one(++index, values), ...);
    return *this;
  }
  bool next();  ///< true: a row is there
  void run();   ///< next() until done, then reset

  int64_t integer(int column) const;
  double real(int column) const;  ///< NULL reads as NaN, which SQLite cannot store otherwise
  std::string text(int column) const;
  std::vector<uint8_t> blob(int column) const;
  void reset();

 private:
  friend class Database;
  Statement(const Database& database, const char* sql);
  void bind_one(int index, int64_t value);
  void bind_one(int index, double value);
  void bind_one(int index, std::string_view value);
  void bind_one(int index, std::span<const uint8_t> value);
  void check(int code, const char* action) const;

  const Database* database_;
  sqlite3_stmt* handle_ = nullptr;
};

}  // namespace bnlab
