// The figures of the experiment im-surfaces.
#pragma once

#include "bnlab/experiments/im/im.h"
#include "bnlab/record/figure.h"

namespace bnlab::im {

Figure between_figure(const ArmRuns& runs);      ///< a: lines from SGD's end to the others'
Figure barriers_figure(const ArmRuns& runs);     ///< b: the height of the barrier for each pair
Figure from_start_figure(const ArmRuns& runs);   ///< c: lines from the start through an end
Figure triangle_figure(const ArmRuns& runs);     ///< d: the plane of the start and two ends
Figure patch_figure(const ArmRuns& runs);        ///< e: the surface between four ends
Figure travelled_figure(const ArmRuns& runs);    ///< f: how far from the start, how large
Figure im_training_figure(const ArmRuns& runs);  ///< g: training accuracy

}  // namespace bnlab::im
