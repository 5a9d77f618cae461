// What is known of a model's batch normalization: plain data that collectors (python/bnlab/doctor, later readers of
// files) write as JSON and rules read. What a collector could not learn is absent, and `not_collected` says why.
// Schema version 1: docs/doctor.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bnlab/doctor/comparisons.h"
#include "bnlab/doctor/numbers.h"
#include "bnlab/record/json_fields.h"

namespace bnlab::doctor {

inline constexpr std::int64_t kFactsVersion = 1;

/// The module whose output a layer gets; through a concatenation several, with commas between.
struct ProducerFacts {
  std::string name;
  std::string kind;       ///< its class, e.g. "Conv2d"
  bool has_bias = false;  ///< a bias that the layer takes away again: nothing else gets the output
};

/// The inputs of a layer over the whole loader, each channel's values merged.
struct InputFacts {
  std::int64_t count = 0;    ///< values a channel
  std::int64_t batches = 0;  ///< calls that they came in
  Numbers mean, var_biased;
  Numbers between;  ///< variance of the batches' means around `mean`, weighted by their counts
  Numbers spread;   ///< of one number a sample: variance between batches over that within, 1 by chance; may be empty
};

/// What a pass with the dropout switched on says of a layer that lies behind it.
struct DropoutFacts {
  std::string name;         ///< of the nearest dropout before the layer
  Numbers var_on, var_off;  ///< biased variances of the inputs, of the same batches; empty if not measured
};

/// A layer over some training steps.
struct StepFacts {
  std::int64_t calls_per_step = 0;  ///< most training calls between two steps of the optimizer, by calls of one pass
  double moved = 0;                 ///< root mean square over channels of the change of running_mean, in deviations
  std::optional<MixFacts> mix;      ///< of the calls within a step, if there were several
};

struct LayerFacts {
  std::string name;
  std::string kind;
  std::string dtype;  ///< of the running statistics, e.g. "float32"
  std::int64_t channels = 0;
  std::optional<double> eps;       ///< none: not known, as of a state file
  std::optional<double> momentum;  ///< none: the mean over all batches, if momentum_known
  bool momentum_known = true;
  bool affine = true;
  bool track_running_stats = true;
  bool training = false;
  bool gamma_trains = true, beta_trains = true;  ///< requires_grad
  bool stays_frozen = false;                     ///< normalizes by its running statistics after model.train() too
  std::optional<Numbers> gamma, beta, running_mean, running_var;
  std::optional<std::int64_t> num_batches_tracked;
  std::optional<ProducerFacts> producer;
  std::optional<DropoutFacts> dropout;
  bool is_output = false;            ///< its output is the model's
  std::int64_t calls = 0;            ///< in a pass of one batch, at most
  std::int64_t least_values = 0;     ///< fewest values a channel in a call of all but the last batch; 0: unknown
  std::int64_t last_values = 0;      ///< ... of the last batch
  std::optional<InputFacts> inputs;  ///< by a pass with the running statistics
  std::optional<Numbers> exact_mean, exact_var_biased;  ///< with exact statistics in all layers before
  std::optional<double> weight_decay;                   ///< of gamma or beta in the optimizer, the larger
  std::optional<StepFacts> steps;
  bool averaged = false;                    ///< its parameters are an average of another model's
  std::optional<MomentFacts> donor;         ///< running statistics of the model that they were averaged from
  std::optional<RealFacts> real;            ///< its inputs without padding, if the mask fits them
  std::optional<MixFacts> sources;          ///< its inputs by the source that each sample is from
  std::optional<PrecisionFacts> precision;  ///< if its inputs are far from 0 and of rank 4 or 5
  Numbers ranks;                            ///< distance of each rank's running statistics to all ranks', in deviations
};

/// The loss of each batch, by the statistics that the layers normalize by.
struct LossFacts {
  std::string kind;  ///< e.g. "cross-entropy", for people
  double scale = 1;  ///< what counts as a large difference: 1 for a cross-entropy
  Numbers samples;   ///< of each batch
  Numbers running;   ///< running statistics, as in evaluation
  Numbers batch;     ///< the batch's own, as in training
  Numbers exact;     ///< those of the whole loader, layer by layer; empty if not taken
  Numbers as_found;  ///< each layer in the mode that it was found in; empty unless modes were mixed
};

/// The first batches once more with another setting.
struct TrialFacts {
  std::string setting;  ///< "eps"
  double value = 0;
  Numbers running;  ///< losses of the first batches
};

/// Training steps that were looked at.
struct TrainingFacts {
  std::int64_t count = 0;
  bool watched = false;  ///< the program's own steps; else some on a copy of the model
  Numbers loss_moved;    ///< on some batches after the steps
  Numbers loss_kept;     ///< the same with the running statistics of frozen layers as they were before
};

struct NotCollected {
  std::string what;
  std::string why;
};

struct Facts {
  std::string model;
  bool training = false;                    ///< the mode of the whole model
  std::string exported;                     ///< "pt2", "onnx" or "torchscript"; empty: no exported graph
  std::vector<std::string> active_dropout;  ///< of an exported graph: dropout that drops values whenever it runs
  std::vector<LayerFacts> layers;           ///< in order of execution
  std::int64_t batches = 0;                 ///< of the loader; 0: none was read
  std::optional<LossFacts> losses;
  std::optional<double>
      output_change;  ///< largest |output by batch - by running statistics| over the outputs' deviation
  std::vector<TrialFacts> trials;
  std::optional<TrainingFacts> training_steps;
  std::optional<AveragingFacts> averaging;
  std::optional<PaddingFacts> padding;
  std::optional<SourcesFacts> sources;
  std::optional<FormatFacts> formats;
  std::optional<ReferenceFacts> reference;
  std::optional<RankFacts> ranks;
  std::optional<MateFacts> mates;
  std::vector<std::string> remarks;  ///< sentences of the collector for whoever reads the report

  /// "losses", "moments", "graph" (producers and outputs), "mode" (training or evaluation), "eps", "momentum",
  /// "dropout", "optimizer", "training steps", "batch", "exact" or "as found".
  std::vector<NotCollected> not_collected;

  /// Why `what` is missing: the collector's words; else why there are no moments, as of a file, or "it was not
  /// collected".
  std::string why_no(const std::string& what) const;
  bool lacks(const std::string& what) const;
};

/// Throws SpecError, whose text begins with the path of the key that is wrong.
Facts read_facts(const Json& json);

/// What a file can tell: layers, remarks and what was not collected, without losses, inputs and steps.
Json facts_of_file_json(const Facts& facts);

}  // namespace bnlab::doctor
