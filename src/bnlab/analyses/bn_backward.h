// What BN does to the gradient that passes back through it. (Ioffe & Szegedy 2015, section 3, the formulas of the
// gradients.)
//
// With g = gamma*dy, the gradient with respect to xhat, and means over the m values of a channel:
//   dx = (g - mean(g) - xhat*mean(g*xhat)) / sqrt(var_biased + eps)
// so of the m numbers of g, BN takes out the part along (1, …, 1) and the part along xhat.
//
// Input: a train run of layers with BN in front of the activation, on images. Its finished network sees the first
// training images (training mode); all below is computed in double from what autograd gives. Records under
// "bn-backward", step 0, for each layer with BN in front of its activation:
//   "difference": largest |dx of autograd - dx of the formula|, in units of the latter's root mean square
//   "arriving_mean", "arriving_xhat": largest |cos| over channels between dy and (1, …, 1), and xhat
//   "leaving_mean", "leaving_xhat": the same of dx
//   "mean_share", "xhat_share": what the two parts have of the squared norm of g, 0 to 1, over the whole layer
//   "size": norm of dx / norm of dy over the whole layer; "gain": root mean square of gamma / sqrt(var_biased + eps)
//   "values": m
// and as layer 0 the largest of the layers for the first five, and "removed", the mean over the layers of the log of
// (mean_share + xhat_share)*m/2: the ratio to what a gradient in a random direction would lose. Channels that no
// gradient reaches are left out. A diverged input records nothing. Parameters: {"images": 128}.
#pragma once

#include "bnlab/analyses/analysis_list.h"

namespace bnlab {

AnalysisKind bn_backward_analysis();

}  // namespace bnlab
