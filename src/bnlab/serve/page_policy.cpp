#include "bnlab/serve/page_policy.h"

#include <openssl/evp.h>
#include <openssl/sha.h>

#include <vector>

namespace bnlab {
namespace {

std::string sha256_base64(std::string_view text) {
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest);
  std::vector<unsigned char> encoded(4 * (sizeof digest + 2) / 3 + 1);
  const int length = EVP_EncodeBlock(encoded.data(), digest, sizeof digest);
  return {encoded.begin(), encoded.begin() + length};
}

}  // namespace

std::string page_policy(std::string_view page) {
  constexpr std::string_view kOpening = "<script type=\"module\">", kClosing = "</script>";
  std::string scripts;
  for (size_t at = page.find(kOpening); at != page.npos; at = page.find(kOpening, at)) {
    at += kOpening.size();
    scripts += " 'sha256-" + sha256_base64(page.substr(at, page.find(kClosing, at) - at)) + "'";
  }
  return "default-src 'none'; script-src" + (scripts.empty() ? " 'none'" : scripts) +
         "; style-src 'unsafe-inline'; img-src data: blob:; font-src data:; connect-src 'self'; base-uri 'none'; "
         "form-action 'none'; frame-ancestors 'none'";
}

}  // namespace bnlab
