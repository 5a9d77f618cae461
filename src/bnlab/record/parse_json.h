// Reading JSON that comes from outside: files, flags, a run's database.
#pragma once

#include <stdexcept>
#include <string>

#include "bnlab/record/json_fields.h"

namespace bnlab {

/// A text that is no JSON, or none that bnlab reads. what() is one sentence that begins with where it came from.
class JsonError : public std::runtime_error {
 public:
  JsonError(const std::string& source, const std::string& problem)
      : std::runtime_error(source + ": " + problem), source_(source), problem_(problem) {}
  const std::string& source() const { return source_; }
  const std::string& problem() const { return problem_; }

 private:
  std::string source_, problem_;
};

/// Objects and lists within each other that are still read; what is deeper would overflow the stack when it is freed.
constexpr size_t kMostNested = 64;

/// `text` as JSON; `source` says in messages where it came from, e.g. the file's path. Throws JsonError if it is not
/// JSON, gives a key twice (naming the key by its path, since one of the two would be ignored), or nests too deeply.
Json parse_json(const std::string& text, const std::string& source);

}  // namespace bnlab
