// A figure: a Vega-Lite specification with its data, and the words that say what to see in it.
#pragma once

#include <string>

#include "bnlab/record/json_fields.h"

namespace bnlab {

struct Figure {
  std::string id;  ///< within its experiment, e.g. "a"
  std::string title;
  std::string caption;  ///< what is drawn, and what to see in it, for a person who has not read the paper
  Json spec;            ///< Vega-Lite, data inline
};

}  // namespace bnlab
