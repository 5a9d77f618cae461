// Every loop of every instruction set against plain code, on patches of lengths around vectors.
#include "bnlab/kernels/loops.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "bnlab/kernels/moments.h"
#include "tests/kernels/patch_case.h"

namespace bnlab::kernels {
namespace {

template <class E>
struct LoopCheck {
  using T = Compute<E>;
  const Loops<E>& loops;
  const PatchCase<E>& t;
  std::int64_t offset;  // of the outputs

  [[nodiscard]] long double dz(bool masked, std::int64_t row, std::size_t slot, std::int64_t i, std::size_t at) const {
    return masked && t.stops(t.mask, row, slot, i) ? 0.0L : static_cast<long double>(static_cast<double>(t.dy[at]));
  }
  [[nodiscard]] long double distance(std::size_t slot, std::size_t at) const {
    return static_cast<double>(t.x[at]) - t.a(0, slot);
  }
  [[nodiscard]] long double v(std::size_t at) const { return static_cast<double>(t.v[at]); }
  [[nodiscard]] const std::uint8_t* bits(bool masked) const { return masked ? t.mask.data() : nullptr; }

  void moments() const {
    const Patch& patch = t.patch;
    oracle::Batch batch{patch.rows, patch.slots, patch.run, false, {}};
    for_elements(patch, [&](std::int64_t, std::size_t, std::int64_t, std::size_t at) {
      batch.values.push_back(static_cast<double>(t.x[at]));
    });
    const auto expected = oracle::statistics(batch, 0);
    const auto bounds = oracle::statistics_bounds(oracle::precision_of<T>(), batch, expected, 1);
    Values<double> mean(patch.slots), m2(patch.slots);
    loops.moments(patch, t.x.data(), mean.data(), m2.data());
    expect_near(mean, expected.mean, "mean", bounds.mean);
    for (std::size_t j = 0; j < m2.size(); ++j) {
      m2[j] /= static_cast<double>(patch.rows * patch.run);
      ASSERT_GE(m2[j], 0);
    }
    expect_near(m2, expected.var_biased, "m2/count", bounds.var_biased);
    ASSERT_TRUE(mean.guarded() && m2.guarded());
  }

  void normalize(bool relu, bool add, bool masked, bool in_place) const {
    Values<E> x(t.x), y(t.output(offset));
    if (in_place) std::copy_n(t.x.data(), x.size(), y.data());
    Values<std::uint8_t> mask(t.mask_bytes());
    std::fill_n(mask.data(), mask.size(), t.kMaskGuard);
    loops.normalize(t.patch, {.x = in_place ? y.data() : x.data(),
                              .a = t.template first_coefficients<3>(),
                              .relu = relu,
                              .addend = add ? t.addend.data() : nullptr,
                              .y = y.data(),
                              .mask = masked ? mask.data() : nullptr});
    const auto z = [&](std::int64_t, std::size_t slot, std::int64_t, std::size_t at) {
      return distance(slot, at) * t.a(1, slot) + t.a(2, slot) +
             (add ? static_cast<long double>(static_cast<double>(t.addend[at])) : 0.0L);
    };
    const auto size = [&](std::int64_t, std::size_t slot, std::int64_t, std::size_t at) {
      return 4 * (std::abs(distance(slot, at) * t.a(1, slot)) + std::abs(t.a(2, slot)) +
                  (add ? std::abs(static_cast<double>(t.addend[at])) : 0.0));
    };
    if (in_place) {  // what lies between rows is x
      for_gaps(y, [&](std::size_t i) { ASSERT_EQ(static_cast<double>(y[i]), static_cast<double>(t.x[i])); });
      for_gaps(y, [&](std::size_t i) { y[i] = E(77); });
    }
    t.expect_elements(
        y, [&](auto... place) { return relu ? std::max(z(place...), 0.0L) : z(place...); }, size, "y");
    if (masked) check_mask(mask, y);
  }

  // Bits are set where y is 0, and nothing is written between the lines.
  void check_mask(const Values<std::uint8_t>& mask, const Values<E>& y) const {
    std::vector<bool> is_line(mask.size());
    for_elements(t.patch, [&](std::int64_t row, std::size_t slot, std::int64_t i, std::size_t at) {
      ASSERT_EQ(t.stops(mask, row, slot, i), static_cast<double>(y[at]) == 0);
      const auto j = static_cast<std::int64_t>(slot), bit = t.patch.run == 1 ? j : i;
      is_line[static_cast<std::size_t>(row * t.patch.mask_row + j * t.patch.mask_slot + bit / 8)] = true;
    });
    for (std::size_t i = 0; i < mask.size(); ++i) ASSERT_TRUE(is_line[i] || mask[i] == t.kMaskGuard) << i;
    ASSERT_TRUE(mask.guarded());
  }

  void gradient_sums(bool masked) const {
    Values<double> sum(t.patch.slots), product(t.patch.slots);
    loops.gradient_sums(t.patch, {.x = t.x.data(),
                                  .dy = t.dy.data(),
                                  .mask = bits(masked),
                                  .center = t.coefficients[0].data(),
                                  .sum_dz = sum.data(),
                                  .sum_dz_x = product.data()});
    const auto g = [&](auto... place) { return dz(masked, place...); };
    t.expect_sums(sum, g, "sum_dz");
    t.expect_sums(
        product,
        [&](std::int64_t row, std::size_t slot, std::int64_t i, std::size_t at) {
          return g(row, slot, i, at) * distance(slot, at);
        },
        "sum_dz_x");
  }

  void input_gradient(bool masked, bool by_x, bool addend, bool in_place) const {
    Values<E> dx(t.output(offset)), daddend(t.output(offset));
    if (in_place) std::copy_n(t.dy.data(), dx.size(), dx.data());
    loops.input_gradient(t.patch, {.x = by_x ? t.x.data() : nullptr,
                                   .dy = in_place ? dx.data() : t.dy.data(),
                                   .mask = bits(masked),
                                   .a = t.template first_coefficients<4>(),
                                   .dx = dx.data(),
                                   .daddend = addend ? daddend.data() : nullptr});
    const auto value = [&](auto sign, std::int64_t row, std::size_t slot, std::int64_t i, std::size_t at) {
      const long double first = dz(masked, row, slot, i, at) * t.a(1, slot);
      return by_x ? sign(first) + sign(distance(slot, at) * t.a(2, slot)) + sign(t.a(3, slot)) : sign(first);
    };
    if (in_place) for_gaps(dx, [&](std::size_t i) { dx[i] = E(77); });
    t.expect_elements(
        dx, [&](auto... place) { return value([](long double x) { return x; }, place...); },
        [&](auto... place) { return 4 * value([](long double x) { return std::abs(x); }, place...); }, "dx");
    if (!addend) return;
    t.expect_elements(
        daddend, [&](auto... place) { return dz(masked, place...); }, [](auto...) { return 0; }, "daddend");
  }

  void second_sums(bool masked) const {
    std::vector<Values<double>> sums(5, Values<double>(t.patch.slots));
    SecondSums<E> args{.x = t.x.data(),
                       .dy = t.dy.data(),
                       .ddx = t.v.data(),
                       .mask = bits(masked),
                       .center = t.coefficients[0].data()};
    for (std::size_t k = 0; k < 5; ++k) args.sums[k] = sums[k].data();
    loops.second_sums(t.patch, args);
    for (std::size_t k = 0; k < 5; ++k) {
      t.expect_sums(
          sums[k],
          [&](std::int64_t row, std::size_t slot, std::int64_t i, std::size_t at) {
            const long double g = dz(masked, row, slot, i, at), h = distance(slot, at);
            const long double terms[] = {v(at), g, v(at) * h, g * h, v(at) * g};
            return terms[k];
          },
          "second sum");
    }
  }

  void second_gradients(bool masked, bool by_x, bool by_dy, bool addend) const {
    Values<E> grad_x(t.output(offset)), grad_dy(t.output(offset));
    loops.second_gradients(t.patch, {.x = t.x.data(),
                                     .dy = t.dy.data(),
                                     .ddx = t.v.data(),
                                     .ddaddend = addend ? t.addend.data() : nullptr,
                                     .mask = bits(masked),
                                     .a = t.template first_coefficients<8>(),
                                     .grad_x = by_x ? grad_x.data() : nullptr,
                                     .grad_dy = by_dy ? grad_dy.data() : nullptr});
    const auto of_x = [&](auto sign, std::int64_t row, std::size_t slot, std::int64_t i, std::size_t at) {
      return sign(distance(slot, at) * t.a(1, slot)) + sign(v(at) * t.a(2, slot)) +
             sign(dz(masked, row, slot, i, at) * t.a(3, slot)) + sign(t.a(4, slot));
    };
    const auto of_dy = [&](auto sign, std::int64_t row, std::size_t slot, std::int64_t i, std::size_t at) {
      if (masked && t.stops(t.mask, row, slot, i)) return 0.0L;
      return sign(distance(slot, at) * t.a(5, slot)) + sign(v(at) * t.a(6, slot)) + sign(t.a(7, slot)) +
             (addend ? sign(static_cast<long double>(static_cast<double>(t.addend[at]))) : 0.0L);
    };
    const auto itself = [](long double x) { return x; };
    const auto magnitude = [](long double x) { return std::abs(x); };
    if (by_x) {
      t.expect_elements(
          grad_x, [&](auto... place) { return of_x(itself, place...); },
          [&](auto... place) { return 6 * of_x(magnitude, place...); }, "grad_x");
    }
    if (by_dy) {
      t.expect_elements(
          grad_dy, [&](auto... place) { return of_dy(itself, place...); },
          [&](auto... place) { return 6 * of_dy(magnitude, place...); }, "grad_dy");
    }
  }

  template <class F>
  void for_gaps(const Values<E>& values, const F& f) const {
    for (std::size_t i = 0; i < values.size(); ++i) {
      const auto column = static_cast<std::int64_t>(i) % t.patch.row_stride;
      if (column >= t.patch.slots * t.patch.run) f(i);
    }
  }

  void all() const {
    moments();
    for (const bool in_place : {false, true}) {
      normalize(false, false, false, in_place);
      for (int flags = 0; flags < 4; ++flags) normalize(true, flags & 1, flags & 2, in_place);
      for (int flags = 0; flags < 8; ++flags) input_gradient(flags & 1, flags & 2, flags & 4, in_place);
    }
    for (const bool masked : {false, true}) {
      gradient_sums(masked);
      second_sums(masked);
      for (int flags = 1; flags < 8; ++flags) second_gradients(masked, flags & 1, flags & 2, flags & 4);
    }
  }
};

template <class E>
class LoopsOfAllInstructionSets : public testing::Test {
 public:
  static void check(const Loops<E>& loops, std::int64_t rows, std::int64_t slots, std::int64_t run) {
    struct Place {
      bool far, streams;
      std::int64_t offset;
    };
    for (const Place place : {Place{true, true, 0}, Place{false, true, 1}, Place{true, false, 3}, Place{}}) {
      const Patch patch = patch_with_gaps(rows, slots, run, place.far, place.streams);
      SCOPED_TRACE(std::string(loops.instruction_set) + ", " + name_of(patch) + ", offset " +
                   std::to_string(place.offset));
      LoopCheck<E>{loops, PatchCase<E>(patch, place.offset), place.offset}.all();
    }
  }
};
TYPED_TEST_SUITE(LoopsOfAllInstructionSets, ElementTypes);

TYPED_TEST(LoopsOfAllInstructionSets, AgreeWithPlainCodeOnSingleElements) {
  for (const Loops<TypeParam>* loops : supported_loops<TypeParam>()) {
    for (const std::int64_t rows : {1, 6, 133}) {
      for (const std::int64_t slots : {1, 3, 4, 8, 9, 15, 16, 17, 31, 33, 64, 65}) {
        this->check(*loops, rows, slots, 1);
        if (this->HasFatalFailure()) return;
      }
    }
    this->check(*loops, 9, 513, 1);
    this->check(*loops, 2, 1100, 1);
  }
}

TYPED_TEST(LoopsOfAllInstructionSets, AgreeWithPlainCodeOnRuns) {
  for (const Loops<TypeParam>* loops : supported_loops<TypeParam>()) {
    for (const std::int64_t rows : {1, 3}) {
      for (const std::int64_t run : {2, 7, 8, 15, 16, 17, 31, 33, 64, 127, 129}) this->check(*loops, rows, 3, run);
    }
    this->check(*loops, 1, 2, 4096);
    this->check(*loops, 2, 1, 4225);
    this->check(*loops, 70, 2, 66);
    if (this->HasFatalFailure()) return;
  }
}

TYPED_TEST(LoopsOfAllInstructionSets, JoinedMomentsAreMergedOnes) {
  for (const Loops<TypeParam>* loops : supported_loops<TypeParam>()) {
    for (const std::int64_t slots : {1, 2, 7, 8, 17, 33}) {
      const double run = 3, rows_before = 10, rows = 7;
      Values<double> mean(slots), m2(slots), all_mean(slots), all_m2(slots);
      std::vector<Moments> expected;
      for (std::size_t j = 0; j < mean.size(); ++j) {
        const auto k = static_cast<double>(j);
        mean[j] = std::sin(k);
        m2[j] = 2 + std::cos(k);
        all_mean[j] = std::cos(3 * k);
        all_m2[j] = 3 + std::sin(3 * k);
        expected.push_back(merge({30, all_mean[j], all_m2[j]}, {21, mean[j], m2[j]}));
      }
      loops->join_moments(slots, run, rows_before, rows, mean.data(), m2.data(), all_mean.data(), all_m2.data());
      for (std::size_t j = 0; j < mean.size(); ++j) {
        ASSERT_NEAR(all_mean[j], expected[j].mean, 1e-15);
        ASSERT_NEAR(all_m2[j], expected[j].m2, 1e-13);
      }
      ASSERT_TRUE(all_mean.guarded() && all_m2.guarded());
    }
  }
}

TYPED_TEST(LoopsOfAllInstructionSets, HaveDifferentNamesAndTheFirstIsInUse) {
  std::set<std::string> seen;
  for (const Loops<TypeParam>* loops : supported_loops<TypeParam>()) {
    EXPECT_TRUE(seen.insert(loops->instruction_set).second) << loops->instruction_set;
  }
  EXPECT_TRUE(seen.contains("portable"));
}

}  // namespace
}  // namespace bnlab::kernels
