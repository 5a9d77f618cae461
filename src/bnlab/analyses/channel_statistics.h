// What BN in a convolution normalizes by: one mean and variance a channel, over images, rows and columns. (Ioffe &
// Szegedy 2015, section 3.2.) Beside it what it would be to treat every position of a map as a unit of its own.
//
// Input: a train run of convolutions with BN in front of the activation, on images. Its finished network sees `batches`
// batches of `batch` training images (training mode); all below is computed in double from what each convolution and
// each BN give. Records under "channel-statistics", step 0, for each layer whose maps have more than one position:
//   "mean_off": largest |mean of BN's output - beta| of a channel and batch, "deviation_off": largest |its standard
//     deviation - |gamma|*sqrt(v/(v + eps))|, v: the variance in front of BN; both in units of the output's standard
//     deviation over the layer
//   "channel_noise": how far a batch's mean of a channel is off, root mean square over batches and channels, in units
//   of
//     the values' standard deviation; "position_noise": the same of the mean over the batch's images alone at each
//     position (both: the root of a ratio of sums over the layer, so that units that never change do not count)
//   "values": batch*H*W
//   "channel_bent": 1 - |r|, r the correlation of an image's map in front of BN with the one behind it, mean over the
//     first batch's maps; "position_bent": the same where each position is standardized by its own mean and variance
//     over all images (maps that are constant but for a thousandth of the channel's deviation are left out)
// and as layer 0 the largest "mean_off", "deviation_off" and "channel_bent"; the means over the layers of
// "position_bent", of "steadier" = ln(channel_noise / position_noise), and of "worth" = ln(1 / channel_noise² /
// values): how many independent values a batch's mean is worth, beside how many it has. Of the first layer also:
// "before" and "after", up to 2,000 sorted values of the first batch, as "layer" the channel's number from 1 to 3; and
// of the first image "map", "map_channel", "map_position" (H,W), of the first channel whose map is not constant: in
// front of BN, behind it, and with each position standardized by itself. A diverged input records nothing. Parameters:
// {"batch": 8, "batches": 50}.
#pragma once

#include "bnlab/analyses/analysis_list.h"

namespace bnlab {

AnalysisKind channel_statistics_analysis();

}  // namespace bnlab
