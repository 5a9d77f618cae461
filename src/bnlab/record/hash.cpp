#include "bnlab/record/hash.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <stdexcept>

namespace bnlab {

std::string sha256_hex(std::string_view bytes) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  if (!EVP_Digest(bytes.data(), bytes.size(), digest, &size, EVP_sha256(), nullptr)) {
    throw std::runtime_error("OpenSSL's libcrypto could not compute a SHA-256 digest");
  }
  std::string hex;
  for (unsigned int i = 0; i < size; ++i) hex += fmt::format("{:02x}", digest[i]);
  return hex;
}

}  // namespace bnlab
