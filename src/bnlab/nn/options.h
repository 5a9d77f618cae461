// The options of models, normalizations and optimizers: declared once beside the kind, completed and checked from
// there.
//
// A default is for ever: a stored run whose option is at its default does not say so (runs/completion.h), so another
// default would change what that run means. New behaviour is a new option or a new word.
#pragma once

#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

#include "bnlab/record/options.h"

namespace bnlab {

/// One option: a number in a closed range, or one of several words.
struct OptionInfo {
  std::string name;
  OptionValue value = 0;  ///< the default
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
  std::string meaning;
  std::vector<std::string> choices = {};  ///< of a word; empty: it is a number
};

/// An option or name that does not exist or is out of range; what() is one sentence, key() the offending name.
class OptionError : public std::invalid_argument {
 public:
  OptionError(const std::string& key, const std::string& problem) : std::invalid_argument(problem), key_(key) {}
  const std::string& key() const { return key_; }

 private:
  std::string key_;
};

/// `given` with the defaults of every option that it lacks. Throws OptionError for an unknown name, a number out of
/// range or NaN, a word that is no choice; `owner` ("normalization batch") appears in the message.
Options complete_options(const std::vector<OptionInfo>& known, const Options& given, const std::string& owner);

/// `options` without those that are at their default.
Options without_defaults(const std::vector<OptionInfo>& known, Options options);

}  // namespace bnlab
