#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "bnlab/ranks/gloo_ranks.h"

namespace bnlab {
namespace {

/// A part of `text` that holds the first place where it differs from `other`.
std::string around_difference(const std::string& text, const std::string& other) {
  constexpr std::size_t kBefore = 20;
  constexpr std::size_t kLength = 60;
  const auto end = std::min(text.size(), other.size());
  std::size_t place = 0;
  while (place < end && text[place] == other[place]) ++place;
  const std::size_t begin = place < kBefore ? 0 : place - kBefore;
  return fmt::format("{}{}{}", begin > 0 ? "…" : "", text.substr(begin, kLength),
                     begin + kLength < text.size() ? "…" : "");
}

}  // namespace

void require_same(Ranks& ranks, const std::string& what, const std::string& value) {
  const auto own_length = static_cast<std::int64_t>(value.size());
  const auto lengths = ranks.gather(at::scalar_tensor(own_length, at::kLong));
  auto padded = at::zeros({lengths.max().item<std::int64_t>()}, at::kByte);
  std::copy(value.begin(), value.end(), padded.data_ptr<std::uint8_t>());
  const auto texts = ranks.gather(padded);
  const auto text_of = [&](std::int64_t rank) {
    const auto* begin = texts[rank].data_ptr<std::uint8_t>();
    return std::string(begin, begin + lengths[rank].item<std::int64_t>());
  };
  const std::string first = text_of(0);
  for (std::int64_t rank = 1; rank < ranks.size(); ++rank) {
    const std::string other = text_of(rank);
    if (other == first) continue;
    throw RanksError(fmt::format(
        "rank {} of {}: {} is not the same on all ranks: rank {} has \"{}\", rank 0 has \"{}\"; "
        "start all by the same command, with the same program and data",
        ranks.rank(), ranks.size(), what, rank, around_difference(other, first), around_difference(first, other)));
  }
}

}  // namespace bnlab
