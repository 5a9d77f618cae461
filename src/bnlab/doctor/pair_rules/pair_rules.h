// The rules for two files, in the order of their ids.
#pragma once

#include <functional>
#include <span>

#include "bnlab/doctor/findings.h"
#include "bnlab/doctor/pair.h"

namespace bnlab::doctor {

struct PairRule {
  const char* id;
  const char* title;
  Answer (*check)(const PairFacts&);  ///< leaves id and title to the caller
};

std::span<const PairRule> pair_rule_list();

Answer tensors_differ(const PairFacts& facts);        // P01
Answer names_differ(const PairFacts& facts);          // P02
Answer statistics_lost(const PairFacts& facts);       // P03
Answer statistics_unmoved(const PairFacts& facts);    // P04
Answer statistics_moved(const PairFacts& facts);      // P05
Answer statistics_rescaled(const PairFacts& facts);   // P06
Answer statistics_misplaced(const PairFacts& facts);  // P07
Answer eps_differs(const PairFacts& facts);           // N17

/// Whether both are there and equal, NaN to NaN.
bool are_same(const std::optional<Numbers>& a, const std::optional<Numbers>& b);

/// Whether the running statistics of both are there and equal.
bool same_statistics(const LayerPair& pair);

/// A finding at these layers, by their names in `after`. layers: not empty.
Finding finding_at(const std::vector<const LayerPair*>& layers);

/// The layers for which it holds.
std::vector<const LayerPair*> layers_where(const PairFacts& facts, const std::function<bool(const LayerPair&)>& holds);

/// Where tensors lie in each other's place or in another form, which explains that they differ.
bool is_misplaced(const LayerPair& pair);

/// The factor between all running variances, other than 1; none if there is no such.
std::optional<double> constant_factor(const std::optional<Numbers>& before, const std::optional<Numbers>& after,
                                      const std::string& dtype);

}  // namespace bnlab::doctor
