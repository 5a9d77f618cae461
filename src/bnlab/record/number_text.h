// Numbers in sentences and tables.
#pragma once

#include <string>

namespace bnlab {

/// With so many decimals: "-0.3". What is rounded to zero has no sign: -0.04 is "0.0".
[[nodiscard]] std::string fixed_text(double value, int decimals);

/// The same with a sign before what is above zero: "+0.3", "-0.3", "0.0". For effects.
[[nodiscard]] std::string signed_text(double value, int decimals);

}  // namespace bnlab
