// Whole measurements beside a peer, or with operators of ours, that compute something wrong.
#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/library.h>

#include <array>
#include <limits>
#include <map>
#include <stdexcept>

#include "bnlab/bench/bench.h"
#include "bnlab/bench/kernel_level.h"
#include "bnlab/bench/operator_level.h"
#include "bnlab/bench/summary.h"
#include "tests/bench/tiny_shapes.h"

namespace bnlab::bench {
namespace {

using kernels::Fusion;
using ::testing::HasSubstr;

/// What a peer does wrong.
enum class Fault { kNone, kEvaluatedY, kY, kDx, kDgamma, kDbeta };

/// oneDNN's peer, with one result changed.
class FaultyPeer final : public KernelPeer {
 public:
  FaultyPeer(std::unique_ptr<KernelPeer> right, Fault fault) : right_(std::move(right)), fault_(fault) {}

  void forward_training() override {
    right_->forward_training();
    last_ = Fault::kY;
  }
  void forward_evaluation() override {
    right_->forward_evaluation();
    last_ = Fault::kEvaluatedY;
  }
  void backward() override { right_->backward(); }
  std::string implementation() const override { return "faulty"; }
  void get_y(void* to) const override {
    right_->get_y(to);
    if (fault_ == last_) static_cast<float*>(to)[7] += 1;
  }
  void get_dx(void* to) const override {
    right_->get_dx(to);
    if (fault_ == Fault::kDx) static_cast<float*>(to)[7] = std::numeric_limits<float>::quiet_NaN();
  }
  const float* dgamma() const override { return changed(right_->dgamma(), Fault::kDgamma); }
  const float* dbeta() const override { return changed(right_->dbeta(), Fault::kDbeta); }

 private:
  const float* changed(const float* sums, Fault fault) const {
    sums_.assign(sums, sums + 5);
    if (fault_ == fault) sums_[3] += 1;
    return sums_.data();
  }

  std::unique_ptr<KernelPeer> right_;
  Fault fault_;
  Fault last_ = Fault::kNone;
  mutable std::vector<float> sums_;
};

/// One image batch of 5 channels, timed once.
Results image_results() {
  Results results;
  results.element = "f32";
  results.environment.onednn = "9.8.7";
  results.shapes = {{"tiny", "images", 4, 5, 3, 3}};
  return results;
}

LevelOptions quick_options() {
  LevelOptions options;
  options.measure = {1, 0};
  options.caches = {1 << 20, 1 << 25};
  options.threads = 1;
  return options;
}

Results with_peer_in_nhwc(Fault fault) {
  LevelOptions options = quick_options();
  options.make_peer = [fault](const NamedShape& shape, const std::string& layout, const std::string& element, bool relu,
                              const KernelPeer::Inputs& inputs) -> std::unique_ptr<KernelPeer> {
    auto right = make_onednn_peer(shape, layout, element, relu, inputs);
    return layout == kNhwc ? std::make_unique<FaultyPeer>(std::move(right), fault) : std::move(right);
  };
  Results results = image_results();
  measure_kernels(make_batch<float>(results.shapes[0]), 0, Fusion::kNone, options, results);
  return results;
}

TEST(WrongPeer, OfTheKernelsIsLeftOutInItsLayoutAndNothingElseIs) {
  const std::map<Fault, std::string> faults = {{Fault::kEvaluatedY, "its y in evaluation is wrong in 1 of 180 values"},
                                               {Fault::kY, "its y is wrong in 1 of 180 values"},
                                               {Fault::kDx, "its dx is wrong in 1 of 180 values"},
                                               {Fault::kDgamma, "its dgamma is wrong in 1 of 5 values"},
                                               {Fault::kDbeta, "its dbeta is wrong in 1 of 5 values"}};
  for (const auto& [fault, says] : faults) {
    const Results results = with_peer_in_nhwc(fault);
    ASSERT_EQ(results.left_out.size(), 1u) << says;
    EXPECT_THAT(sentence_of(results.left_out.front(), results),
                HasSubstr("oneDNN 9.8.7 is left out for tiny/images (4x5x3x3) in nhwc, plain: " + says));
    EXPECT_EQ(results.left_out.front().why, WhyLeftOut::kWrongResult);
    std::map<std::string, int> timed;
    for (const Measurement& m : results.measurements) ++timed[m.contender + " " + m.layout];
    EXPECT_EQ(timed["onednn nhwc"], 0) << says;
    EXPECT_EQ(timed["onednn nchw"], 3) << says;
    EXPECT_EQ(timed["onednn nChw16c"], 3) << says;
    EXPECT_EQ(timed["bnlab nhwc"], 3) << says;
  }
}

TEST(WrongPeer, OfTheKernelsThatIsRightIsMeasured) {
  const Results results = with_peer_in_nhwc(Fault::kNone);
  EXPECT_TRUE(results.left_out.empty());
  EXPECT_TRUE(std::any_of(results.measurements.begin(), results.measurements.end(),
                          [](const Measurement& m) { return m.implementation == "faulty"; }));
}

using Triple = std::tuple<at::Tensor, at::Tensor, at::Tensor>;

/// PyTorch's backward pass with the first element of dx changed, in channels-last memory only.
Triple wrong_backward(const at::Tensor& dy, const at::Tensor& x, const c10::optional<at::Tensor>& gamma,
                      const c10::optional<at::Tensor>&, const c10::optional<at::Tensor>&,
                      const c10::optional<at::Tensor>& mean, const c10::optional<at::Tensor>& rstd, bool, double,
                      std::array<bool, 3>) {
  const std::int64_t count = x.numel() / x.size(1);
  std::vector<std::int64_t> others = {0};
  if (x.dim() == 4) others = {0, 2, 3};
  const auto by_channel = [&](const at::Tensor& t) {
    return x.dim() == 4 ? t.reshape({1, -1, 1, 1}) : t.reshape({1, -1});
  };
  const at::Tensor xhat = (x - by_channel(*mean)) * by_channel(*rstd);
  const at::Tensor dgamma = (dy * xhat).sum(others), dbeta = dy.sum(others);
  const at::Tensor exact =
      by_channel(*gamma * *rstd) * (dy - by_channel(dbeta) / count - xhat * by_channel(dgamma) / count);
  at::Tensor dx = at::empty_like(x);
  dx.copy_(exact);
  if (x.dim() == 4 && !x.is_contiguous()) dx.data_ptr<float>()[0] += 1;
  return {dx, dgamma, dbeta};
}

BenchOptions one_round() {
  BenchOptions options;
  options.shapes = parse_shapes(kTinyShapes, "tiny", "test");
  options.threads = 1;
  options.rounds = 1;
  options.sample_seconds = 0;
  return options;
}

/// Replaces an operator's kernel for CPU tensors while it lives.
template <class F>
class Replaced {
 public:
  Replaced(const char* library, const char* name, F* function)
      : library_(torch::Library::IMPL, library, c10::DispatchKey::CPU, __FILE__, __LINE__) {
    library_.impl(name, function);
  }

 private:
  torch::Library library_;
};

TEST(WrongPeer, OfTheOperatorsIsLeftOutAndTheBenchmarkGoesOn) {
  BenchOptions options = one_round();
  std::vector<std::string> warnings;
  options.warn = [&](const std::string& sentence) { warnings.push_back(sentence); };
  Results results;
  {
    const Replaced wrong("aten", "native_batch_norm_backward", &wrong_backward);
    results = run_bench(options);
  }
  const std::size_t cases = 2 * (1 + 2 + 2);  // allocators, fusions with PyTorch's forms
  ASSERT_EQ(results.left_out.size(), cases);
  ASSERT_EQ(warnings.size(), cases);
  const std::string which =
      " is left out for tiny/images (5x19x3x3) in nhwc, plain, under the default allocator: its "
      "dx is wrong in 1 of 855 values, the first of which (number 0) is ";
  EXPECT_THAT(warnings.front(), HasSubstr("PyTorch " + results.environment.libtorch + which));
  for (const Measurement& m : results.measurements) {
    const bool of_pytorch = m.contender == kPyTorch || m.contender == kPyTorchInPlace;
    EXPECT_FALSE(of_pytorch && m.layout == kNhwc);
  }
  const Json json = to_json(results);
  ASSERT_EQ(json["left_out"].size(), cases);
  EXPECT_EQ(json["left_out"][0]["why"], "wrong-result");
  EXPECT_EQ(json["left_out"][0]["sentence"], warnings.front());
  EXPECT_GT(json["summary"]["pytorch"]["nchw"].get<double>(), 0);
  const auto other = run_bench(one_round());
  EXPECT_TRUE(other.left_out.empty()) << "PyTorch's own kernel is back";
}

/// Ours, with a wrong rstd.
std::tuple<at::Tensor, at::Tensor> wrong_statistics(const at::Tensor& running_mean, const at::Tensor& running_var,
                                                    double) {
  return {running_mean.to(at::kDouble), running_var.to(at::kDouble)};
}

// With a peer that is right (f32), and, where PyTorch has no float16, with none.
TEST(WrongResultOfOurs, EndsTheBenchmark) {
  const Replaced wrong("bnlab", "evaluation_statistics", &wrong_statistics);
  for (const char* element : {"f32", "f16"}) {
    BenchOptions options = one_round();
    options.element = element;
    try {
      (void)run_bench(options);
      ADD_FAILURE() << element;
    } catch (const std::runtime_error& error) {
      EXPECT_THAT(error.what(), HasSubstr("tiny/images in nchw (plain): bnlab's y in evaluation is wrong in "));
    }
  }
}

}  // namespace
}  // namespace bnlab::bench
