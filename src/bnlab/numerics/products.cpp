#include "bnlab/numerics/products.h"

#include <ATen/ATen.h>

namespace bnlab {

at::Tensor Products::of(const at::Tensor& v) {
  const at::Tensor in = v.contiguous(), out = at::empty({a_.dimension}, at::kDouble);
  const auto n = static_cast<size_t>(a_.dimension);
  a_.apply({in.data_ptr<double>(), n}, {out.data_ptr<double>(), n});
  ++count_;
  if (!out.isfinite().all().item<bool>()) throw NotFinite();
  return out;
}

at::Tensor normal_vector(int64_t dimension, Random& random) {
  at::Tensor v = at::empty({dimension}, at::kDouble);
  auto* const values = v.data_ptr<double>();
  for (int64_t i = 0; i < dimension; ++i) values[i] = random.normal();
  return v;
}

Basis::Basis(int64_t capacity, int64_t dimension) : memory_(at::empty({capacity, dimension}, at::kDouble)) {}

at::Tensor Basis::rows() const {
  return memory_.slice(0, 0, size_);
}

at::Tensor Basis::remove_from(at::Tensor& w) const {
  const at::Tensor first = rows().mv(w);
  w = w - rows().t().mv(first);
  const at::Tensor second = rows().mv(w);
  w = w - rows().t().mv(second);
  return first + second;
}

void Basis::append(const at::Tensor& direction) {
  memory_[size_].copy_(direction / direction.norm());
  ++size_;
}

void Basis::append_random(Random& random) {
  at::Tensor v = normal_vector(memory_.size(1), random);
  v /= v.norm();
  remove_from(v);
  append(v);
}

void Basis::replace(const at::Tensor& rows) {
  memory_.slice(0, 0, rows.size(0)).copy_(rows);
  size_ = rows.size(0);
}

}  // namespace bnlab
