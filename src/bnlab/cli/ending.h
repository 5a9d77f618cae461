// How the program ends after an exception: an exit status and one sentence for the person.
#pragma once

#include <exception>
#include <string>

namespace bnlab {

/// What went wrong, in one sentence: what() without libtorch's backtrace. Where memory ran out, it says how much was
/// asked for, as far as that is known, and what makes a run smaller.
std::string sentence_of(const std::exception& error);

struct Ending {
  int status;
  std::string sentence;  ///< empty: there is nothing to say
};

/// To be called while an exception is handled.
Ending ending_of_exception();

/// An exception that nothing can catch, in a thread of a library's or in a destructor, ends the program as others do.
void end_in_a_sentence_always();

}  // namespace bnlab
