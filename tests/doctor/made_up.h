// Made-up facts for tests: a trained model of two layers in which nothing is wrong, to be spoiled.
#pragma once

#include <string>
#include <vector>

#include "bnlab/doctor/diagnosis.h"
#include "bnlab/doctor/facts.h"

namespace bnlab::doctor {

inline Json healthy_layer(const std::string& name) {
  return {{"name", name},
          {"kind", "BatchNorm2d"},
          {"dtype", "float32"},
          {"channels", 2},
          {"eps", 1e-5},
          {"momentum", 0.1},
          {"affine", true},
          {"track_running_stats", true},
          {"training", false},
          {"gamma", {0.9, 1.1}},
          {"beta", {0.1, -0.2}},
          {"running_mean", {1.0, -2.0}},
          {"running_var", {4.0, 9.0}},
          {"num_batches_tracked", 1000},
          {"producer", {{"name", "conv"}, {"kind", "Conv2d"}, {"has_bias", false}}},
          {"calls", 1},
          {"least_values", 1024},
          {"last_values", 1024},
          {"inputs",
           {{"count", 10240},
            {"batches", 10},
            {"mean", {1.0, -2.0}},
            {"var_biased", {4.0, 9.0}},
            {"between", {0.01, 0.02}},
            {"spread", {0.8, 1.3}}}},
          {"weight_decay", 0.0}};
}

inline Json same(std::size_t count, double value) {
  return std::vector<double>(count, value);
}

inline Json healthy_facts() {
  return {{"schema_version", 1},
          {"model", "Net"},
          {"training", false},
          {"batches", 10},
          {"layers", {healthy_layer("bn1"), healthy_layer("bn2")}},
          {"losses",
           {{"kind", "cross-entropy"},
            {"scale", 1},
            {"samples", same(10, 64)},
            {"running", same(10, 0.4)},
            {"batch", same(10, 0.4)},
            {"exact", same(10, 0.4)}}},
          {"output_change", 0.01}};
}

inline Diagnosis diagnosis_of(const Json& facts) {
  return diagnose(read_facts(facts));
}

/// The ids of all findings, in order, e.g. "N02 N20".
inline std::string ids_of(const Json& facts) {
  std::string ids;
  for (const Finding& finding : diagnosis_of(facts).findings) ids += (ids.empty() ? "" : " ") + finding.id;
  return ids;
}

/// The one finding of that id; an empty one if there is none.
inline Finding finding_of(const Json& facts, const std::string& id) {
  for (const Finding& finding : diagnosis_of(facts).findings) {
    if (finding.id == id) return finding;
  }
  return {};
}

/// Why the rule was not checked; empty if it was.
inline std::string why_not_checked(const Json& facts, const std::string& id) {
  for (const NotChecked& rule : diagnosis_of(facts).not_checked) {
    if (rule.id == id) return rule.why;
  }
  return "";
}

}  // namespace bnlab::doctor
