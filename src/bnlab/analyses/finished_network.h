// What analyses of one finished network with BN share.
#pragma once

#include <memory>
#include <string>

#include "bnlab/analyses/analysis_list.h"
#include "bnlab/nn/batch_norm.h"
#include "bnlab/nn/network.h"

namespace bnlab {

/// The spec of the only input. Throws SpecError, which names the analysis, unless that is a train run on images whose
/// layers have the normalization `norm` ("batch": in front of the activation).
const TrainSpec& only_input(const AnalysisView& view, const std::string& norm);

/// The network of a finished train run with its last weights, in training mode. Throws SpecError for a model whose
/// layers do not stand one behind the other.
std::shared_ptr<SequentialNetwork> finished_network(const RunReader& run, const TrainSpec& spec,
                                                    const TrainingData& data);

/// The BN of a layer that has one.
BatchNorm& norm_of(Network& network, int64_t layer);

/// The parameter {"images": 128}, at least 2, of an analysis with one input and no other parameter. Throws SpecError.
int64_t parse_images(const AnalysisSpec& spec);

}  // namespace bnlab
