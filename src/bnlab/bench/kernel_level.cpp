#include "bnlab/bench/kernel_level.h"

#include <fmt/format.h>

#include <cmath>
#include <memory>
#include <type_traits>
#include <utility>

#include "bnlab/bench/our_kernels.h"
#include "bnlab/bench/referee.h"

namespace bnlab::bench {
namespace {

using kernels::Compute;
using kernels::Fusion;

/// What ours in the first layout computed, in plain NCHW; sums: (C).
template <class E>
struct KernelResults {
  explicit KernelResults(std::size_t elements) : evaluated(elements), y(elements), dx(elements) {}
  Buffer<E> evaluated, y, dx;
  std::vector<double> dgamma, dbeta;
};

template <class E>
class KernelCase {
 public:
  KernelCase(const BatchData<E>& batch, std::size_t shape_index, Fusion fusion, const LevelOptions& options,
             Results& results)
      : batch_(batch),
        shape_index_(shape_index),
        shape_(results.shapes[shape_index]),
        fusion_(fusion),
        options_(options),
        results_(results),
        out_(batch.x.size()) {
    for (const char* layout :
         shape_.is_matrix() ? std::vector<const char*>{kMatrix} : std::vector<const char*>{kNchw, kNhwc}) {
      ours_.push_back(std::make_unique<OurKernels<E>>(shape_, layout, fusion, batch, out_));
    }
    if (fusion != Fusion::kAddRelu) make_peers();
  }

  void run() {
    compare_all();
    for (const Step step : kSteps) measure_step(step);
  }

 private:
  void make_peers() {
    std::vector<const char*> layouts = {kNchw, kNhwc, kBlocked};
    if (shape_.is_matrix()) layouts = {kMatrix, kBlocked};
    for (const char* layout : layouts) {
      std::unique_ptr<KernelPeer> peer = make_peer(layout);
      if (peer != nullptr) {
        peers_.emplace_back(layout, std::move(peer));
      } else {
        leave_out({.contender = kOneDnn,
                   .level = Level::kKernel,
                   .reason = fmt::format("it has no batch normalization of {} on this processor", results_.element)},
                  results_);
      }
    }
  }

  std::unique_ptr<KernelPeer> make_peer(const char* layout) {
    if constexpr (std::is_same_v<Compute<E>, float>) {
      return options_.make_peer(shape_, layout, results_.element, fusion_ == Fusion::kRelu,
                                {batch_.x.data(), batch_.dy.data(), batch_.gamma.data(), batch_.beta.data(),
                                 batch_.running_mean.data(), batch_.running_var.data()});
    } else {
      return nullptr;
    }
  }

  /// All others against ours in the first layout. Our own layouts have to agree; peers that are wrong are left out.
  void compare_all() {
    OurKernels<E>& first = *ours_.front();
    KernelResults<E> expected(batch_.x.size());
    first.forward_evaluation();
    std::copy(out_.y.begin(), out_.y.end(), expected.evaluated.begin());
    first.forward_training();
    first.backward();
    std::copy(out_.y.begin(), out_.y.end(), expected.y.begin());
    std::copy(out_.dx.begin(), out_.dx.end(), expected.dx.begin());
    expected.dgamma.assign(first.dgamma().begin(), first.dgamma().end());
    expected.dbeta.assign(first.dbeta().begin(), first.dbeta().end());
    note_digest(first);
    for (std::size_t i = 1; i < ours_.size(); ++i) compare_ours(*ours_[i], expected);
    leave_out_wrong_peers(expected);
  }

  void compare_ours(OurKernels<E>& other, const KernelResults<E>& expected) {
    other.forward_evaluation();
    require_same(other, Output::kEvaluatedY, out_.y.data(), other.reordered(expected.evaluated));
    other.forward_training();
    other.backward();
    note_digest(other);
    require_same(other, Output::kY, out_.y.data(), other.reordered(expected.y));
    require_same(other, Output::kDx, out_.dx.data(), other.reordered(expected.dx));
    require_same_sums(other, Output::kDgamma, other.dgamma(), expected.dgamma);
    require_same_sums(other, Output::kDbeta, other.dbeta(), expected.dbeta);
  }

  void leave_out_wrong_peers(const KernelResults<E>& ours) {
    Referee<E> referee(fmt::format("{} ({})", shape_.full_name(), to_string(fusion_)), batch_, shape_, kNchw, fusion_);
    std::erase_if(peers_, [&](const auto& entry) {
      const std::string fault = fault_of(*entry.second, ours, referee);
      if (fault.empty()) return false;
      leave_out({.contender = kOneDnn,
                 .why = WhyLeftOut::kWrongResult,
                 .level = Level::kKernel,
                 .reason = fault,
                 .shape = shape_index_,
                 .layout = entry.first,
                 .fusion = fusion_},
                results_);
      return true;
    });
  }

  /// As Referee's.
  std::string fault_of(KernelPeer& peer, const KernelResults<E>& ours, Referee<E>& referee) {
    Buffer<E> theirs(batch_.x.size());
    peer.forward_evaluation();
    peer.get_y(theirs.data());
    std::string fault = referee.fault(Output::kEvaluatedY, ours.evaluated.data(), theirs.data());
    if (!fault.empty()) return fault;
    peer.forward_training();
    peer.get_y(theirs.data());
    fault = referee.fault(Output::kY, ours.y.data(), theirs.data());
    if (!fault.empty()) return fault;
    peer.backward();
    peer.get_dx(theirs.data());
    fault = referee.fault(Output::kDx, ours.dx.data(), theirs.data());
    if (!fault.empty()) return fault;
    const auto sums_of = [&](const float* sums) { return std::vector<double>(sums, sums + shape_.c); };
    fault = referee.fault_of_sums(Output::kDgamma, ours.dgamma.data(), sums_of(peer.dgamma()).data());
    if (!fault.empty()) return fault;
    return referee.fault_of_sums(Output::kDbeta, ours.dbeta.data(), sums_of(peer.dbeta()).data());
  }

  std::string disagreement(const OurKernels<E>& other, Output output) const {
    return fmt::format("{} ({}): bnlab in {} and in {} disagree on {}", shape_.full_name(), to_string(fusion_),
                       other.layout(), ours_.front()->layout(), to_string(output));
  }
  void require_same(const OurKernels<E>& other, Output output, const E* got, const Buffer<E>& expected) const {
    require_agreement(disagreement(other, output), got, expected.data(), shape_.elements(), agreement_tolerance<E>());
  }
  void require_same_sums(const OurKernels<E>& other, Output output, const Buffer<Compute<E>>& got,
                         const std::vector<double>& expected) const {
    const std::vector<double> sums(got.begin(), got.end());
    const double scale = std::sqrt(static_cast<double>(shape_.count()));  // of a sum of terms of the order of 1
    require_agreement(disagreement(other, output), sums.data(), expected.data(), shape_.c, agreement_tolerance<E>(),
                      scale);
  }
  void note_digest(const OurKernels<E>& ours) {
    results_.our_results.push_back({shape_index_, ours.layout(), fusion_, ours.digest()});
  }

  template <class Subject>
  static std::function<void()> step_of(Subject& subject, Step step) {
    switch (step) {
      case Step::kForwardTraining:
        return [&subject] { subject.forward_training(); };
      case Step::kForwardEvaluation:
        return [&subject] { subject.forward_evaluation(); };
      case Step::kBackward:
        break;
    }
    return [&subject] { subject.backward(); };
  }

  void add(const Step step, const std::string& layout, const std::string& contender, std::function<void()> run,
           const std::string& implementation = "") {
    contenders_.push_back({contender, std::move(run)});
    measurements_.push_back({.level = Level::kKernel,
                             .shape = shape_index_,
                             .layout = layout,
                             .fusion = fusion_,
                             .step = step,
                             .contender = contender,
                             .implementation = implementation});
  }

  void add_limits(const OurKernels<E>& ours, Step step) {
    const Traffic traffic = least_traffic(step, fusion_, ours.shape(), sizeof(E), options_.threads, options_.caches);
    const std::vector<const void*> sources = {ours.x(), step == Step::kBackward ? ours.dy() : ours.addend()};
    const std::vector<void*> destinations = {step == Step::kBackward ? out_.dx.data() : out_.y.data(),
                                             out_.daddend.data()};
    const std::size_t bytes = out_.y.bytes();
    const bool above = above_last_level_cache(static_cast<std::int64_t>(bytes), options_.caches);
    const kernels::Cut parts = kernels::cut(ours.shape(), sizeof(E));
    Traffic twice = traffic;
    twice.first_reads = step == Step::kBackward ? 2 : 1;
    for (const bool around : {false, true}) {
      if (around && !(has_streaming_stores() && above)) continue;
      add(step, ours.layout(), around ? kStreaming : kMemcpy,
          [=] { move_memory(traffic, sources, destinations, bytes, around); });
      if (!above || !parts.slabs || step == Step::kForwardEvaluation) continue;
      add(step, ours.layout(), around ? kStreamingSlabs : kSlabs,
          [=] { move_slabs(parts, sizeof(E), twice, sources, destinations, around); });
    }
  }

  void measure_step(Step step) {
    contenders_.clear();
    measurements_.clear();
    for (const auto& ours : ours_) add(step, ours->layout(), kOurs, step_of(*ours, step));
    for (const auto& [layout, peer] : peers_) {
      add(step, layout, kOneDnn, step_of(*peer, step), peer->implementation());
    }
    for (const auto& ours : ours_) add_limits(*ours, step);
    const std::vector<Samples> samples = measure(contenders_, options_.measure);
    for (std::size_t i = 0; i < samples.size(); ++i) {
      measurements_[i].calls = samples[i].calls;
      measurements_[i].seconds = samples[i].seconds;
      results_.measurements.push_back(std::move(measurements_[i]));
    }
  }

  const BatchData<E>& batch_;
  std::size_t shape_index_;
  const NamedShape& shape_;
  Fusion fusion_;
  const LevelOptions& options_;
  Results& results_;
  Outputs<E> out_;
  std::vector<std::unique_ptr<OurKernels<E>>> ours_;
  std::vector<std::pair<std::string, std::unique_ptr<KernelPeer>>> peers_;
  std::vector<Contender> contenders_;
  std::vector<Measurement> measurements_;
};

}  // namespace

template <class E>
void measure_kernels(const BatchData<E>& batch, std::size_t shape_index, Fusion fusion, const LevelOptions& options,
                     Results& results) {
  KernelCase<E>(batch, shape_index, fusion, options, results).run();
}

template void measure_kernels(const BatchData<float>&, std::size_t, Fusion, const LevelOptions&, Results&);
template void measure_kernels(const BatchData<double>&, std::size_t, Fusion, const LevelOptions&, Results&);
template void measure_kernels(const BatchData<kernels::BFloat16>&, std::size_t, Fusion, const LevelOptions&, Results&);
template void measure_kernels(const BatchData<kernels::Float16>&, std::size_t, Fusion, const LevelOptions&, Results&);

}  // namespace bnlab::bench
