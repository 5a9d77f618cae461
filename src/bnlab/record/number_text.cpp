#include "bnlab/record/number_text.h"

#include <fmt/format.h>

namespace bnlab {
namespace {

/// "0.00" for "-0.00" and "+0.00".
std::string without_sign_of_zero(std::string text) {
  const bool has_sign = text.front() == '-' || text.front() == '+';
  return has_sign && text.find_first_not_of("+-0.") == std::string::npos ? text.substr(1) : text;
}

}  // namespace

std::string fixed_text(double value, int decimals) {
  return without_sign_of_zero(fmt::format("{:.{}f}", value, decimals));
}

std::string signed_text(double value, int decimals) {
  return without_sign_of_zero(fmt::format("{:+.{}f}", value, decimals));
}

}  // namespace bnlab
