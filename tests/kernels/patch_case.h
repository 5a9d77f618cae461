// A patch with gaps between its rows, and what the loops read and write in it.
#pragma once

#include <random>
#include <sstream>
#include <string>

#include "bnlab/kernels/loops.h"
#include "tests/kernels/expectations.h"
#include "tests/oracle/error_bounds.h"

namespace bnlab::kernels {

inline std::string name_of(const Patch& patch) {
  std::ostringstream out;
  out << patch.rows << " rows x " << patch.slots << " slots x " << patch.run << (patch.far ? ", far" : "")
      << (patch.streams ? ", streams" : "");
  return out.str();
}

/// A patch whose rows are followed by a gap of 16 elements and more, so that rows begin at whole vectors. Lines of its
/// mask are followed by a gap of three bytes.
inline Patch patch_with_gaps(std::int64_t rows, std::int64_t slots, std::int64_t run, bool far, bool streams) {
  const std::int64_t line = run == 1 ? (slots + 7) / 8 : (run + 7) / 8;
  return {.row_stride = (slots * run + 31) / 16 * 16,
          .rows = rows,
          .slots = slots,
          .run = run,
          .mask_row = (run == 1 ? line : slots * line) + 3,
          .mask_slot = run == 1 ? 0 : line,
          .far = far,
          .streams = streams};
}

/// Calls f(row, slot, i, element) for every element of a patch.
template <class F>
void for_elements(const Patch& patch, const F& f) {
  for (std::int64_t row = 0; row < patch.rows; ++row) {
    for (std::int64_t slot = 0; slot < patch.slots; ++slot) {
      for (std::int64_t i = 0; i < patch.run; ++i) {
        f(row, static_cast<std::size_t>(slot), i,
          static_cast<std::size_t>(row * patch.row_stride + slot * patch.run + i));
      }
    }
  }
}

/// Random arguments for all loops.
template <class E>
struct PatchCase {
  using T = Compute<E>;
  static constexpr std::size_t kCoefficients = 8;
  static constexpr std::uint8_t kMaskGuard = 0xee;

  Patch patch;
  Values<E> x, dy, v, addend;
  Values<std::uint8_t> mask;
  std::vector<Values<T>> coefficients;

  PatchCase(const Patch& p, std::int64_t offset)
      : patch(p),
        x(elements(), offset),
        dy(elements(), offset),
        v(elements(), offset),
        addend(elements(), offset),
        mask(mask_bytes()) {
    std::mt19937 random(static_cast<unsigned>(p.rows * 7919 + p.slots * 131 + p.run));
    std::normal_distribution<float> normal;
    for (auto* values : {&x, &dy, &v, &addend}) {
      for (std::size_t i = 0; i < values->size(); ++i) (*values)[i] = static_cast<E>(0.5F + normal(random));
    }
    for (std::size_t i = 0; i < mask.size(); ++i) mask[i] = static_cast<std::uint8_t>(random());
    for (std::size_t k = 0; k < kCoefficients; ++k) {
      coefficients.emplace_back(p.slots);
      for (std::size_t j = 0; j < coefficients[k].size(); ++j) coefficients[k][j] = static_cast<T>(normal(random));
    }
  }

  [[nodiscard]] std::int64_t elements() const { return patch.rows * patch.row_stride; }
  [[nodiscard]] std::int64_t mask_bytes() const { return patch.rows * patch.mask_row + 8; }

  template <std::size_t K>
  [[nodiscard]] Coefficients<T, K> first_coefficients() const {
    Coefficients<T, K> result;
    for (std::size_t k = 0; k < K; ++k) result.at[k] = coefficients[k].data();
    return result;
  }
  [[nodiscard]] long double a(std::size_t k, std::size_t slot) const { return coefficients[k][slot]; }

  /// Whether a mask's bit is set.
  [[nodiscard]] bool stops(const Values<std::uint8_t>& bits, std::int64_t row, std::size_t slot, std::int64_t i) const {
    const auto j = static_cast<std::int64_t>(slot), bit = patch.run == 1 ? j : i;
    return bits[static_cast<std::size_t>(row * patch.mask_row + j * patch.mask_slot + bit / 8)] >> (bit % 8) & 1;
  }

  /// An output, filled so that what is not written shows.
  [[nodiscard]] Values<E> output(std::int64_t offset) const {
    Values<E> result(elements(), offset);
    std::fill_n(result.data(), result.size(), E(77));
    return result;
  }

  /// got = value(row, slot, i, element) within `unit` times size(the same) and the rounding to E, and nothing is
  /// written between the rows.
  template <class Value, class Size>
  void expect_elements(const Values<E>& got, const Value& value, const Size& size, const char* what) const {
    const double unit = oracle::precision_of<T>().unit;
    std::vector<bool> is_gap(got.size(), true);
    for_elements(patch, [&](std::int64_t row, std::size_t slot, std::int64_t i, std::size_t at) {
      is_gap[at] = false;
      const auto expected = static_cast<double>(value(row, slot, i, at));
      const double allowed = unit * static_cast<double>(size(row, slot, i, at)) + storage_error<E>(expected);
      ASSERT_TRUE(std::abs(static_cast<double>(got[at]) - expected) <= allowed)
          << what << " at row " << row << ", slot " << slot << ", " << i << " is " << static_cast<double>(got[at])
          << ", expected " << expected << " within " << allowed;
    });
    for (std::size_t i = 0; i < got.size(); ++i) {
      ASSERT_TRUE(!is_gap[i] || static_cast<double>(got[i]) == 77) << what << " writes between rows";
    }
    ASSERT_TRUE(got.guarded()) << what;
  }

  /// got[slot] = the sum of value(row, slot, i, element) over each slot.
  template <class Value>
  void expect_sums(const Values<double>& got, const Value& value, const char* what) const {
    std::vector<long double> sums(got.size()), sizes(got.size());
    for_elements(patch, [&](std::int64_t row, std::size_t slot, std::int64_t i, std::size_t at) {
      const long double term = value(row, slot, i, at);
      sums[slot] += term;
      sizes[slot] += std::abs(term);
    });
    const double unit = oracle::precision_of<T>().unit;
    for (std::size_t j = 0; j < got.size(); ++j) {
      ASSERT_TRUE(std::abs(got[j] - sums[j]) <= 16 * unit * sizes[j])
          << what << " of slot " << j << " is " << got[j] << ", expected " << static_cast<double>(sums[j]);
    }
    ASSERT_TRUE(got.guarded()) << what;
  }
};

}  // namespace bnlab::kernels
