// The small table that bnlab's explanations work on.
#pragma once

#include "bnlab/data/csv.h"

namespace bnlab {

/// Ten people: height in cm, weight in kg, age in years. Made up.
CsvTable ten_people();

}  // namespace bnlab
