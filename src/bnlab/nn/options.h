// Named numeric options of models and normalizations: declared once beside the kind, completed and checked from there.
#pragma once

#include <limits>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

namespace bnlab {

using Options = std::map<std::string, double>;

/// One option: its default and the closed range it must lie in.
struct OptionInfo {
  std::string name;
  double value = 0;
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
  std::string meaning;
};

/// An option or name that does not exist or is out of range; what() is one sentence, key() the offending name.
class OptionError : public std::invalid_argument {
 public:
  OptionError(const std::string& key, const std::string& problem) : std::invalid_argument(problem), key_(key) {}
  const std::string& key() const { return key_; }

 private:
  std::string key_;
};

/// `given` with the defaults of every option that it lacks. Throws OptionError for an unknown name, a value out of
/// range or not a number; `owner` ("normalization batch") appears in the message.
Options complete_options(const std::vector<OptionInfo>& known, const Options& given, const std::string& owner);

}  // namespace bnlab
