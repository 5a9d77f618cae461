// Compiled with -ffp-contract=off (CMakeLists.txt): a fused multiply-add where an instruction set has one would give
// other bits than elsewhere.
#include "bnlab/kernels/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "bnlab/kernels/noise.cpp"
#include <hwy/foreach_target.h>  // before all others of Highway

#include <cstring>

#include "bnlab/kernels/lanes-inl.h"
#include "bnlab/kernels/noise.h"

#ifndef BNLAB_KERNELS_NOISE_ONCE
#define BNLAB_KERNELS_NOISE_ONCE
namespace bnlab::kernels {
namespace {

/// What a value's noise needs to know of its place in a sample, in the order of memory. All of one length.
struct Places {
  const std::uint32_t* number;  ///< c*S + s
  const float* scale;           ///< of its channel
  const float* mean;            ///< of its channel; unused without m
};

/// The values `begin` to `end` - 1 of samples 2*pair and 2*pair + 1. `second`: whether there is one.
struct Pair {
  std::uint32_t pair;
  std::int64_t begin, end;
  const float *x0, *x1;
  float *y0, *y1;
  bool second;
};

struct NoiseLoops {
  const char* instruction_set;
  void (*apply)(const AffineNoise& args, const Places& places, const Pair& pair) noexcept;
};

}  // namespace
}  // namespace bnlab::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace bnlab::kernels {
namespace HWY_NAMESPACE {
namespace {

using F = hn::ScalableTag<float>;
using I = hn::RebindToSigned<F>;
using U = hn::RebindToUnsigned<F>;

struct Words {
  V<U> at[4];
};

#if HWY_TARGET == HWY_SCALAR  // one lane

HWY_INLINE Words philox_of(V<U> number, std::uint32_t second, PhiloxKey key) {
  const PhiloxCounter words = philox({hn::GetLane(number), second, 0, 0}, key);
  return {{hn::Set(U(), words[0]), hn::Set(U(), words[1]), hn::Set(U(), words[2]), hn::Set(U(), words[3])}};
}

#else

/// Philox of counters {number, second, 0, 0}, those of even lanes and of odd lanes apart: a round keeps its words in
/// the lower halves of 64 bits, as multiplication takes them; what stands in the upper halves is of no account.
HWY_INLINE Words philox_of(V<U> number, std::uint32_t second, PhiloxKey key) {
  const U u;
  using U64 = hn::RepartitionToWide<U>;
  const U64 w;
  const auto f0 = hn::Set(u, kPhiloxFactors[0]), f1 = hn::Set(u, kPhiloxFactors[1]);
  V<U64> even[4] = {hn::BitCast(w, number), hn::Set(w, second), hn::Zero(w), hn::Zero(w)};
  V<U64> odd[4] = {hn::ShiftRight<32>(even[0]), even[1], even[2], even[3]};
  for (int round = 0; round < kPhiloxRounds; ++round) {
    const auto k0 = hn::Set(w, key[0]), k1 = hn::Set(w, key[1]);
    for (V<U64>* c : {even, odd}) {
      const auto p0 = hn::MulEven(hn::BitCast(u, c[0]), f0), p1 = hn::MulEven(hn::BitCast(u, c[2]), f1);
      c[0] = hn::Xor(hn::Xor(hn::ShiftRight<32>(p1), c[1]), k0);
      c[2] = hn::Xor(hn::Xor(hn::ShiftRight<32>(p0), c[3]), k1);
      c[1] = p1;
      c[3] = p0;
    }
    key = {key[0] + kPhiloxKeySteps[0], key[1] + kPhiloxKeySteps[1]};
  }
  Words words;
  for (int i = 0; i < 4; ++i) {
    words.at[i] = hn::OddEven(hn::BitCast(u, hn::ShiftLeft<32>(odd[i])), hn::BitCast(u, even[i]));
  }
  return words;
}

#endif

HWY_INLINE V<F> constant(double value) {
  return hn::Set(F(), static_cast<float>(value));
}

/// c[0]*x^(n-1) + … + c[n-1], by Horner's rule.
template <std::size_t n>
HWY_INLINE V<F> polynomial(V<F> x, const double (&c)[n]) {
  V<F> sum = constant(c[0]);
  for (std::size_t i = 1; i < n; ++i) sum = hn::Add(hn::Mul(sum, x), constant(c[i]));
  return sum;
}

// The coefficients of log, sin and cos are those of Moshier's Cephes library (single precision), whose errors are below
// 1e-7 of the value.

/// The natural logarithm; 0 < x <= 1, normal.
HWY_INLINE V<F> log_of(V<F> x) {
  const I i;
  const auto bits = hn::BitCast(i, x);
  const auto exponent = hn::ShiftRight<23>(hn::Sub(bits, hn::Set(i, 0x3F3504F3)));  // so that sqrt(1/2) <= rest
  const V<F> rest = hn::BitCast(F(), hn::Sub(bits, hn::ShiftLeft<23>(exponent)));
  const V<F> f = hn::Sub(rest, constant(1)), z = hn::Mul(f, f), e = hn::ConvertTo(F(), exponent);
  V<F> tail = polynomial(f, {7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1,
                             -1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1});
  tail = hn::Mul(hn::Mul(tail, f), z);
  tail = hn::Add(tail, hn::Mul(e, constant(-2.12194440e-4)));
  tail = hn::Sub(tail, hn::Mul(z, constant(0.5)));
  return hn::Add(hn::Add(f, tail), hn::Mul(e, constant(0.693359375)));
}

struct Normals {
  V<F> z0, z1;
};

/// Two standard normals, sqrt(-2 ln u)·(cos, sin)(angle), from 31 bits for u and 32 for the angle: those of one octant
/// pair, |angle| <= π/4, and the two lowest for which of four quarter turns (with a reflection) it takes.
HWY_INLINE Normals box_muller(V<U> radius, V<U> direction) {
  const F f;
  const I i;
  const U u;
  const V<F> whole = hn::ConvertTo(f, hn::BitCast(i, hn::ShiftRight<1>(radius)));
  const V<F> uniform = hn::Mul(hn::Add(whole, constant(0.5)), constant(0x1p-31));
  const V<F> r = hn::Sqrt(hn::Mul(log_of(uniform), constant(-2)));
  const V<F> angle = hn::Mul(hn::ConvertTo(f, hn::BitCast(i, direction)), constant(0x1p-31 * 0.78539816339744831));
  const V<F> z = hn::Mul(angle, angle);
  V<F> sine = polynomial(z, {-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1});
  sine = hn::Add(hn::Mul(hn::Mul(sine, z), angle), angle);
  V<F> cosine = polynomial(z, {2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2});
  cosine = hn::Add(hn::Sub(hn::Mul(hn::Mul(cosine, z), z), hn::Mul(z, constant(0.5))), constant(1));
  const auto sign = hn::And(hn::ShiftLeft<30>(direction), hn::Set(u, 0x80000000));
  cosine = hn::BitCast(f, hn::Xor(hn::BitCast(u, cosine), sign));
  const auto swapped = hn::RebindMask(f, hn::TestBit(direction, hn::Set(u, 1)));
  return {hn::Mul(r, hn::IfThenElse(swapped, sine, cosine)), hn::Mul(r, hn::IfThenElse(swapped, cosine, sine))};
}

/// Of one vector of places, for both samples.
struct Noise {
  V<F> s[2], m[2];
};

HWY_INLINE Noise noise_at(const AffineNoise& args, V<U> number, V<F> scale, V<F> mean, std::uint32_t pair) {
  const I i;
  const Words words = philox_of(number, pair, args.key);
  const Normals normals = box_muller(words.at[0], words.at[1]);
  const V<F> deviation = hn::Set(F(), args.scale_spread), width = hn::Set(F(), args.mean_spread * 0x1p-31F);
  const auto uniform = [&](V<U> bits) {
    return hn::Add(mean, hn::Mul(width, hn::ConvertTo(F(), hn::BitCast(i, bits))));
  };
  return {{hn::Add(scale, hn::Mul(deviation, normals.z0)), hn::Add(scale, hn::Mul(deviation, normals.z1))},
          {uniform(words.at[2]), uniform(words.at[3])}};
}

template <bool kShift>
void apply_to(const AffineNoise& args, const Places& places, const Pair& pair) noexcept {
  const F f;
  const U u;
  const auto whole = [&](std::int64_t p) {
    const V<F> mean = kShift ? hn::LoadU(f, places.mean + p) : hn::Zero(f);
    return noise_at(args, hn::LoadU(u, places.number + p), hn::LoadU(f, places.scale + p), mean, pair.pair);
  };
  const auto value = [](V<F> x, V<F> s, V<F> m) { return kShift ? hn::Add(hn::Mul(s, x), m) : hn::Mul(s, x); };
  std::int64_t p = pair.begin;
  for (; p + kLanes<float> <= pair.end; p += kLanes<float>) {
    const Noise noise = whole(p);
    hn::StoreU(value(hn::LoadU(f, pair.x0 + p), noise.s[0], noise.m[0]), f, pair.y0 + p);
    if (pair.second) hn::StoreU(value(hn::LoadU(f, pair.x1 + p), noise.s[1], noise.m[1]), f, pair.y1 + p);
  }
  if (p == pair.end) return;
  const Noise noise = whole(p);  // the tables go on for a vector, the samples do not
  const auto rest = static_cast<std::size_t>(pair.end - p) * sizeof(float);
  const auto ending = [&](const float* x, float* y, V<F> s, V<F> m) {
    float lanes[kLanes<float>] = {};
    std::memcpy(lanes, x + p, rest);
    hn::StoreU(value(hn::LoadU(f, lanes), s, m), f, lanes);
    std::memcpy(y + p, lanes, rest);
  };
  ending(pair.x0, pair.y0, noise.s[0], noise.m[0]);
  if (pair.second) ending(pair.x1, pair.y1, noise.s[1], noise.m[1]);
}

void apply(const AffineNoise& args, const Places& places, const Pair& pair) noexcept {
  args.mean ? apply_to<true>(args, places, pair) : apply_to<false>(args, places, pair);
}

const NoiseLoops* noise_table() {
  static constexpr NoiseLoops kTable = {kInstructionSet, apply};
  return &kTable;
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace bnlab::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <algorithm>
#include <limits>

#include "bnlab/kernels/instruction_set.h"
#include "bnlab/kernels/scratch.h"
#include "bnlab/kernels/usable_tables.h"

namespace bnlab::kernels {
namespace {

HWY_EXPORT(noise_table);

constexpr std::int64_t kTaskPlaces = 8192;  // of two samples: 128 KiB to read and to write
constexpr std::int64_t kReadAhead = 64;     // the widest vector's lanes, and more

const NoiseLoops* noise_loops() noexcept {
  static const std::vector<const NoiseLoops*> all = usable_tables(HWY_DISPATCH_TABLE(noise_table));
  const char* name = instruction_set();
  if (!name) return nullptr;
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const NoiseLoops* l) { return !std::strcmp(l->instruction_set, name); });
  return found == all.end() ? nullptr : *found;
}

void fill_places(const AffineNoise& args, std::uint32_t* number, float* scale, float* mean) noexcept {
  const Shape& shape = args.shape;
  const bool last = shape.layout == Layout::kChannelsLast;
  const std::int64_t channel_step = last ? 1 : shape.s, position_step = last ? shape.c : 1;
  for (std::int64_t c = 0; c < shape.c; ++c) {
    for (std::int64_t s = 0; s < shape.s; ++s) {
      const std::int64_t p = c * channel_step + s * position_step;
      number[p] = static_cast<std::uint32_t>(c * shape.s + s);
      scale[p] = args.scale[c];
      mean[p] = args.mean ? args.mean[c] : 0;
    }
  }
  const std::int64_t places = shape.c * shape.s;
  std::fill_n(number + places, kReadAhead, 0U);
  std::fill_n(scale + places, kReadAhead, 0.0F);
  std::fill_n(mean + places, kReadAhead, 0.0F);
}

}  // namespace

Status affine_noise(const AffineNoise& args, TaskRunner& runner) noexcept {
  const Shape& shape = args.shape;
  constexpr std::int64_t kMost = std::numeric_limits<std::uint32_t>::max();
  if (!shape.valid() || shape.n > kMost) return Status::kBadShape;
  const NoiseLoops* loops = noise_loops();
  if (!loops) return Status::kBadInstructionSet;
  if (shape.elements() == 0) return Status::kOk;
  const std::int64_t places = shape.c * shape.s;
  if (places > kMost) return Status::kBadShape;
  const Scratch<std::uint32_t> number(places + kReadAhead);
  const Scratch<float> scale(places + kReadAhead), mean(places + kReadAhead);
  if (!number || !scale || !mean) return Status::kOutOfMemory;
  fill_places(args, number.data(), scale.data(), mean.data());
  const Places tables{number.data(), scale.data(), mean.data()};
  const std::int64_t pairs = (shape.n + 1) / 2, parts = (places + kTaskPlaces - 1) / kTaskPlaces;
  runner.run(pairs * parts, [&](std::int64_t begin, std::int64_t end) noexcept {
    for (std::int64_t task = begin; task < end; ++task) {
      const std::int64_t pair = task / parts, first = task % parts * kTaskPlaces;
      const bool second = 2 * pair + 1 < shape.n;
      const std::int64_t at = 2 * pair * places, next = second ? at + places : at;
      loops->apply(args, tables,
                   {static_cast<std::uint32_t>(pair), first, std::min(first + kTaskPlaces, places), args.x + at,
                    args.x + next, args.y + at, args.y + next, second});
    }
  });
  return Status::kOk;
}

}  // namespace bnlab::kernels
#endif  // HWY_ONCE
