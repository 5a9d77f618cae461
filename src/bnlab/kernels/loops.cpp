#include "bnlab/kernels/loops.h"

#include <cstddef>

#include "bnlab/kernels/column_loops-inl.h"
#include "bnlab/kernels/run_loops-inl.h"

namespace bnlab::kernels {
namespace {

// The same loops under another name and with other instructions. Chosen by hand rather than by `target_clones`, whose
// resolvers run before ThreadSanitizer is ready.
#define BNLAB_LOOPS(NAME, ATTRIBUTES)                                                                                  \
  template <class T>                                                                                                   \
  struct NAME {                                                                                                        \
    ATTRIBUTES static void moments(const Patch& patch, const T* x, double* mean, double* m2) noexcept {                \
      patch.run == 1 ? inner::column_moments(patch, x, mean, m2) : inner::run_moments(patch, x, mean, m2);             \
    }                                                                                                                  \
    ATTRIBUTES static void gradient_sums(const Patch& patch, const T* x, const T* dy, const T* center, double* sum_dy, \
                                         double* sum_dy_x) noexcept {                                                  \
      patch.run == 1 ? inner::column_gradient_sums(patch, x, dy, center, sum_dy, sum_dy_x)                             \
                     : inner::run_gradient_sums(patch, x, dy, center, sum_dy, sum_dy_x);                               \
    }                                                                                                                  \
    ATTRIBUTES static void affine(const Patch& patch, const T* x, const Affine<T>& factors, T* y) noexcept {           \
      patch.run == 1 ? inner::column_affine(patch, x, factors, y) : inner::run_affine(patch, x, factors, y);           \
    }                                                                                                                  \
    ATTRIBUTES static void input_gradient(const Patch& patch, const T* x, const T* dy,                                 \
                                          const InputGradient<T>& factors, T* dx) noexcept {                           \
      patch.run == 1 ? inner::column_input_gradient(patch, x, dy, factors, dx)                                         \
                     : inner::run_input_gradient(patch, x, dy, factors, dx);                                           \
    }                                                                                                                  \
    static constexpr Loops<T> kTable = {#NAME, moments, gradient_sums, affine, input_gradient};                        \
  };

BNLAB_LOOPS(Baseline, )
#if defined(__x86_64__) && defined(__GNUC__)
BNLAB_LOOPS(Avx2, __attribute__((target("arch=x86-64-v3"))))
BNLAB_LOOPS(Avx512, __attribute__((target("arch=x86-64-v4"))))
#endif
#undef BNLAB_LOOPS

template <class T>
struct Supported {
  const Loops<T>* versions[3] = {};
  std::size_t count = 0;

  Supported() noexcept {
#if defined(__x86_64__) && defined(__GNUC__)
    if (__builtin_cpu_supports("x86-64-v4")) versions[count++] = &Avx512<T>::kTable;
    if (__builtin_cpu_supports("x86-64-v3")) versions[count++] = &Avx2<T>::kTable;
#endif
    versions[count++] = &Baseline<T>::kTable;
  }
};

}  // namespace

template <class T>
std::span<const Loops<T>* const> supported_loops() noexcept {
  static const Supported<T> supported;
  return {supported.versions, supported.count};
}

template std::span<const Loops<float>* const> supported_loops<float>() noexcept;
template std::span<const Loops<double>* const> supported_loops<double>() noexcept;

}  // namespace bnlab::kernels
