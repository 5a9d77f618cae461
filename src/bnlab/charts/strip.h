// Seed by seed: a point a seed, with the mean and its interval for each arm.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bnlab/charts/style.h"
#include "bnlab/record/json_fields.h"

namespace bnlab {

struct SeedValue {
  std::string category;  ///< e.g. a learning rate; "" throughout: a row an arm
  std::string arm;
  int64_t seed = 0;
  double value = 0;
};

struct StripOptions {
  bool log = false;                      ///< mean and interval are then those of the logarithms
  std::optional<double> reference = {};  ///< a dashed line there, e.g. at chance
  std::string reference_label = {};
};

/// A row a category and arm, in the order of the data. Interval: 95 %, Student's t over the seeds; with one seed there
/// is none.
Json strip_chart(const std::vector<SeedValue>& values, const std::vector<ArmStyle>& styles,
                 const std::string& category_title, const std::string& value_title, const StripOptions& options = {});

}  // namespace bnlab
