// What santurkar-theory shows: both sides of each theorem.
#pragma once

#include <string>
#include <vector>

#include "bnlab/experiments/santurkar/vgg.h"
#include "bnlab/record/figure.h"

namespace bnlab::santurkar {

/// The arms of santurkar-theory: the network whose twins are looked at, and the analyses of least squares.
Arm theory_arm();
Arm starts_arm();
inline constexpr char kStartsProbe[] = "least-squares-start";

/// Number of convolutions.
int64_t layers_of(const Protocol& protocol);

/// The recorded starts of Lemma 4.5, all problems together.
struct Starts {
  std::vector<double> closest, bound, plain, meets;

  explicit Starts(RunReader& run);
  /// The largest amount by which the left side exceeds the right one where the precondition is met.
  double worst() const;
};

/// Theorem 4.1, both sides of each channel; the shares of channels for which Theorems 4.1 and 4.2 hold;
/// Theorem 4.2; 4.4; Lemma 4.5.
std::vector<Figure> theory_figures(const ArmRuns& runs);

}  // namespace bnlab::santurkar
