// Products of float matrices, as libtorch computes them in bnlab's programs, against double ones.
#include <ATen/ATen.h>
#include <dlfcn.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <vector>

extern "C" void sgemm_(const char* transa, const char* transb, const int* m, const int* n, const int* k,
                       const float* alpha, const float* a, const int* lda, const float* b, const int* ldb,
                       const float* beta, float* c, const int* ldc);

namespace bnlab {
namespace {

// What libtorch finds: the first definition in the order in which the process has loaded its parts.
TEST(Sgemm, IsTheProgramsOwn) {
  Dl_info found = {};
  ASSERT_NE(dladdr(dlsym(RTLD_DEFAULT, "sgemm_"), &found), 0);
  EXPECT_EQ(std::strstr(found.dli_fname, "blas"), nullptr) << found.dli_fname;
}

TEST(Sgemm, IsTheProductOfMatricesOfEverySizeAndOrder) {
  for (const int64_t m : {1, 2, 10, 33, 1000}) {
    for (const int64_t k : {1, 3, 10, 64, 777}) {
      for (const int64_t n : {1, 2, 10, 65}) {
        const at::Tensor a = at::randn({m, k}), b = at::randn({k, n}), c = at::randn({m, n});
        const at::Tensor product = a.to(at::kDouble).mm(b.to(at::kDouble));
        const auto near = [&](const at::Tensor& found, const at::Tensor& expected) {
          return at::allclose(found.to(at::kDouble), expected, 1e-5, 1e-5 * std::sqrt(static_cast<double>(k)));
        };
        const at::Tensor at_ = a.t().contiguous().t(), bt = b.t().contiguous().t();
        EXPECT_TRUE(near(a.mm(b), product) && near(at_.mm(b), product) && near(a.mm(bt), product) &&
                    near(at_.mm(bt), product))
            << m << "×" << k << "×" << n;
        EXPECT_TRUE(near(at::addmm(c, a, b, 2, -0.5), 2 * c.to(at::kDouble) - 0.5 * product));
      }
    }
  }
}

TEST(Sgemm, OverwritesWithoutReadingIfBetaIsZero) {
  const int two = 2;
  const float one = 1, zero = 0, a[] = {1, 2, 3, 4}, b[] = {5, 6, 7, 8};
  float c[] = {NAN, NAN, NAN, NAN};
  sgemm_("N", "N", &two, &two, &two, &one, a, &two, b, &two, &zero, c, &two);
  EXPECT_EQ(std::vector<float>(c, c + 4), (std::vector<float>{23, 34, 31, 46}));
}

TEST(Sgemm, TakesEmptyMatrices) {
  EXPECT_EQ(at::randn({0, 3}).mm(at::randn({3, 4})).numel(), 0);
  EXPECT_TRUE(at::equal(at::randn({2, 0}).mm(at::randn({0, 4})), at::zeros({2, 4})));
  const int two = 2, none = 0;
  const float one = 1, half = 0.5;
  float c[] = {2, 4, 6, 8};
  sgemm_("N", "N", &two, &two, &none, &one, c, &two, c, &two, &half, c, &two);
  EXPECT_EQ(std::vector<float>(c, c + 4), (std::vector<float>{1, 2, 3, 4}));
}

}  // namespace
}  // namespace bnlab
