// The runs of the experiment "scaling" and their figures: five forms of the same pixels, a network trained on each.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "bnlab/record/figure.h"
#include "bnlab/study/arms.h"
#include "bnlab/study/measures.h"

namespace bnlab::inputs {

/// A form of the pixels.
struct Input {
  std::string name, word;  ///< for people; of data.scaling
  std::string color;
  std::vector<double> rates;  ///< without BN: around the best one, found on seeds 1000 to 1002
};
extern const Input kRaw, kMinMax, kZScore, kEqualize, kEqualizeImage;
const std::vector<Input>& all_inputs();

/// A rate that all inputs have, and the rate with BN.
inline constexpr double kCommonRate = 0.01, kBnRate = 0.1;

int64_t steps_of(Scale scale);
/// The second half of training: the window of all claims.
Window scored(const Setting& setting);

Arm plain_arm(const Input& input, double rate);   ///< "z-score, rate 0.1"
std::vector<Arm> plain_arms(const Input& input);  ///< at each of its rates
Arm bn_arm(const Input& input);                   ///< "z-score, BN, rate 0.1"
Arm looked_at(const Input& input);                ///< the analysis "scaled-inputs"
std::vector<Arm> of_all(const std::function<Arm(const Input&)>& arm);

/// The arm without BN whose mean accuracy over the window and the seeds is the highest: the same for all seeds.
Arm best_of(const ArmRuns& runs, const Input& input);

Plan plan(const Setting& setting);
std::vector<std::string> what_was_run(const Setting& setting);

Figure table_figure(const ArmRuns& runs);   ///< ten people, scaled
Figure pixels_figure(const ArmRuns& runs);  ///< histograms of pixels
Figure images_figure(const ArmRuns& runs);  ///< one image in each form
Figure rates_figure(const ArmRuns& runs);   ///< accuracy by learning rate

}  // namespace bnlab::inputs
