#include "bnlab/doctor/rules/rule_list.h"

namespace bnlab::doctor {
namespace {

constexpr Rule kRules[] = {
    {"N01", "evaluation differs from training", evaluation_differs, ""},
    {"N02", "statistics never set or not loaded", statistics_never_set, ""},
    {"N03", "the running average lags", average_lags, ""},
    {"N04", "momentum inverted", momentum_inverted, "", "momentum"},
    {"N05", "wrong mode", wrong_mode, "", "mode"},
    {"N06", "half frozen", half_frozen, ""},
    {"N07", "statistics of another model's weights", stale_average, ""},
    {"N08", "few values per channel", few_values, ""},
    {"N09", "gradient accumulation", gradient_accumulation, ""},
    {"N10", "ranks disagree", ranks_disagree, ""},
    {"N11", "several sources through one layer", mixed_sources, ""},
    {"N12", "contrastive leak", contrastive_leak, ""},
    {"N13", "sorted batches", sorted_batches, ""},
    {"N14", "padding counted", padding_counted, ""},
    {"N15", "statistics not finite or negative", statistics_not_finite, ""},
    {"N16", "beyond the range of float16", beyond_half_precision, ""},
    {"N17", "eps lost in a port", eps_lost, "", "eps"},
    {"N18", "near-dead channels", near_dead_channels, ""},
    {"N19", "dropout in front of batch normalization", dropout_in_front, "", "graph"},
    {"N20", "redundant bias", redundant_bias, "", "graph"},
    {"N21", "batch normalization on the output", norm_on_output, "", "graph"},
    {"N22", "weight decay on gamma or beta", decayed_parameters, ""},
    {"N23", "exported in training mode", nullptr, "nothing exported was given"},
    {"N24", "fold or quantization damage", fold_damage, ""},
    {"N25", "channels-last precision", channels_last_precision, ""},
};

}  // namespace

std::span<const Rule> rule_list() {
  return kRules;
}

}  // namespace bnlab::doctor
