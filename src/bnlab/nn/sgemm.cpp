// The matrix product of BLAS, in float, by oneDNN.
//
// libtorch calls sgemm_ for every product of float matrices, and the system's BLAS answers: on a plain Debian the
// reference one, which is 4 to 20 times slower than oneDNN, and elsewhere another, with other bits. A program's own
// definition comes first, so that what a run computes and costs does not depend on which BLAS is installed.
// CMakeLists.txt makes sure that programs with bnlab_nn link this file.
#include <c10/util/Exception.h>
#include <oneapi/dnnl/dnnl.h>

#include <algorithm>
#include <cstdint>

/// C = alpha*op(A)*op(B) + beta*C, column-major; see BLAS. That is, row by row, Cᵀ = op(B)ᵀ*op(A)ᵀ.
extern "C" void sgemm_(const char* transa, const char* transb, const int* m, const int* n, const int* k,
                       const float* alpha, const float* a, const int* lda, const float* b, const int* ldb,
                       const float* beta, float* c, const int* ldc) {
  if (*m == 0 || *n == 0) return;
  if (*k == 0) {  // which oneDNN leaves as it was
    for (int64_t column = 0; column < *n; ++column) {
      float* values = c + column * *ldc;
      std::transform(values, values + *m, values, [&](float value) { return *beta == 0 ? 0 : *beta * value; });
    }
    return;
  }
  const dnnl_status_t status = dnnl_sgemm(*transb, *transa, *n, *m, *k, *alpha, b, *ldb, a, *lda, *beta, c, *ldc);
  TORCH_CHECK(status == dnnl_success, "sgemm: expected a product that oneDNN computes, got status ",
              static_cast<int>(status), " for ", *m, "×", *n, "×", *k, ".");
}
