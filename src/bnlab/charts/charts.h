// All kinds of charts: each takes plain data and returns a Vega-Lite specification, ready for a Figure.
//
// What a chart cannot draw (values that are not finite, values of 0 and below on a logarithmic axis) is left out and
// counted: notes_of() gives it as sentences, which the report's page shows below the figure.
#pragma once

#include "bnlab/charts/band.h"
#include "bnlab/charts/bars.h"
#include "bnlab/charts/heat_map.h"
#include "bnlab/charts/histogram.h"
#include "bnlab/charts/panels.h"
#include "bnlab/charts/ridges.h"
#include "bnlab/charts/scatter.h"
#include "bnlab/charts/specification.h"
#include "bnlab/charts/stepped.h"
#include "bnlab/charts/strip.h"
#include "bnlab/charts/style.h"
