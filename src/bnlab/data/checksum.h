// MD5, SHA-1 and SHA-256, as data sets publish them.
#pragma once
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace bnlab {

enum class HashKind { kMd5, kSha1, kSha256 };

/// Hashes the bytes given to update(), in their order.
class Hasher {
 public:
  explicit Hasher(HashKind kind);
  void update(const void* data, size_t bytes);
  /// The hash in lower-case hexadecimal. Ends the hashing: call it once.
  std::string finish();

 private:
  std::shared_ptr<void> context_;  // EVP_MD_CTX
};

/// The hash of `bytes` in lower-case hexadecimal.
std::string hash_hex(HashKind kind, std::span<const unsigned char> bytes);

}  // namespace bnlab
