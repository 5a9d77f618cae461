// What a comparison says: with another model, other ranks, without padding, by source, in another memory format.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bnlab/doctor/numbers.h"
#include "bnlab/record/json_fields.h"

namespace bnlab::doctor {

/// A mean and a variance a channel.
struct MomentFacts {
  Numbers mean, var;
};

/// Parameters that are an average of another model's: EMA, SWA, a target network.
struct AveragingFacts {
  std::string by;                       ///< "donor": that model was given; else the class that averages
  std::optional<std::int64_t> updates;  ///< how often it was updated
  std::optional<bool> use_buffers;      ///< whether that class averages buffers too
  std::optional<double> distance;       ///< |parameters - donor's| / |donor's|, over all
};

/// The inputs of a layer at the positions that are no padding.
struct RealFacts {
  double share = 1;  ///< of all positions
  Numbers mean, var_biased;
};

struct PaddingFacts {
  Numbers real;                        ///< loss of each batch, by exact statistics of the real positions; may be empty
  std::vector<std::string> unmatched;  ///< layers whose inputs the mask does not fit
};

/// The inputs of a layer by source. Sources are groups of samples, or the calls of one step.
struct MixFacts {
  std::int64_t freedom = 0;  ///< sources less 1, summed over steps
  Numbers share;             ///< variance between the sources' means over all variance
  Numbers spread;            ///< of one number a sample: variance between sources over that within, 1 by chance
};

struct SourcesFacts {
  std::vector<std::string> names;
  Numbers mixed, apart;  ///< loss of each batch by exact statistics of all and of each sample's source; may be empty
};

/// A layer on the inputs of one batch, against itself in double.
struct PrecisionFacts {
  double ratio = 0;             ///< largest |mean| / deviation of a channel
  bool channels_last = false;   ///< the inputs came in that format
  double error_contiguous = 0;  ///< largest error of the outputs, in their deviation
  double error_channels_last = 0;
};

/// Loss of the first batches, normalized by their own statistics, with inputs of those layers in either format.
struct FormatFacts {
  Numbers contiguous, channels_last;
};

/// A convolution or linear layer that batch normalization was folded into.
struct FoldedFacts {
  std::string name;
  std::optional<double> error;  ///< root mean square error of its outputs, in each channel's deviation
  Numbers range;                ///< largest |weight| of each output channel after an exact fold
};

/// The model against the one that it was made from, which ran in double.
struct ReferenceFacts {
  double output_error = 0;  ///< largest |difference| of the first outputs, in deviations of the reference's
  std::optional<double> error_in_double;  ///< the same with the model in double too: what its weights alone make
  Numbers own, reference;                 ///< loss of the first batches; may be empty
  std::vector<FoldedFacts> folded;        ///< in order of execution
};

struct RankFacts {
  std::int64_t count = 0;
  std::optional<std::int64_t> own;  ///< this one
  Numbers merged;                   ///< loss of each batch by the statistics of all ranks together; may be empty
};

/// Losses of the same outputs, of two views of each sample, which were normalized in groups of samples. For each
/// dealing of samples to groups: with the other samples of a group as candidates beside the right view, which tells
/// nothing of the group; and with samples of any groups, of which the right view alone is sure to be of the same.
struct MateFacts {
  Numbers among_mates, among_all;
};

MomentFacts read_moments(const Json& json, const std::string& path, std::size_t channels);
RealFacts read_real(const Json& json, const std::string& path, std::size_t channels);
MixFacts read_mix(const Json& json, const std::string& path, std::size_t channels);
PrecisionFacts read_precision(const Json& json, const std::string& path);
AveragingFacts read_averaging(const Json& json, const std::string& path);
PaddingFacts read_padding(const Json& json, const std::string& path);
SourcesFacts read_sources(const Json& json, const std::string& path);
FormatFacts read_formats(const Json& json, const std::string& path);
ReferenceFacts read_reference(const Json& json, const std::string& path);
RankFacts read_ranks(const Json& json, const std::string& path);
MateFacts read_mates(const Json& json, const std::string& path);

}  // namespace bnlab::doctor
