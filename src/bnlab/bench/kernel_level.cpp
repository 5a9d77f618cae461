#include "bnlab/bench/kernel_level.h"

#include <fmt/format.h>

#include <cmath>
#include <memory>
#include <optional>
#include <type_traits>

#include "bnlab/bench/onednn_peer.h"
#include "bnlab/bench/threads.h"
#include "bnlab/kernels/batch_norm.h"
#include "bnlab/record/hash.h"

namespace bnlab::bench {
namespace {

using kernels::Compute;
using kernels::Fusion;

/// oneDNN's name of E, if it has one for batch normalization.
template <class E>
constexpr std::optional<dnnl::memory::data_type> kOneDnnType = std::nullopt;
template <>
constexpr std::optional<dnnl::memory::data_type> kOneDnnType<float> = dnnl::memory::data_type::f32;
template <>
constexpr std::optional<dnnl::memory::data_type> kOneDnnType<kernels::BFloat16> = dnnl::memory::data_type::bf16;
template <>
constexpr std::optional<dnnl::memory::data_type> kOneDnnType<kernels::Float16> = dnnl::memory::data_type::f16;

void check(kernels::Status status) {
  if (status != kernels::Status::kOk) throw std::runtime_error(fmt::format("bnlab: {}", kernels::message(status)));
}

template <class T>
std::string_view bytes_of(const Buffer<T>& values, std::size_t most = SIZE_MAX) {
  return {reinterpret_cast<const char*>(values.data()), std::min(values.bytes(), most)};
}

/// What all contenders write their batches to, one after the other.
template <class E>
struct Outputs {
  explicit Outputs(std::size_t elements) : y(elements), dx(elements), daddend(elements) {}
  Buffer<E> y, dx, daddend;
};

/// Our kernels on a batch in one layout.
template <class E>
class Ours {
 public:
  Ours(const NamedShape& shape, const std::string& layout, Fusion fusion, const BatchData<E>& batch, Outputs<E>& out)
      : layout_(layout),
        shape_{shape.n, shape.c, shape.h * shape.w, kernels::Layout::kChannelsFirst},
        fusion_(fusion),
        batch_(batch),
        out_(out) {
    const auto c = static_cast<std::size_t>(shape.c);
    if (layout == kNhwc) {
      shape_.layout = kernels::Layout::kChannelsLast;
      own_x_ = reordered(batch.x);
      own_dy_ = reordered(batch.dy);
      own_addend_ = reordered(batch.addend);
    }
    if (fusion != Fusion::kNone) mask_ = Buffer<std::uint8_t>(kernels::relu_mask_bytes(shape_));
    for (Buffer<double>* values : {&mean_, &rstd_, &var_biased_, &running_rstd_}) *values = Buffer<double>(c);
    for (std::size_t i = 0; i < c; ++i) running_rstd_[i] = 1 / std::sqrt(batch.running_var[i] + kEps);
    dgamma_ = Buffer<Compute<E>>(c);
    dbeta_ = Buffer<Compute<E>>(c);
  }

  void forward_training() {
    check(kernels::forward_training<E>({.shape = shape_,
                                        .x = x(),
                                        .gamma = batch_.gamma.data(),
                                        .beta = batch_.beta.data(),
                                        .eps = kEps,
                                        .fusion = fusion_,
                                        .addend = addend(),
                                        .y = out_.y.data(),
                                        .relu_mask = mask_.data(),
                                        .mean = mean_.data(),
                                        .rstd = rstd_.data(),
                                        .var_biased = var_biased_.data()},
                                       runner_));
  }
  void forward_evaluation() {
    check(kernels::forward_evaluation<E>({.shape = shape_,
                                          .x = x(),
                                          .gamma = batch_.gamma.data(),
                                          .beta = batch_.beta.data(),
                                          .mean = batch_.running_mean.data(),
                                          .rstd = running_rstd_.data(),
                                          .fusion = fusion_,
                                          .addend = addend(),
                                          .y = out_.y.data()},
                                         runner_));
  }
  /// After a forward_training().
  void backward() {
    check(kernels::backward_training<E>({.shape = shape_,
                                         .x = x(),
                                         .dy = dy(),
                                         .gamma = batch_.gamma.data(),
                                         .mean = mean_.data(),
                                         .rstd = rstd_.data(),
                                         .relu_mask = mask_.data(),
                                         .dx = out_.dx.data(),
                                         .dgamma = dgamma_.data(),
                                         .dbeta = dbeta_.data(),
                                         .daddend = fusion_ == Fusion::kAddRelu ? out_.daddend.data() : nullptr},
                                        runner_));
  }

  /// Of what training computed, its outputs being in `out`: all of each channel's values, some of the elements.
  [[nodiscard]] std::string digest() const {
    constexpr std::size_t kSomeBytes = 1 << 16;
    std::string all;
    for (const Buffer<double>* values : {&mean_, &rstd_, &var_biased_}) all += bytes_of(*values);
    for (const Buffer<Compute<E>>* values : {&dgamma_, &dbeta_}) all += bytes_of(*values);
    for (const Buffer<E>* values : {&out_.y, &out_.dx}) all += bytes_of(*values, kSomeBytes);
    return sha256_hex(all).substr(0, 16);
  }

  [[nodiscard]] Buffer<E> reordered(const Buffer<E>& nchw) const {
    Buffer<E> to(nchw.size());
    to_channels_last(nchw.data(), to.data(), shape_.n, shape_.c, shape_.s);
    return to;
  }
  [[nodiscard]] const std::string& layout() const { return layout_; }
  [[nodiscard]] const kernels::Shape& shape() const { return shape_; }
  [[nodiscard]] const E* x() const { return layout_ == kNhwc ? own_x_.data() : batch_.x.data(); }
  [[nodiscard]] const E* dy() const { return layout_ == kNhwc ? own_dy_.data() : batch_.dy.data(); }
  [[nodiscard]] const Buffer<Compute<E>>& dgamma() const { return dgamma_; }
  [[nodiscard]] const Buffer<Compute<E>>& dbeta() const { return dbeta_; }
  [[nodiscard]] const E* addend() const { return layout_ == kNhwc ? own_addend_.data() : batch_.addend.data(); }

 private:
  std::string layout_;
  kernels::Shape shape_;
  Fusion fusion_;
  const BatchData<E>& batch_;
  Outputs<E>& out_;
  Buffer<E> own_x_, own_dy_, own_addend_;  // for NHWC
  Buffer<std::uint8_t> mask_;
  Buffer<double> mean_, rstd_, var_biased_, running_rstd_;
  Buffer<Compute<E>> dgamma_, dbeta_;
  OpenMpTaskRunner runner_;
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
      ours_.push_back(std::make_unique<Ours<E>>(shape_, layout, fusion, batch, out_));
    }
    if (fusion != Fusion::kAddRelu) make_peers();
  }

  void run() {
    require_agreement_of_all();
    for (const Step step : kSteps) measure_step(step);
  }

 private:
  void make_peers() {
    std::vector<const char*> layouts = {kNchw, kNhwc, kBlocked};
    if (shape_.is_matrix()) layouts = {kMatrix, kBlocked};
    for (const char* layout : layouts) {
      if (!add_peer(layout)) {
        leave_out({.contender = kOneDnn,
                   .level = Level::kKernel,
                   .reason = fmt::format("it has no batch normalization of {} on this processor", results_.element)},
                  results_);
      }
    }
  }

  /// False if oneDNN has no code for this on this processor, as for bfloat16 where AVX-512 is missing.
  bool add_peer(const char* layout) {
    if constexpr (kOneDnnType<E>) {
      return add_onednn(layout, *kOneDnnType<E>);
    } else {
      return false;
    }
  }

  bool add_onednn(const char* layout, dnnl::memory::data_type type) requires(kOneDnnType<E>.has_value()) {
    const OneDnnPeer::Inputs inputs{batch_.x.data(),    batch_.dy.data(),           batch_.gamma.data(),
                                    batch_.beta.data(), batch_.running_mean.data(), batch_.running_var.data()};
    try {
      peers_.emplace_back(layout,
                          std::make_unique<OneDnnPeer>(shape_, layout, type, fusion_ == Fusion::kRelu, kEps, inputs));
      return true;
    } catch (const dnnl::error& error) {
      if (error.status != dnnl_unimplemented) throw;
      return false;
    }
  }

  /// All others against ours in the first layout.
  void require_agreement_of_all() {
    Ours<E>& first = *ours_.front();
    Buffer<E> y(batch_.x.size()), dx(batch_.x.size()), evaluated(batch_.x.size());
    first.forward_evaluation();
    std::copy(out_.y.begin(), out_.y.end(), evaluated.begin());
    first.forward_training();
    first.backward();
    std::copy(out_.y.begin(), out_.y.end(), y.begin());
    std::copy(out_.dx.begin(), out_.dx.end(), dx.begin());
    note_digest(first);
    for (std::size_t i = 1; i < ours_.size(); ++i) {
      Ours<E>& other = *ours_[i];
      other.forward_evaluation();
      require_same(other.layout(), "evaluated y", out_.y.data(), other.reordered(evaluated));
      other.forward_training();
      other.backward();
      note_digest(other);
      require_same(other.layout(), "y", out_.y.data(), other.reordered(y));
      require_same(other.layout(), "dx", out_.dx.data(), other.reordered(dx));
      require_same_sums("bnlab in " + other.layout(), other.dgamma().data(), other.dbeta().data());
    }
    if constexpr (!std::is_same_v<E, double>) require_agreement_of_peers(evaluated, y, dx);
  }

  void require_agreement_of_peers(const Buffer<E>& evaluated, const Buffer<E>& y, const Buffer<E>& dx) {
    if constexpr (!std::is_same_v<E, double>) {
      Buffer<E> theirs(batch_.x.size());
      for (const auto& [layout, peer] : peers_) {
        peer->forward_evaluation();
        peer->get_y(theirs.data());
        require_same("oneDNN, " + layout, "evaluated y", theirs.data(), evaluated);
        peer->forward_training();
        peer->get_y(theirs.data());
        require_same("oneDNN, " + layout, "y", theirs.data(), y);
        peer->backward();
        peer->get_dx(theirs.data());
        require_same("oneDNN, " + layout, "dx", theirs.data(), dx);
        require_same_sums("oneDNN, " + layout, peer->dgamma(), peer->dbeta());
      }
    }
  }

  std::string disagreement(const std::string& who, const char* what) const {
    return fmt::format("{} ({}): {} and bnlab's first layout disagree on {}", shape_.full_name(), to_string(fusion_),
                       who, what);
  }
  void require_same(const std::string& who, const char* what, const E* got, const Buffer<E>& expected) const {
    bench::require_agreement(disagreement(who, what), got, expected.data(), shape_.elements(),
                             agreement_tolerance<E>());
  }
  void require_same_sums(const std::string& who, const Compute<E>* dgamma, const Compute<E>* dbeta) const {
    const double scale = std::sqrt(static_cast<double>(shape_.count()));  // of a sum of terms of the order of 1
    bench::require_agreement(disagreement(who, "dgamma"), dgamma, ours_.front()->dgamma().data(), shape_.c,
                             agreement_tolerance<E>(), scale);
    bench::require_agreement(disagreement(who, "dbeta"), dbeta, ours_.front()->dbeta().data(), shape_.c,
                             agreement_tolerance<E>(), scale);
  }
  void note_digest(const Ours<E>& ours) {
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

  void add_limits(const Ours<E>& ours, Step step) {
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
  std::vector<std::unique_ptr<Ours<E>>> ours_;
  std::vector<std::pair<std::string, std::unique_ptr<OneDnnPeer>>> peers_;
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
