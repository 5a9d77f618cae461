#include "bnlab/data/gaussian.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <fmt/format.h>

#include <cmath>
#include <vector>

#include "bnlab/data/random.h"

namespace bnlab {
namespace {

void check(const GaussianSpec& spec) {
  if (spec.classes < 2 || spec.channels < 1 || spec.size < 1 || spec.train_count < 1 || spec.test_count < 1 ||
      !(spec.separation >= 0.0 && std::isfinite(spec.separation))) {
    throw DataError(fmt::format(
        "gaussian: expected at least 2 classes, sizes and counts of at least 1 and a separation of at least 0, found "
        "{} classes, {} channels, size {}, {} train and {} test examples, separation {}",
        spec.classes, spec.channels, spec.size, spec.train_count, spec.test_count, spec.separation));
  }
}

std::vector<double> draw_centres(const GaussianSpec& spec, int64_t dimensions) {
  std::vector<double> centres(spec.classes * dimensions);
  Random random(mix(spec.seed, "gaussian/centres"));
  const double scale = spec.separation / std::sqrt(2.0 * static_cast<double>(dimensions));
  for (auto& coordinate : centres) {
    coordinate = scale * random.normal();
  }
  return centres;
}

Split draw_split(const GaussianSpec& spec, const std::vector<double>& centres, int64_t dimensions, int64_t count,
                 const char* purpose) {
  Split split{at::empty({count, spec.channels, spec.size, spec.size}, at::kFloat), at::empty({count}, at::kLong)};
  auto* pixels = split.images.data_ptr<float>();
  auto* labels = split.labels.data_ptr<int64_t>();
  at::parallel_for(0, count, 64, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      labels[i] = i % spec.classes;
      const double* centre = centres.data() + labels[i] * dimensions;
      Random random(mix(spec.seed, purpose, i));
      for (int64_t j = 0; j < dimensions; ++j) {
        pixels[i * dimensions + j] = static_cast<float>(centre[j] + random.normal());
      }
    }
  });
  return split;
}

}  // namespace

Dataset make_gaussian(const GaussianSpec& spec) {
  check(spec);
  const int64_t dimensions = spec.channels * spec.size * spec.size;
  const auto centres = draw_centres(spec, dimensions);
  Dataset dataset;
  dataset.name = "gaussian";
  dataset.title = fmt::format("synthetic Gaussian classes, {} apart", spec.separation);
  for (int64_t k = 0; k < spec.classes; ++k) {
    dataset.class_names.push_back(fmt::format("class {}", k));
  }
  dataset.train = draw_split(spec, centres, dimensions, spec.train_count, "gaussian/train");
  dataset.test = draw_split(spec, centres, dimensions, spec.test_count, "gaussian/test");
  dataset.digest = content_digest(dataset.train, dataset.test);
  return dataset;
}

}  // namespace bnlab
