// A run spec: everything that fixes a run's result, as plain data. Its canonical JSON is hashed into the run's id, so
// two experiments that ask for the same work share one run. (docs/architecture.md, "Run spec and id".) The JSON keys
// are declared in run_spec_keys.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "bnlab/record/json_fields.h"

namespace bnlab {

/// Which data, by content (not by place: a run must mean the same on every machine).
struct DataSpec {
  std::string set;     ///< name of the data set, e.g. "cifar10"
  std::string digest;  ///< first 16 hex digits of the SHA-256 over the decoded pixels and labels
  /// "none", or fitted on the training split, per channel: "z-score", "min-max", "equalize" (its histogram); or
  /// "equalize-image" (the histogram of each image)
  std::string scaling = "z-score";
  int64_t pad_to = 0;            ///< pad images with zeros to this height and width; 0: as they are
  std::string augment = "none";  ///< "none" or "flip-crop"
  int64_t draw = 0;              ///< which draw of a synthetic set, e.g. one a seed
  int64_t pool = 1;              ///< images are reduced to the means of pool x pool pixels, before the rest
  int64_t train_examples = 0;    ///< train on the first so many; 0: on all. The scaling is fitted on all
  bool operator==(const DataSpec&) const = default;
};

struct NormSpec {
  std::string kind = "none";  ///< a kind of nn/norm_list.cpp
  std::string place = "before-activation";
  Options options;
  bool operator==(const NormSpec&) const = default;
};

struct ModelSpec {
  std::string name;  ///< a model of nn/model_list.cpp
  Options options;
  NormSpec norm;
  std::string init = "glorot-uniform";
  double init_scale = 1;  ///< every initial weight is multiplied by it
  bool operator==(const ModelSpec&) const = default;
};

/// An optimizer and its learning rate over the steps, both kinds of train/optimizer_list.cpp.
struct OptimizerSpec {
  std::string name = "sgd";
  double lr = 0.1;
  /// Short for the kind's option "momentum"; with "sgd", for the kind "momentum". Absent in complete specs.
  std::optional<double> momentum = {};
  double weight_decay = 0;  ///< times the weights, added to the gradient before anything else
  std::vector<int64_t> milestones;
  double factor = 0.1;  ///< for lr at each of the milestones
  Options options = {};
  std::string schedule = "milestones";
  bool operator==(const OptimizerSpec&) const = default;
};

/// A probe is shown step t if t >= from and (t - from) % every == 0; `at_end`: also the network after the last step.
struct ProbeSpec {
  std::string name;  ///< a probe of probes/probe_list.cpp
  int64_t from = 0;
  int64_t every = 1;
  bool at_end = false;
  Json parameters = Json::object();
  bool operator==(const ProbeSpec&) const = default;
  bool wants(int64_t step) const { return step >= from && (step - from) % every == 0; }
};

/// What is kept of the path of the weights: "none", "weights" (all of them), or "projection" onto `dims` seeded random
/// directions, each `every` steps.
struct TrajectorySpec {
  std::string keep = "none";
  int64_t every = 1;
  int64_t dims = 64;
  bool operator==(const TrajectorySpec&) const = default;
};

struct TrainSpec {
  DataSpec data;
  ModelSpec model;
  OptimizerSpec optimizer;
  int64_t batch = 128;
  int64_t steps = 0;
  int64_t seed = 0;
  int64_t threads = 0;  ///< part of the spec, since oneDNN's gradients depend on it; 0: by rule (complete_run_spec)
  /// Processes that share each batch, `threads` each, and add up their gradients.
  int64_t ranks = 1;
  /// Whose examples the statistics of a normalization over the batch are of: "synchronized", of all ranks' together;
  /// "local", of each rank's own, and evaluation goes by those of the first.
  std::string rank_statistics = "synchronized";
  std::string precision = "f32";
  std::string memory_format = "channels-last";
  std::optional<double> divergence_loss = 1e3;  ///< diverged when the loss is not finite or above this (Bjorck 2018)
  std::vector<ProbeSpec> probes;
  /// Most that probes may cost, as a share of the time without them, e.g. 0.05: they then see a part of the steps that
  /// they ask for, chosen from measured costs (train/probe_schedule.h). For a run on its own; runs that are compared
  /// are thinned alike (runs/probe_cost.h). Absent: whatever they cost.
  std::optional<double> probe_budget = {};
  TrajectorySpec trajectory;
  bool operator==(const TrainSpec&) const = default;
};

/// An analysis computes on finished runs (`inputs`, by id) or on none.
struct AnalysisSpec {
  std::string analysis;  ///< an analysis of analyses/analysis_list.cpp
  Json parameters = Json::object();
  std::vector<std::string> inputs;
  int64_t seed = 0;
  int64_t threads = 0;
  bool operator==(const AnalysisSpec&) const = default;
};

using RunSpec = std::variant<TrainSpec, AnalysisSpec>;

/// Strict: unknown keys, wrong types and impossible values throw SpecError naming the key. Absent optional keys take
/// their defaults. (Names of models, kinds and probes are checked where they are known: runs/completion.h.)
RunSpec parse_run_spec(const Json& json);

/// Every key, defaults included; parse_run_spec(to_json(s)) == s.
Json to_json(const RunSpec& spec);

/// Required keys and what is not at its default, so that a new key changes the form of no older spec. Sorted keys, no
/// white space, shortest numbers that read back to the same value.
std::string canonical_json(const RunSpec& spec);

/// First 16 hex digits of the SHA-256 of canonical_json(spec).
std::string run_id(const RunSpec& spec);

int64_t threads_of(const RunSpec& spec);     ///< of one process
int64_t processors_of(const RunSpec& spec);  ///< that it keeps busy: threads of all its ranks
std::string kind_of(const RunSpec& spec);    ///< "train" or "analysis"

}  // namespace bnlab
