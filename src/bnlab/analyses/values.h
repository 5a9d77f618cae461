// Tensors as plain numbers, for records.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

namespace bnlab {

double number(const at::Tensor& value);
/// All values, in row-major order.
std::vector<double> doubles(const at::Tensor& values);
/// In double, (C,m): a row a channel, or a feature of (N,C).
at::Tensor rows_of_channels(const at::Tensor& values);

}  // namespace bnlab
