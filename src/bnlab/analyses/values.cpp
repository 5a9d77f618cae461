#include "bnlab/analyses/values.h"

#include <ATen/ATen.h>

namespace bnlab {

double number(const at::Tensor& value) {
  return value.item<double>();
}

std::vector<double> doubles(const at::Tensor& values) {
  const at::Tensor flat = values.to(at::kDouble).contiguous().flatten();
  return {flat.data_ptr<double>(), flat.data_ptr<double>() + flat.numel()};
}

at::Tensor rows_of_channels(const at::Tensor& values) {
  return values.to(at::kDouble).transpose(0, 1).flatten(1);
}

}  // namespace bnlab
