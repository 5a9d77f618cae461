#include "bnlab/bench/operator_level.h"

#include <ATen/ATen.h>
#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/core/grad_mode.h>
#include <c10/core/CPUAllocator.h>
#include <fmt/format.h>

#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <type_traits>
#include <utility>

#include "bnlab/bench/operators.h"
#include "bnlab/bench/referee.h"
#include "bnlab/ops/caching_allocator.h"

namespace bnlab::bench {
namespace {

using kernels::Compute;
using kernels::Fusion;

template <class E>
constexpr at::ScalarType scalar_type() {
  if (std::is_same_v<E, double>) return at::kDouble;
  if (std::is_same_v<E, float>) return at::kFloat;
  return std::is_same_v<E, kernels::Float16> ? at::kHalf : at::kBFloat16;
}

template <class E>
at::Tensor wrap(const Buffer<E>& values, at::IntArrayRef sizes, at::IntArrayRef strides, at::ScalarType type) {
  return at::from_blob(values.data(), sizes, strides, at::TensorOptions().dtype(type));
}

/// The batch in one layout, as tensors over its memory.
template <class E>
class OperatorBatch {
 public:
  OperatorBatch(const BatchData<E>& batch, const NamedShape& shape, const std::string& layout, Fusion fusion)
      : batch_(batch), shape_(shape), layout_(layout) {
    const at::ScalarType parameters = scalar_type<Compute<E>>();
    inputs_.fusion = fusion;
    inputs_.x = elements(batch.x, own_x_);
    inputs_.dy = elements(batch.dy, own_dy_);
    if (fusion == Fusion::kAddRelu) inputs_.addend = elements(batch.addend, own_addend_);
    inputs_.gamma = wrap(batch.gamma, {shape.c}, {1}, parameters);
    inputs_.beta = wrap(batch.beta, {shape.c}, {1}, parameters);
    inputs_.running_mean = wrap(batch.running_mean, {shape.c}, {1}, at::kDouble).to(parameters);
    inputs_.running_var = wrap(batch.running_var, {shape.c}, {1}, at::kDouble).to(parameters);
  }

  [[nodiscard]] const OperatorInputs& inputs() const { return inputs_; }

 private:
  at::Tensor elements(const Buffer<E>& nchw, Buffer<E>& own) const {
    const auto [list, name, n, c, h, w] = shape_;
    const at::ScalarType type = scalar_type<E>();
    if (layout_ == kMatrix) return wrap(nchw, {n, c}, {c, 1}, type);
    if (layout_ == kNchw) return wrap(nchw, {n, c, h, w}, {c * h * w, h * w, w, 1}, type);
    own = Buffer<E>(nchw.size());
    to_channels_last(nchw.data(), own.data(), n, c, h * w);
    return wrap(own, {n, c, h, w}, {h * w * c, 1, w * c, c}, type);
  }

  const BatchData<E>& batch_;
  const NamedShape& shape_;
  std::string layout_;
  Buffer<E> own_x_, own_dy_, own_addend_;
  OperatorInputs inputs_;
};

/// As Referee's, of their results beside ours. theirs == nullptr: only ours is judged.
template <class E>
std::string fault_of(Operators* theirs, Operators& ours, const at::Tensor& x, Referee<E>& referee) {
  const auto elements = [&](Output output, const at::Tensor& our, const at::Tensor& their) -> std::string {
    if (our.strides() != x.strides())
      throw std::runtime_error(to_string(output) + " of bnlab has other strides than x");
    if (their.defined() && their.strides() != x.strides())
      return "its " + to_string(output) + " has other strides than x";
    return referee.fault(output, static_cast<const E*>(our.data_ptr()),
                         their.defined() ? static_cast<const E*>(their.data_ptr()) : nullptr);
  };
  const auto sums = [&](Output output, const at::Tensor& our, const at::Tensor& their) {
    const at::Tensor a = our.to(at::kDouble), b = their.defined() ? their.to(at::kDouble) : their;
    return referee.fault_of_sums(output, a.data_ptr<double>(), b.defined() ? b.data_ptr<double>() : nullptr);
  };
  std::string fault = elements(Output::kEvaluatedY, ours.forward_evaluation(),
                               theirs != nullptr ? theirs->forward_evaluation() : at::Tensor());
  if (!fault.empty()) return fault;
  fault = elements(Output::kY, ours.keep(), theirs != nullptr ? theirs->keep() : at::Tensor());
  if (!fault.empty()) return fault;
  const TrainingTensors our = ours.backward(), their = theirs != nullptr ? theirs->backward() : TrainingTensors();
  fault = elements(Output::kDx, our.dx, their.dx);
  if (!fault.empty()) return fault;
  if (our.daddend.defined()) fault = elements(Output::kDaddend, our.daddend, their.daddend);
  if (!fault.empty()) return fault;
  fault = sums(Output::kDgamma, our.dgamma, their.dgamma);
  if (!fault.empty()) return fault;
  return sums(Output::kDbeta, our.dbeta, their.dbeta);
}

/// Why PyTorch has no such batch normalization, in its words; "" if it has.
template <class E>
std::string refusal_of_pytorch(const std::string& layout, Fusion fusion) {
  const NamedShape tiny{"", "", 4, 2, layout == kMatrix ? 1 : 2, layout == kMatrix ? 1 : 2};
  const BatchData<E> batch = make_batch<E>(tiny);
  const OperatorBatch<E> tensors(batch, tiny, layout, fusion);
  const auto subject = make_pytorch_operators(tensors.inputs(), false);
  try {
    (void)subject->forward_evaluation();
    (void)subject->keep();
    (void)subject->backward();
    return "";
  } catch (const c10::Error& error) {
    const std::string words = error.what_without_backtrace(), line = words.substr(0, words.find('\n'));
    if (line.find("not implemented for") == std::string::npos) throw;
    return line;
  }
}

std::function<void()> step_of(Operators& subject, Step step) {
  switch (step) {
    case Step::kForwardTraining:
      return [&subject] { (void)subject.forward_training(); };
    case Step::kForwardEvaluation:
      return [&subject] { (void)subject.forward_evaluation(); };
    case Step::kBackward:
      break;
  }
  return [&subject] { (void)subject.backward(); };
}

template <class E>
class OperatorCase {
 public:
  OperatorCase(const BatchData<E>& batch, std::size_t shape_index, const char* layout, Fusion fusion,
               AllocatorKind allocator, const LevelOptions& options, Results& results)
      : batch_(batch),
        shape_index_(shape_index),
        layout_(layout),
        fusion_(fusion),
        allocator_(allocator),
        options_(options),
        results_(results),
        tensors_(batch, results.shapes[shape_index], layout, fusion) {
    subjects_.emplace_back(kOurs, make_our_operators(tensors_.inputs()));
  }

  void run() {
    make_peers();
    compare_all();
    for (const Step step : kSteps) measure_step(step);
  }

 private:
  void make_peers() {
    const std::string refusal = refusal_of_pytorch<E>(layout_, fusion_);
    if (!refusal.empty()) {
      leave_out({.contender = kPyTorch,
                 .level = Level::kOperator,
                 .reason = fmt::format("it has no batch normalization of {} on a CPU ({})", results_.element, refusal)},
                results_);
      return;
    }
    subjects_.emplace_back(kPyTorch, make_pytorch_operators(tensors_.inputs(), false));
    if (fusion_ == Fusion::kNone) return;
    subjects_.emplace_back(kPyTorchInPlace, make_pytorch_operators(tensors_.inputs(), true));
  }

  /// All peers against ours; those that are wrong are left out.
  void compare_all() {
    const NamedShape& shape = results_.shapes[shape_index_];
    Referee<E> referee(fmt::format("{} in {} ({})", shape.full_name(), layout_, to_string(fusion_)), batch_, shape,
                       layout_, fusion_);
    Operators& ours = *subjects_.front().second;
    const at::Tensor& x = tensors_.inputs().x;
    if (subjects_.size() == 1) (void)fault_of<E>(nullptr, ours, x, referee);
    std::erase_if(subjects_, [&](const auto& subject) {
      const auto& [name, theirs] = subject;
      const std::string fault = name == kOurs ? "" : fault_of<E>(theirs.get(), ours, x, referee);
      if (fault.empty()) return false;
      leave_out({.contender = name,
                 .why = WhyLeftOut::kWrongResult,
                 .level = Level::kOperator,
                 .reason = fault,
                 .allocator = allocator_,
                 .shape = shape_index_,
                 .layout = layout_,
                 .fusion = fusion_},
                results_);
      return true;
    });
  }

  void measure_step(Step step) {
    std::vector<Contender> contenders;
    for (const auto& [name, subject] : subjects_) contenders.push_back({name, step_of(*subject, step)});
    const std::vector<Samples> samples = measure(contenders, options_.measure);
    for (std::size_t i = 0; i < samples.size(); ++i) {
      results_.measurements.push_back({.level = Level::kOperator,
                                       .allocator = allocator_,
                                       .shape = shape_index_,
                                       .layout = layout_,
                                       .fusion = fusion_,
                                       .step = step,
                                       .contender = contenders[i].name,
                                       .calls = samples[i].calls,
                                       .seconds = samples[i].seconds});
    }
  }

  const BatchData<E>& batch_;
  std::size_t shape_index_;
  std::string layout_;
  Fusion fusion_;
  AllocatorKind allocator_;
  const LevelOptions& options_;
  Results& results_;
  OperatorBatch<E> tensors_;
  std::vector<std::pair<std::string, std::unique_ptr<Operators>>> subjects_;  // ours is the first
};

}  // namespace

// glibc raises the size from which it takes blocks from the system, and from which it returns memory, when such a block
// is freed, up to 32 MiB. A program that trains has freed blocks of all sizes; here one is freed first, so that what a
// batch costs under the default allocator does not depend on which batch came before.
Allocators::Allocators() : default_(c10::GetCPUAllocator()) {
  constexpr std::size_t kLargestThreshold = (std::size_t{32} << 20) - 4096;
  void* volatile block = std::malloc(kLargestThreshold);
  std::free(block);
  ops::install_allocator();
  caching_ = c10::GetCPUAllocator();
}

void Allocators::use(AllocatorKind kind) const {
  constexpr std::uint8_t kHighestPriority = 255;
  c10::SetCPUAllocator(kind == AllocatorKind::kCaching ? caching_ : default_, kHighestPriority);
}

template <class E>
void measure_operators(const BatchData<E>& batch, std::size_t shape_index, Fusion fusion, AllocatorKind allocator,
                       const LevelOptions& options, Results& results) {
  const at::AutoDispatchBelowADInplaceOrView below_autograd;
  const at::NoGradGuard no_grad;
  const bool matrix = results.shapes[shape_index].is_matrix();
  for (const char* layout : matrix ? std::vector<const char*>{kMatrix} : std::vector<const char*>{kNchw, kNhwc}) {
    OperatorCase<E>(batch, shape_index, layout, fusion, allocator, options, results).run();
  }
}

template void measure_operators(const BatchData<float>&, std::size_t, Fusion, AllocatorKind, const LevelOptions&,
                                Results&);
template void measure_operators(const BatchData<double>&, std::size_t, Fusion, AllocatorKind, const LevelOptions&,
                                Results&);
template void measure_operators(const BatchData<kernels::BFloat16>&, std::size_t, Fusion, AllocatorKind,
                                const LevelOptions&, Results&);
template void measure_operators(const BatchData<kernels::Float16>&, std::size_t, Fusion, AllocatorKind,
                                const LevelOptions&, Results&);

}  // namespace bnlab::bench
