#include "bnlab/data/linear_task.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <vector>

#include "bnlab/data/random.h"

namespace bnlab {
namespace {

std::vector<double> normals(uint64_t seed, int64_t count) {
  Random random(seed);
  std::vector<double> values(static_cast<size_t>(count));
  for (double& value : values) value = random.normal();
  return values;
}

Split draw_split(const LinearTaskSpec& spec, const std::vector<double>& map, const char* purpose) {
  const int64_t width = spec.width;
  Split split{at::empty({spec.count, width, 1, 1}, at::kFloat), at::empty({spec.count, width}, at::kFloat)};
  const std::vector<double> x = normals(mix(spec.seed, purpose), spec.count * width);
  for (int64_t n = 0; n < spec.count; ++n) {
    for (int64_t i = 0; i < width; ++i) {
      double sum = 0;
      for (int64_t j = 0; j < width; ++j) {
        sum += map[static_cast<size_t>(i * width + j)] * x[static_cast<size_t>(n * width + j)];
      }
      split.images.data_ptr<float>()[n * width + i] = static_cast<float>(x[static_cast<size_t>(n * width + i)]);
      split.labels.data_ptr<float>()[n * width + i] = static_cast<float>(sum);
    }
  }
  return split;
}

}  // namespace

Dataset make_linear_task(const LinearTaskSpec& spec) {
  if (spec.width < 1 || spec.count < 1) {
    throw DataError(
        fmt::format("linear: expected a width and a count of at least 1, found {} and {}", spec.width, spec.count));
  }
  const std::vector<double> map = normals(mix(spec.seed, "linear/map"), spec.width * spec.width);
  Dataset dataset;
  dataset.name = "linear";
  dataset.title = "a random linear map";
  dataset.train = draw_split(spec, map, "linear/train");
  dataset.test = draw_split(spec, map, "linear/test");
  dataset.digest = content_digest(dataset.train, dataset.test);
  return dataset;
}

}  // namespace bnlab
