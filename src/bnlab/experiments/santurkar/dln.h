// The runs of the deep linear network (DLN) that the experiments on Santurkar et al. 2018 share: 25 square linear
// layers that learn a random linear map by full-batch gradient descent.
#pragma once

#include <string>
#include <vector>

#include "bnlab/record/figure.h"
#include "bnlab/study/arms.h"
#include "bnlab/study/measures.h"

namespace bnlab::santurkar {

/// What differs between scales.
struct DlnProtocol {
  int64_t steps;
  int64_t observe_every;
};
DlnProtocol dln_protocol(Scale scale);

/// "DLN, BN, rate 1e-06": behind the first 24 layers, γ, β learned. Without BN: "DLN, no BN, …".
Arm dln_bn(double rate);
Arm dln_plain(double rate);
/// BN elsewhere, at 1e-6: behind the first `normalized` layers, with γ, β learned or fixed at 1 and 0.
Arm dln_bn_placed(int64_t normalized, bool learned);
Arm dln_lp(const std::string& p);  ///< "l1", "l2" or "linf", at 1e-6

/// Steps of the second half.
Window second_half(const DlnProtocol& protocol);

/// What was trained, in one paragraph.
std::string what_dln_was_trained(const Setting& setting);

/// Training loss of the arms, logarithmic.
Figure dln_loss_figure(const std::string& id, const ArmRuns& runs, const std::vector<Arm>& arms,
                       const std::string& what_to_see);

}  // namespace bnlab::santurkar
