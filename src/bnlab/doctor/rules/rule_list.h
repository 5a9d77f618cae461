// All rules, in the order of their ids. To add one: its file here, one line in rule_list.cpp, a test.
#pragma once

#include <span>

#include "bnlab/doctor/facts.h"
#include "bnlab/doctor/findings.h"

namespace bnlab::doctor {

struct Rule {
  const char* id;
  const char* title;
  Answer (*check)(const Facts&);  ///< leaves id and title to the caller; nullptr: no rule yet
  const char* missing;            ///< why not, if there is no rule
  const char* needs = "";         ///< what Facts::not_collected must not name, if nothing is found
};

std::span<const Rule> rule_list();

Answer evaluation_differs(const Facts& facts);       // N01
Answer statistics_never_set(const Facts& facts);     // N02
Answer average_lags(const Facts& facts);             // N03
Answer momentum_inverted(const Facts& facts);        // N04
Answer wrong_mode(const Facts& facts);               // N05
Answer half_frozen(const Facts& facts);              // N06
Answer stale_average(const Facts& facts);            // N07
Answer few_values(const Facts& facts);               // N08
Answer gradient_accumulation(const Facts& facts);    // N09
Answer ranks_disagree(const Facts& facts);           // N10
Answer mixed_sources(const Facts& facts);            // N11
Answer contrastive_leak(const Facts& facts);         // N12
Answer sorted_batches(const Facts& facts);           // N13
Answer padding_counted(const Facts& facts);          // N14
Answer statistics_not_finite(const Facts& facts);    // N15
Answer beyond_half_precision(const Facts& facts);    // N16
Answer eps_lost(const Facts& facts);                 // N17
Answer near_dead_channels(const Facts& facts);       // N18
Answer dropout_in_front(const Facts& facts);         // N19
Answer redundant_bias(const Facts& facts);           // N20
Answer norm_on_output(const Facts& facts);           // N21
Answer decayed_parameters(const Facts& facts);       // N22
Answer fold_damage(const Facts& facts);              // N24
Answer channels_last_precision(const Facts& facts);  // N25

}  // namespace bnlab::doctor
