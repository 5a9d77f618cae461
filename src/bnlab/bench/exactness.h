// How exact y = (x - mean)/sqrt(var + eps) is in float, for channels whose mean is large beside their deviation: ours,
// PyTorch's and oneDNN's, each against long double arithmetic on the same floats.
#pragma once

#include <string>
#include <vector>

namespace bnlab::bench {

/// One implementation's largest errors, in the order of kMeansOverDeviation.
struct ExactnessRow {
  std::string name;    ///< "bnlab", "PyTorch" or "oneDNN"
  std::string layout;  ///< "nchw" or "nhwc"
  std::vector<double> errors;
};

/// The means of the channels, in units of their standard deviation, which is 1.
inline constexpr double kMeansOverDeviation[] = {0, 1, 10, 100, 1e3, 1e4, 1e5, 1e6};

/// max |y - y_ideal| over a batch of 32x16x28x28, training forward, gamma = 1, beta = 0, eps = 1e-5.
[[nodiscard]] std::vector<ExactnessRow> measure_exactness();

/// As a Markdown table, a row an implementation and layout.
[[nodiscard]] std::string exactness_table(const std::vector<ExactnessRow>& rows);

}  // namespace bnlab::bench
