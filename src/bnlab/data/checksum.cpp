#include "bnlab/data/checksum.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <iterator>
#include <stdexcept>

namespace bnlab {
namespace {

const EVP_MD* algorithm(HashKind kind) {
  switch (kind) {
    case HashKind::kMd5:
      return EVP_md5();
    case HashKind::kSha1:
      return EVP_sha1();
    case HashKind::kSha256:
      return EVP_sha256();
  }
  throw std::invalid_argument("unknown kind of hash");
}

void require(int ok) {
  if (ok != 1) {
    throw std::runtime_error("OpenSSL could not compute a checksum; its configuration may forbid MD5 or SHA-1");
  }
}

EVP_MD_CTX* raw(const std::shared_ptr<void>& context) {
  return static_cast<EVP_MD_CTX*>(context.get());
}

}  // namespace

Hasher::Hasher(HashKind kind)
    : context_(EVP_MD_CTX_new(), [](void* c) { EVP_MD_CTX_free(static_cast<EVP_MD_CTX*>(c)); }) {
  require(EVP_DigestInit_ex(raw(context_), algorithm(kind), nullptr));
}

void Hasher::update(const void* data, size_t bytes) {
  require(EVP_DigestUpdate(raw(context_), data, bytes));
}

std::string Hasher::finish() {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  require(EVP_DigestFinal_ex(raw(context_), digest, &size));
  std::string hex;
  for (unsigned int i = 0; i < size; ++i) {
    fmt::format_to(std::back_inserter(hex), "{:02x}", digest[i]);
  }
  return hex;
}

std::string hash_hex(HashKind kind, std::span<const unsigned char> bytes) {
  Hasher hasher(kind);
  hasher.update(bytes.data(), bytes.size());
  return hasher.finish();
}

}  // namespace bnlab
