// Ranks over libtorch's c10d with Gloo, by TCP.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "bnlab/nn/ranks.h"
#include "bnlab/ranks/rank_place.h"
#include "bnlab/ranks/ranks_error.h"

namespace bnlab {

/// Joins the group of which `place` is a member, and waits for all its ranks, at most `timeout` each for meeting them
/// and for being connected. Each later wait for another rank also takes at most `timeout`, from begin_sum() on: it must
/// be longer than what one rank does alone between two calls. Listens at the address by which place.address is reached
/// from this host. SIGPIPE is ignored from then on: writing to a rank that has ended would end this one without a word.
///
/// gather() and take_from_first() take every type; begin_sum() float, double, and integers of 8, 32 and 64 bits, else
/// std::invalid_argument. Strides may differ between ranks. After an error every call fails; the connections are
/// closed, so that the other ranks notice at once. The destructor waits for nobody; sums that are under way then fail.
/// in_vain, where given, is asked ten times a second whether to go on waiting for the others to join.
/// Throws RanksError.
std::shared_ptr<Ranks> join_ranks(const RankPlace& place, std::chrono::milliseconds timeout,
                                  const std::function<bool()>& in_vain = {});

/// Collective: compares `value` on all ranks. If they are not the same, throws RanksError on every rank, which names
/// `what` and the first rank that differs from rank 0.
void require_same(Ranks& ranks, const std::string& what, const std::string& value);

}  // namespace bnlab
