// The sum of gradients over ranks, begun while the backward pass still goes on.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "bnlab/nn/ranks.h"

namespace bnlab {

/// Gradients are copied into buckets as they come, parameters in reverse order, as a backward pass reaches them; a
/// bucket's sum begins when it is full. Each rank's loss is scaled so that the sum over ranks is the gradient of the
/// whole batch. What the backward passes of the ranks do must be the same, in the same order, where it calls Ranks or
/// comes to parameters: that order is the order in which they speak.
class GradientBuckets {
 public:
  static constexpr std::int64_t kBucketBytes = std::int64_t{8} << 20;

  /// parameters: leaves; those that do not require gradients are left out. A bucket is closed when it holds at least
  /// `bucket_bytes`, or the next parameter's type is another.
  /// Collective. Throws RanksError if the parameters' sizes, strides or types differ between ranks.
  GradientBuckets(Ranks& ranks, std::vector<at::Tensor> parameters, std::int64_t bucket_bytes = kBucketBytes);
  ~GradientBuckets();
  GradientBuckets(const GradientBuckets&) = delete;
  GradientBuckets& operator=(const GradientBuckets&) = delete;

  /// While it lives, and until finish(), gradients are collected. Other backward passes are left alone.
  class [[nodiscard]] Armed {
   public:
    explicit Armed(GradientBuckets& buckets) : buckets_(buckets) {}
    ~Armed() { buckets_.disarm(); }
    Armed(const Armed&) = delete;
    Armed& operator=(const Armed&) = delete;

   private:
    GradientBuckets& buckets_;
  };

  /// Before the backward pass; clears the parameters' gradients. If that pass throws, sums that have begun are dropped:
  /// the group can only be used on if all ranks have thrown at the same place.
  Armed arm();

  /// After the backward pass: waits for the sums and puts them into the parameters' grad(), whose strides it keeps. A
  /// parameter without a gradient counts as zero where another rank has one; where none has, its grad() stays
  /// undefined.
  void finish();

  std::int64_t buckets() const;

 private:
  class Pass;
  void disarm();

  std::vector<at::Tensor> parameters_;
  std::vector<unsigned> hooks_;
  std::shared_ptr<Pass> pass_;  // also held by the hooks
};

}  // namespace bnlab
