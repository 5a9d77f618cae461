// SHA-256 of texts and byte buffers, in lower-case hex.
#pragma once

#include <string>
#include <string_view>

namespace bnlab {

/// 64 lower-case hex digits.
std::string sha256_hex(std::string_view bytes);

}  // namespace bnlab
