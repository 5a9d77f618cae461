#include "bnlab/bench/operator_level.h"

#include <ATen/ATen.h>
#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/core/grad_mode.h>
#include <c10/core/CPUAllocator.h>
#include <fmt/format.h>

#include <cmath>
#include <cstdlib>
#include <memory>
#include <type_traits>

#include "bnlab/ops/caching_allocator.h"
#include "bnlab/ops/conveniences.h"
#include "bnlab/ops/library.h"

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

/// The arguments of all contenders, in one layout.
struct Inputs {
  at::Tensor x, dy, addend, gamma, beta, running_mean, running_var;
  Fusion fusion;

  [[nodiscard]] bool relu() const { return fusion != Fusion::kNone; }
  [[nodiscard]] bool add() const { return fusion == Fusion::kAddRelu; }
};

/// The results of a training step, held while they are compared.
struct Tensors {
  at::Tensor y, dx, dgamma, dbeta, daddend;
};

class Operators {
 public:
  explicit Operators(const Inputs& inputs)
      : in_(inputs), running_mean_(inputs.running_mean.clone()), running_var_(inputs.running_var.clone()) {}
  virtual ~Operators() = default;
  virtual at::Tensor forward_training() = 0;
  virtual at::Tensor forward_evaluation() = 0;
  /// After a forward_training() whose result was kept by keep().
  virtual Tensors backward() = 0;
  /// Runs forward_training() and keeps what the backward pass needs.
  virtual at::Tensor keep() = 0;

 protected:
  const Inputs& in_;
  at::Tensor running_mean_, running_var_;  // its own: training changes them
};

class OurOperators final : public Operators {
 public:
  using Operators::Operators;

  at::Tensor forward_training() override { return std::get<0>(train()); }
  at::Tensor keep() override {
    saved_ = train();
    return std::get<0>(saved_);
  }
  at::Tensor forward_evaluation() override {
    switch (in_.fusion) {
      case Fusion::kNone:
        return ops::batch_norm(in_.x, in_.gamma, in_.beta, in_.running_mean, in_.running_var, false, kMomentum, kEps);
      case Fusion::kRelu:
        return ops::batch_norm_relu(in_.x, in_.gamma, in_.beta, in_.running_mean, in_.running_var, false, kMomentum,
                                    kEps);
      case Fusion::kAddRelu:
        break;
    }
    return ops::batch_norm_add_relu(in_.x, in_.addend, in_.gamma, in_.beta, in_.running_mean, in_.running_var, false,
                                    kMomentum, kEps);
  }
  Tensors backward() override {
    const auto& [y, mean, rstd, var_biased, relu_mask] = saved_;
    auto [dx, dgamma, dbeta, daddend] = ops::dispatched::batch_norm_training_backward.call(
        in_.dy, in_.x, in_.gamma, mean, rstd, in_.relu() ? ops::OptionalTensor(relu_mask) : c10::nullopt, kEps,
        {true, true, true, in_.add()});
    return {y, dx, dgamma, dbeta, daddend};
  }

 private:
  ops::Quintuple train() {
    auto outputs = ops::dispatched::batch_norm_training.call(
        in_.x, in_.gamma, in_.beta, in_.add() ? ops::OptionalTensor(in_.addend) : c10::nullopt, in_.relu(), kEps,
        /*save_mask=*/in_.relu());
    ops::dispatched::update_running_statistics.call(std::get<1>(outputs), std::get<3>(outputs),
                                                    in_.x.numel() / in_.x.size(1), kMomentum, running_mean_,
                                                    running_var_, {}, {}, {}, {}, {}, {});
    return outputs;
  }

  ops::Quintuple saved_;
};

class PyTorchOperators final : public Operators {
 public:
  PyTorchOperators(const Inputs& inputs, bool in_place) : Operators(inputs), in_place_(in_place) {}

  at::Tensor forward_training() override { return std::get<0>(run(true)); }
  at::Tensor keep() override {
    saved_ = run(true);
    return std::get<0>(saved_);
  }
  at::Tensor forward_evaluation() override { return std::get<0>(run(false)); }
  Tensors backward() override {
    const auto& [y, mean, rstd] = saved_;
    const at::Tensor dz = in_.relu() ? at::threshold_backward(in_.dy, y, 0) : in_.dy;
    auto [dx, dgamma, dbeta] = at::native_batch_norm_backward(dz, in_.x, in_.gamma, running_mean_, running_var_, mean,
                                                              rstd, true, kEps, {true, true, true});
    return {y, dx, dgamma, dbeta, in_.add() ? dz : at::Tensor()};
  }

 private:
  ops::Triple run(bool training) {
    auto outputs = at::native_batch_norm(in_.x, in_.gamma, in_.beta, training ? running_mean_ : in_.running_mean,
                                         training ? running_var_ : in_.running_var, training, kMomentum, kEps);
    at::Tensor& y = std::get<0>(outputs);
    if (in_place_) {
      if (in_.add()) y.add_(in_.addend);
      if (in_.relu()) at::relu_(y);
    } else {
      if (in_.add()) y = at::add(y, in_.addend);
      if (in_.relu()) y = at::relu(y);
    }
    return outputs;
  }

  bool in_place_;
  ops::Triple saved_;
};

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

  [[nodiscard]] const Inputs& inputs() const { return inputs_; }

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
  Inputs inputs_;
};

/// Compares two tensors of the same strides.
template <class E>
void require_same(const std::string& what, const at::Tensor& got, const at::Tensor& expected, double scale = 1) {
  if (got.strides() != expected.strides()) throw std::runtime_error(what + ": the strides differ");
  require_agreement(what, static_cast<const E*>(got.data_ptr()), static_cast<const E*>(expected.data_ptr()),
                    expected.numel(), agreement_tolerance<E>(), scale);
}

template <class E>
void require_agreement_of(const std::string& who, Operators& subject, const std::string& other_name, Operators& other,
                          double count) {
  const auto what = [&](const char* tensor) {
    return fmt::format("{}: {} and {} disagree on {}", who, kOurs, other_name, tensor);
  };
  require_same<E>(what("evaluated y"), subject.forward_evaluation(), other.forward_evaluation());
  require_same<E>(what("y"), subject.keep(), other.keep());
  const Tensors ours = subject.backward(), theirs = other.backward();
  require_same<E>(what("dx"), ours.dx, theirs.dx);
  if (ours.daddend.defined()) require_same<E>(what("daddend"), ours.daddend, theirs.daddend);
  const double scale = std::sqrt(count);  // of a sum of terms of the order of 1
  const auto require_same_sums = [&](const char* name, const at::Tensor& a, const at::Tensor& b) {
    const at::Tensor x = a.to(at::kDouble), y = b.to(at::kDouble);
    bench::require_agreement(what(name), x.data_ptr<double>(), y.data_ptr<double>(), y.numel(),
                             agreement_tolerance<E>(), scale);
  };
  require_same_sums("dgamma", ours.dgamma, theirs.dgamma);
  require_same_sums("dbeta", ours.dbeta, theirs.dbeta);
}

/// Why PyTorch has no such batch normalization, in its words; "" if it has.
template <class E>
std::string refusal_of_pytorch(const std::string& layout, Fusion fusion) {
  const NamedShape tiny{"", "", 4, 2, layout == kMatrix ? 1 : 2, layout == kMatrix ? 1 : 2};
  const BatchData<E> batch = make_batch<E>(tiny);
  const OperatorBatch<E> tensors(batch, tiny, layout, fusion);
  PyTorchOperators subject(tensors.inputs(), false);
  try {
    (void)subject.forward_evaluation();
    (void)subject.keep();
    (void)subject.backward();
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
  const NamedShape& shape = results.shapes[shape_index];
  for (const char* layout :
       shape.is_matrix() ? std::vector<const char*>{kMatrix} : std::vector<const char*>{kNchw, kNhwc}) {
    const OperatorBatch<E> tensors(batch, shape, layout, fusion);
    std::vector<std::pair<std::string, std::unique_ptr<Operators>>> subjects;
    subjects.emplace_back(kOurs, std::make_unique<OurOperators>(tensors.inputs()));
    if (const std::string refusal = refusal_of_pytorch<E>(layout, fusion); !refusal.empty()) {
      leave_out({.contender = kPyTorch,
                 .level = Level::kOperator,
                 .reason = fmt::format("it has no batch normalization of {} on a CPU ({})", results.element, refusal)},
                results);
    } else {
      subjects.emplace_back(kPyTorch, std::make_unique<PyTorchOperators>(tensors.inputs(), false));
      if (fusion != Fusion::kNone) {
        subjects.emplace_back(kPyTorchInPlace, std::make_unique<PyTorchOperators>(tensors.inputs(), true));
      }
    }
    const std::string who = fmt::format("{} in {} ({})", shape.full_name(), layout, to_string(fusion));
    (void)subjects[0].second->keep();  // for its backward pass, if there is nobody to compare it with
    for (std::size_t i = 1; i < subjects.size(); ++i) {
      require_agreement_of<E>(who, *subjects[0].second, subjects[i].first, *subjects[i].second,
                              static_cast<double>(shape.count()));
    }
    for (const Step step : kSteps) {
      std::vector<Contender> contenders;
      for (const auto& [name, subject] : subjects) contenders.push_back({name, step_of(*subject, step)});
      const std::vector<Samples> samples = measure(contenders, options.measure);
      for (std::size_t i = 0; i < samples.size(); ++i) {
        results.measurements.push_back({.level = Level::kOperator,
                                        .allocator = allocator,
                                        .shape = shape_index,
                                        .layout = layout,
                                        .fusion = fusion,
                                        .step = step,
                                        .contender = contenders[i].name,
                                        .calls = samples[i].calls,
                                        .seconds = samples[i].seconds});
      }
    }
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
