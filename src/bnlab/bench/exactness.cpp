#include "bnlab/bench/exactness.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <random>

#include "bnlab/bench/batch_data.h"
#include "bnlab/bench/onednn_peer.h"
#include "bnlab/ops/batch_norm.h"

namespace bnlab::bench {
namespace {

const NamedShape kShape{"exactness", "batch", 32, 16, 28, 28};

// Normal values of deviation 1 around `mean`, (N,C,H,W).
at::Tensor batch_around(double mean) {
  std::mt19937 random(20150210);
  std::normal_distribution<double> normal(mean, 1.0);
  at::Tensor x = at::empty({kShape.n, kShape.c, kShape.h, kShape.w});
  auto* values = x.data_ptr<float>();
  for (std::int64_t i = 0; i < x.numel(); ++i) values[i] = static_cast<float>(normal(random));
  return x;
}

// The formula in long double, in the order of x, which is contiguous.
std::vector<long double> ideal(const at::Tensor& x) {
  const auto* values = x.data_ptr<float>();
  const std::int64_t plane = kShape.h * kShape.w;
  std::vector<long double> y(static_cast<std::size_t>(x.numel()));
  for (std::int64_t c = 0; c < kShape.c; ++c) {
    const auto for_channel = [&](const auto& f) {
      for (std::int64_t n = 0; n < kShape.n; ++n) {
        for (std::int64_t i = 0; i < plane; ++i) f((n * kShape.c + c) * plane + i);
      }
    };
    const auto count = static_cast<long double>(kShape.count());
    long double sum = 0, squares = 0;
    for_channel([&](std::int64_t i) { sum += values[i]; });
    const long double mean = sum / count;
    for_channel([&](std::int64_t i) { squares += (values[i] - mean) * (values[i] - mean); });
    const long double rstd = 1 / std::sqrt(squares / count + kEps);
    for_channel([&](std::int64_t i) { y[static_cast<std::size_t>(i)] = (values[i] - mean) * rstd; });
  }
  return y;
}

// NaN if any y is.
double largest_error(const at::Tensor& y, const std::vector<long double>& expected) {
  const at::Tensor plain = y.contiguous();
  const auto* values = plain.data_ptr<float>();
  long double most = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const long double error = std::abs(values[i] - expected[i]);
    if (!(error <= most)) most = error;
    if (std::isnan(error)) return std::numeric_limits<double>::quiet_NaN();
  }
  return static_cast<double>(most);
}

at::Tensor onednn(const at::Tensor& x, const std::string& layout) {
  const at::Tensor gamma = at::ones({kShape.c}), beta = at::zeros({kShape.c}), y = at::empty_like(x);
  const std::vector<double> mean(static_cast<std::size_t>(kShape.c), 0.0), var(mean.size(), 1.0);
  OneDnnPeer peer(kShape, layout, dnnl::memory::data_type::f32, /*relu=*/false, kEps,
                  {.x = x.data_ptr<float>(),
                   .dy = x.data_ptr<float>(),
                   .gamma = gamma.data_ptr<float>(),
                   .beta = beta.data_ptr<float>(),
                   .running_mean = mean.data(),
                   .running_var = var.data()});
  peer.forward_training();
  peer.get_y(y.data_ptr<float>());
  return y;
}

}  // namespace

std::vector<ExactnessRow> measure_exactness() {
  std::vector<ExactnessRow> rows;
  for (const std::string name : {"bnlab", "PyTorch", "oneDNN"}) {
    for (const std::string layout : {"nchw", "nhwc"}) rows.push_back({name, layout, {}});
  }
  for (const double mean : kMeansOverDeviation) {
    const at::Tensor x = batch_around(mean);
    const auto expected = ideal(x);
    for (ExactnessRow& row : rows) {
      const at::Tensor laid_out = row.layout == "nhwc" ? x.contiguous(at::MemoryFormat::ChannelsLast) : x;
      const at::Tensor y = row.name == "bnlab"     ? ops::batch_norm_training(laid_out, {}, {}, kEps).y
                           : row.name == "PyTorch" ? at::batch_norm(laid_out, {}, {}, {}, {}, true, 0.1, kEps, false)
                                                   : onednn(x, row.layout);
      row.errors.push_back(largest_error(y, expected));
    }
  }
  return rows;
}

std::string exactness_table(const std::vector<ExactnessRow>& rows) {
  std::string table = "| mean / std |", line = "|---|";
  for (const double mean : kMeansOverDeviation) {
    table += fmt::format(" {:g} |", mean);
    line += "---|";
  }
  table += "\n" + line + "\n";
  for (const ExactnessRow& row : rows) {
    table += fmt::format("| {}, {} |", row.name, row.layout == "nhwc" ? "channels last" : "channels first");
    for (const double error : row.errors) table += fmt::format(" {:.1e} |", error);
    table += "\n";
  }
  return table;
}

}  // namespace bnlab::bench
