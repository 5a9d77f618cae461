#include "bnlab/ranks/gradient_buckets.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <stdexcept>
#include <string>
#include <utility>

#include "bnlab/ranks/gloo_ranks.h"

namespace bnlab {
namespace {

/// What must be the same on all ranks for their buckets to mean the same.
std::string describe(const std::vector<at::Tensor>& parameters) {
  std::string text;
  for (const auto& parameter : parameters) {
    text += fmt::format("{}[{}]/[{}] ", at::toString(parameter.scalar_type()), fmt::join(parameter.sizes(), ","),
                        fmt::join(parameter.strides(), ","));
  }
  return text;
}

std::vector<at::Tensor> in_reverse(std::vector<at::Tensor> parameters) {
  parameters.erase(
      std::remove_if(parameters.begin(), parameters.end(), [](const auto& p) { return !p.requires_grad(); }),
      parameters.end());
  for (const auto& parameter : parameters) {
    if (!parameter.is_leaf() || !parameter.is_non_overlapping_and_dense()) {
      throw std::invalid_argument(
          "gradients can be summed over ranks for dense parameters alone, not for what is computed");
    }
  }
  std::reverse(parameters.begin(), parameters.end());
  return parameters;
}

}  // namespace

/// One backward pass after another: what has come, and what is under way.
class GradientBuckets::Pass {
 public:
  Pass(Ranks& ranks, const std::vector<at::Tensor>& parameters, std::int64_t bucket_bytes)
      : ranks_(ranks), parameters_(parameters), places_(parameters.size()) {
    std::int64_t bytes = 0;
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      const bool same = i > 0 && parameters[i].scalar_type() == parameters[i - 1].scalar_type();
      if (!same || bytes >= bucket_bytes) {
        buckets_.emplace_back();
        bytes = 0;
      }
      Bucket& bucket = buckets_.back();
      places_[i] = {buckets_.size() - 1, bucket.elements, false};
      bucket.members.push_back(i);
      bucket.elements += parameters[i].numel();
      bytes += static_cast<std::int64_t>(parameters[i].nbytes());
    }
  }

  std::int64_t buckets() const { return static_cast<std::int64_t>(buckets_.size()); }

  void arm() {
    disarm();
    for (auto& bucket : buckets_) {
      bucket.missing = bucket.members.size();
      const auto count = bucket.elements + static_cast<std::int64_t>(bucket.members.size());
      if (!bucket.values.defined()) bucket.values = at::empty({count}, parameters_[bucket.members.front()].options());
    }
    for (auto& place : places_) place.came = false;
    for (auto& parameter : parameters_) parameter.mutable_grad().reset();
    begun_ = 0;
    armed_ = true;
  }

  /// Sums that have begun and not been waited for keep their memory, the next pass takes other.
  void disarm() {
    armed_ = false;
    for (auto& bucket : buckets_) {
      if (bucket.end) bucket.values.reset();
      bucket.end = nullptr;
    }
  }

  void take(std::size_t parameter, const at::Tensor& gradient) {
    if (!armed_ || !gradient.defined()) return;
    Place& place = places_[parameter];
    if (place.came) throw std::logic_error("a parameter's gradient has come twice in a backward pass");
    const c10::NoGradGuard no_grad;
    part_of(parameter).copy_(gradient);
    place.came = true;
    --buckets_[place.bucket].missing;
    begin_full_ones();
  }

  void finish() {
    if (!armed_) throw std::logic_error("finish() without arm()");
    const c10::NoGradGuard no_grad;
    for (std::size_t i = 0; i < places_.size(); ++i) {
      if (!places_[i].came) part_of(i).zero_();
    }
    for (auto& bucket : buckets_) bucket.missing = 0;
    begin_full_ones();
    for (auto& bucket : buckets_) {
      bucket.end();
      bucket.end = nullptr;
      put(bucket);
    }
    armed_ = false;
  }

 private:
  struct Bucket {
    std::vector<std::size_t> members;  // parameters, in the order of their places
    std::int64_t elements = 0;
    at::Tensor values;  // (elements + members): then, for each member, 1 if this rank has a gradient
    std::size_t missing = 0;
    std::function<void()> end;
  };
  struct Place {
    std::size_t bucket;
    std::int64_t offset;
    bool came;
  };

  /// The parameter's part of its bucket, in its form and strides.
  at::Tensor part_of(std::size_t parameter) const {
    const auto& form = parameters_[parameter];
    const auto& values = buckets_[places_[parameter].bucket].values;
    return values.as_strided(form.sizes(), form.strides(), places_[parameter].offset);
  }

  /// Always in the order of the buckets, whatever order they fill in.
  void begin_full_ones() {
    for (; begun_ < buckets_.size() && buckets_[begun_].missing == 0; ++begun_) {
      Bucket& bucket = buckets_[begun_];
      std::vector<double> came;
      for (const auto member : bucket.members) came.push_back(places_[member].came ? 1 : 0);
      bucket.values.slice(0, bucket.elements).copy_(at::tensor(came, at::kDouble));
      bucket.end = ranks_.begin_sum(bucket.values);
    }
  }

  void put(const Bucket& bucket) {
    const auto came = bucket.values.slice(0, bucket.elements).to(at::kDouble);
    for (std::size_t i = 0; i < bucket.members.size(); ++i) {
      if (!(came[static_cast<std::int64_t>(i)].item<double>() > 0)) continue;
      const auto sum = part_of(bucket.members[i]);
      auto& gradient = parameters_[bucket.members[i]].mutable_grad();
      if (!gradient.defined()) gradient = at::empty_like(sum);
      gradient.copy_(sum);
    }
  }

  Ranks& ranks_;
  std::vector<at::Tensor> parameters_;
  std::vector<Place> places_;
  std::vector<Bucket> buckets_;
  std::size_t begun_ = 0;
  bool armed_ = false;
};

GradientBuckets::GradientBuckets(Ranks& ranks, std::vector<at::Tensor> parameters, std::int64_t bucket_bytes)
    : parameters_(in_reverse(std::move(parameters))), pass_(std::make_shared<Pass>(ranks, parameters_, bucket_bytes)) {
  require_same(ranks, "the list of the network's parameters", describe(parameters_));
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    hooks_.push_back(
        parameters_[i].register_hook([pass = pass_, i](const at::Tensor& gradient) { pass->take(i, gradient); }));
  }
}

GradientBuckets::~GradientBuckets() {
  disarm();
  for (std::size_t i = 0; i < hooks_.size(); ++i) parameters_[i].remove_hook(hooks_[i]);
}

GradientBuckets::Armed GradientBuckets::arm() {
  pass_->arm();
  return Armed(*this);
}

void GradientBuckets::finish() {
  pass_->finish();
}

void GradientBuckets::disarm() {
  pass_->disarm();
}

std::int64_t GradientBuckets::buckets() const {
  return pass_->buckets();
}

}  // namespace bnlab
