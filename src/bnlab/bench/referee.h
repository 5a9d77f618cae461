// Compares a peer's results on a batch with ours. Where they differ, a third computation says who is wrong: a wrong
// peer is left out, a wrong result of ours is an error.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "bnlab/bench/reference.h"

namespace bnlab::bench {

/// How far values may lie apart: |got - expected| <= relative * max(|expected|, scale). NaN is never near.
struct Nearness {
  double relative;
  double scale = 1;

  [[nodiscard]] bool near(double got, double expected) const;
};

/// Which of n values are wrong. `first…`: indices, n if none is wrong.
struct Verdict {
  std::int64_t wrong_of_ours = 0, wrong_of_theirs = 0;
  std::int64_t first_of_ours = 0, first_of_theirs = 0;
};

/// Where ours and theirs are near each other, neither is wrong; elsewhere those are that are not near what is expected.
/// theirs == nullptr: there is nobody else, and all of ours is judged. expected(i) is called by several threads.
template <class T>
[[nodiscard]] Verdict judge(const T* ours, const T* theirs, std::int64_t n, const Nearness& nearness,
                            const std::function<double(std::int64_t)>& expected);

/// For one batch in one layout. "Theirs" may be nullptr in all that follows: then only ours is judged.
template <class E>
class Referee {
 public:
  /// who: begins the messages of errors. layout: kNchw, kNhwc or kMatrix, the order of elements below.
  Referee(std::string who, const BatchData<E>& batch, const NamedShape& shape, const std::string& layout,
          kernels::Fusion fusion);

  /// What is wrong with theirs, as a clause ("its dx is wrong in 3 of 855 values, …"); "" if nothing is. Throws
  /// std::runtime_error if ours is wrong.
  [[nodiscard]] std::string fault(Output output, const E* ours, const E* theirs);
  /// The same for a sum over each channel, (C): kDgamma or kDbeta.
  [[nodiscard]] std::string fault_of_sums(Output output, const double* ours, const double* theirs);

 private:
  template <class T>
  std::string fault_in(Output output, const T* ours, const T* theirs, std::int64_t n, const Nearness& nearness,
                       const std::function<double(std::int64_t)>& expected);
  [[nodiscard]] std::int64_t nchw_index(std::int64_t i) const;

  std::string who_;
  const BatchData<E>& batch_;
  NamedShape shape_;
  bool channels_last_;
  kernels::Fusion fusion_;
  std::optional<Reference<E>> reference_;  // made when it is needed
};

}  // namespace bnlab::bench
