#include "bnlab/data/pool.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <stdexcept>

namespace bnlab {
namespace {

/// in: (planes,height,width); out: (planes,height/pool,width/pool).
template <class Pixel>
void pool_planes(const Pixel* in, int64_t planes, int64_t height, int64_t width, int64_t pool, float* out) {
  const auto block = static_cast<double>(pool * pool);
  for (int64_t row = 0; row < planes * height / pool; ++row) {
    for (int64_t column = 0; column < width / pool; ++column) {
      const Pixel* corner = in + row * pool * width + column * pool;
      double sum = 0;
      for (int64_t r = 0; r < pool; ++r) {
        for (int64_t c = 0; c < pool; ++c) sum += corner[r * width + c];
      }
      *out++ = static_cast<float>(sum / block);
    }
  }
}

}  // namespace

at::Tensor mean_pooled(const at::Tensor& images, int64_t pool) {
  const auto dtype = images.scalar_type();
  if (images.dim() != 4 || (dtype != at::kByte && dtype != at::kFloat)) {
    throw std::invalid_argument("pooling expects images (N,C,H,W), uint8 or float32");
  }
  const int64_t height = images.size(2), width = images.size(3);
  if (pool < 1 || height % pool != 0 || width % pool != 0) {
    throw std::invalid_argument(
        fmt::format("pool is {}, which does not divide the images' {} x {}; choose one that does, or 1 for none", pool,
                    height, width));
  }
  if (pool == 1) return images;
  const at::Tensor in = images.contiguous();
  const int64_t planes = in.size(0) * in.size(1);
  const at::Tensor out = at::empty({in.size(0), in.size(1), height / pool, width / pool}, at::kFloat);
  if (dtype == at::kByte) {
    pool_planes(in.data_ptr<uint8_t>(), planes, height, width, pool, out.data_ptr<float>());
  } else {
    pool_planes(in.data_ptr<float>(), planes, height, width, pool, out.data_ptr<float>());
  }
  return out;
}

Dataset mean_pooled(Dataset dataset, int64_t pool) {
  if (dataset.pool == pool) return dataset;
  if (dataset.pool != 1) throw std::invalid_argument(fmt::format("the images are pooled by {} already", dataset.pool));
  for (Split* split : {&dataset.train, &dataset.test}) split->images = mean_pooled(split->images, pool);
  dataset.pool = pool;
  return dataset;
}

}  // namespace bnlab
