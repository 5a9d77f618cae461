// A series with few enough points to be drawn: what pages show of a run. The whole series stays in its record.
#pragma once

#include "bnlab/record/json_fields.h"
#include "bnlab/record/run_store.h"

namespace bnlab {

struct Curve {
  std::vector<int64_t> steps;  ///< of each point: the last that it stands for
  std::vector<double> values;  ///< of each point: the mean over the steps that it stands for; may not be finite
  size_t of = 0;               ///< points of the series
  size_t each = 1;             ///< successive points of the series that a point stands for; the last one may for fewer
};

/// `series` in at most `most` points (at least 1).
Curve thinned(const Series& series, size_t most);

/// {"steps", "values", "of", "each"}; values to 6 significant digits, null where they are not finite.
Json to_json(const Curve& curve);

/// The training loss of a run that has one, else an empty curve.
Curve loss_curve(RunReader& run, size_t most);

}  // namespace bnlab
