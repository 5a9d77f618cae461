// The standard streams. Whatever is printed there is checked, and a stream that takes nothing never costs the work.
#pragma once

#include <stdexcept>
#include <string_view>

#include "bnlab/record/json_fields.h"

namespace bnlab {

/// What was printed on standard output could not be written; one sentence.
class OutputError : public std::runtime_error {
 public:
  /// `error` is the errno of the write, 0 if it is not known.
  explicit OutputError(int error);
  /// The reader left, as `head` does: nothing to complain about.
  bool reader_left() const;

 private:
  int error_;
};

/// To be called first. Opens /dev/null at those of the descriptors 0, 1 and 2 that the program was started without,
/// else the next file opened gets one of them, and what is printed ends up in it. A reader that left, or a file
/// that may not grow (ulimit -f), becomes an error of the write instead of a signal, so that a run is not killed for
/// it.
void prepare_standard_streams();

/// Prints on standard output. Throws OutputError.
void write_output(std::string_view text);

/// Prints on standard output, indented. Bytes that are no UTF-8, which paths may hold, become U+FFFD. Throws
/// OutputError.
void print_json(const Json& json);

/// Prints on standard error; where that takes nothing, the text is lost.
void say(std::string_view text) noexcept;

/// Flushes standard output. Throws OutputError if anything was lost that was printed there, by whichever means.
void finish_output();

}  // namespace bnlab
