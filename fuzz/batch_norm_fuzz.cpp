// Differential fuzzing of the kernels: every instruction set against the oracle, over types, layouts, odd shapes,
// alignments, fusions and extreme values; serial against scrambled tasks, and in place against apart, to the last bit.
#include "fuzz/fuzz_checks.h"
#include "fuzz/fuzz_input.h"
#include "tests/kernels/thread_runner.h"

namespace bnlab::kernels::fuzz {
namespace {

struct Options {
  double eps = 0;
  bool affine = true;
};

template <class E>
class FuzzCase {
 public:
  FuzzCase(BatchCase<E>& t, const Options& options, TaskRunner& runner) : t_(t), options_(options), runner_(runner) {}

  /// Runs and judges training, then evaluation with other statistics.
  void judge() {
    const Checks<E> checks(t_, options_.eps);
    if (!train()) return;
    checks.expect(t_.guarded(), "written beyond an end in training");
    checks.statistics();
    const auto open = open_places();
    checks.forward(open);
    checks.backward(open, true);
    checks.second_derivative(open, true);
    evaluate();
    checks.expect(t_.guarded(), "written beyond an end in evaluation");
    const auto open_in_evaluation = open_places();
    checks.forward(open_in_evaluation);
    checks.backward(open_in_evaluation, false);
    checks.second_derivative(open_in_evaluation, false);
  }

  /// False where the batch's deviations are out of range.
  bool train() {
    auto forward = with_affine(t_.forward());
    forward.eps = options_.eps;
    const Status status = forward_training(forward, runner_);
    Checks<E>(t_, options_.eps).range(status);
    if (status == Status::kOutOfRange) return false;
    expect_ok(status);
    expect_ok(backward_training(with_affine(t_.backward()), runner_));
    expect_ok(second_derivative_training(with_affine(t_.second()), runner_));
    return true;
  }

  void evaluate() {
    t_.set_running_statistics();
    expect_ok(forward_evaluation(with_affine(t_.evaluation()), runner_));
    expect_ok(backward_evaluation(with_affine(t_.backward()), runner_));
    expect_ok(second_derivative_evaluation(with_affine(t_.second()), runner_));
  }

  /// Training with y in the place of x after dx in the place of dy.
  void train_in_place(const BatchCase<E>& apart) {
    if (!train()) return;
    auto backward = with_affine(t_.backward());
    backward.dx = t_.dy.data();
    expect_ok(backward_training(backward, runner_));
    auto forward = with_affine(t_.forward());
    forward.eps = options_.eps;
    forward.y = t_.x.data();
    expect_ok(forward_training(forward, runner_));
    Checks<E>(t_, options_.eps).expect(same_bits(t_.dy, apart.dx) && same_bits(t_.x, apart.y), "in place differs");
  }

 private:
  template <class Args>
  Args with_affine(Args args) const {
    if (!options_.affine) {
      args.gamma = nullptr;
      if constexpr (requires { args.beta; }) args.beta = nullptr;
    }
    return args;
  }

  // Where the last forward pass let gradients through, seen in the gradient of the sum.
  std::vector<bool> open_places() {
    std::vector<bool> open(t_.y.size(), true);
    if (t_.fusion == Fusion::kNone) return open;
    Values<E> ones(t_.shape.elements()), dz(t_.shape.elements());
    std::fill_n(ones.data(), ones.size(), E(1));
    Backward<E> args = t_.backward();
    args.dy = ones.data();
    args.dx = nullptr;
    args.dgamma = args.dbeta = nullptr;
    args.daddend = dz.data();
    expect_ok(backward_evaluation(args, runner_));
    for (std::size_t i = 0; i < open.size(); ++i) open[i] = static_cast<double>(dz[i]) == 1;
    return open;
  }

  void expect_ok(Status status) const { Checks<E>(t_, options_.eps).expect(status == Status::kOk, message(status)); }

  BatchCase<E>& t_;
  Options options_;
  TaskRunner& runner_;
};

template <class E>
void run(Bytes& bytes) {
  using T = Compute<E>;
  const Shape shape = shape_of(bytes);
  const Fusion fusion = bytes.one_of({Fusion::kNone, Fusion::kRelu, Fusion::kAddRelu});
  BatchCase<E> t(shape, fusion, 0.5, bytes.one_of({0, 1, 2, 3, 5, 8}));
  const Options options{.eps = bytes.one_of({1e-5, 1e-5, 0.0, 1e-12, 1.0}), .affine = bytes.byte() % 4 != 0};
  for (Values<E>* values : {&t.x, &t.dy, &t.ddx}) fill_elements<T>(bytes, t.places(), *values);
  if (fusion == Fusion::kAddRelu) {
    fill_elements<T>(bytes, t.places(), t.addend);
    fill_elements<T>(bytes, t.places(), t.ddaddend);
  }
  for (Values<T>* values : {&t.gamma, &t.beta, &t.ddgamma, &t.ddbeta}) fill_channels(bytes, *values);
  if (!options.affine) {
    std::fill_n(t.gamma.data(), t.gamma.size(), T(1));
    std::fill_n(t.beta.data(), t.beta.size(), T(0));
  }

  SerialTaskRunner serial;
  ThreadRunner scrambled(1);
  for (const char* name : instruction_sets()) {
    if (use_instruction_set(name) != Status::kOk) std::abort();
    BatchCase<E> first(t), again(t), apart(t), in_place(t);
    FuzzCase<E>(first, options, serial).judge();
    const bool served = FuzzCase<E>(apart, options, serial).train();
    Checks<E>(again, options.eps)
        .expect(FuzzCase<E>(again, options, scrambled).train() == served && (!served || again.same_results(apart)),
                "scrambled tasks differ");
    FuzzCase<E>(in_place, options, scrambled).train_in_place(apart);
  }
}

}  // namespace
}  // namespace bnlab::kernels::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace bnlab::kernels;  // NOLINT(google-build-using-namespace)
  fuzz::Bytes bytes(data, size);
  switch (bytes.byte() % 4) {
    case 0:
      fuzz::run<float>(bytes);
      break;
    case 1:
      fuzz::run<double>(bytes);
      break;
    case 2:
      fuzz::run<BFloat16>(bytes);
      break;
    default:
      fuzz::run<Float16>(bytes);
  }
  return 0;
}
