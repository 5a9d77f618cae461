// The update of SGD split into the gradient's and an error: α∇_SGD = α∇ℓ + error.
//
// Source: Bjorck et al. 2018, section 2: the error has mean 0, and its expected squared norm is at most α²C/|B| with
// C = E‖∇ℓ_i − ∇ℓ‖². (It is equal to it if the batch B is drawn with replacement, and (N − |B|)/(N − 1) times that
// without.)
//
// The population are the first `images` training images, so that ∇ℓ and C are exact, and batches are drawn among them.
// With BN a sample's gradient depends on its batch; it is looked at twice:
//   "fixed"  with the population's mean and variance in BN, as constants: every sample has a gradient of its own, and a
//            batch's is their mean. Those are computed one by one, and `draws` batches made of them for each α: 1/10 of
//            the run's rate, the rate, ten times it.
//   "batch"  as in training, with each batch's mean and variance; ∇ℓ is then the gradient of all N as one batch.
//   Batches
//            pass through the network, `seen` images for each size. The bias is sought in what is left of their errors
//            when the multiple of their errors at fixed statistics that explains most, and has mean 0, is taken out.
// A network without BN has "fixed" only.
//
// Records under "sgd-noise", layer 0, F = "fixed_with", "fixed_without" (replacement) or "batch_with":
//   "C"; "fixed_gradient" and "batch_gradient" = ‖∇ℓ‖; "fixed_apart", the largest relative difference between a batch's
//   gradient, as the network has it, and the mean of its samples' (one batch each of F and b)
//   for each of the `batches` b: "F_squared_b", array, E‖error‖² at each α; "F_ratio_b" = E‖error‖² / (α²C/b), mean
//   over the α; with replacement also "fixed_bias2_b" and "batch_bias2_b" = ‖E error‖²/‖α∇ℓ‖², as error_moments() has
//   it, and "fixed_bias2_found_b" and "batch_bias2_found_b", how large it would have to be so as to be found "planted"
//   = ‖bias‖²/‖α∇ℓ‖² of a loader that never comes to the second half of the images, known exactly, and
//   "planted_bias2_b", what the test finds of it ("fixed")
// Parameters: {"images": 512, "batches": [8, 32, 128, 256], "draws": 500, "seen": 20480}.
#pragma once

#include "bnlab/probes/probe_list.h"

namespace bnlab {

ProbeKind sgd_noise_probe();

/// The key of drawn_batches() for a step's draws. `use`: 0 to 2 for each α, 3 the planted bias, 4 "batch".
uint64_t sgd_noise_key(int64_t seed, int64_t step, int64_t use);

}  // namespace bnlab
