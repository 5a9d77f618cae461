// Santurkar, Tsipras, Ilyas & Madry 2018, "How Does Batch Normalization Help Optimization?" (arXiv 1805.11604), figure
// by figure. Run one: bnlab reproduce --only santurkar-fig1
#pragma once

#include "bnlab/study/experiment.h"

namespace bnlab {

Experiment santurkar_fig1();    ///< Fig. 1, 9: VGG and DLN with and without BN
Experiment santurkar_fig2();    ///< Fig. 2, 8: noise behind BN
Experiment santurkar_fig3();    ///< Fig. 3: internal covariate shift
Experiment santurkar_fig4();    ///< Fig. 4, 10, 11: the landscape along the gradient
Experiment santurkar_fig5();    ///< Fig. 5, 6, 12, 13: other norms
Experiment santurkar_theory();  ///< section 4: Theorems 4.1, 4.2, 4.4, Lemma 4.5, Observation 4.3

}  // namespace bnlab
