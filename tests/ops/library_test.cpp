// The operators as libtorch's dispatcher has them: schemas, meta tensors, direct calls of each derivative.
#include "bnlab/ops/library.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bnlab/kernels/batch_norm.h"
#include "bnlab/kernels/instruction_set.h"
#include "bnlab/ops/batch_layout.h"
#include "bnlab/ops/conveniences.h"
#include "bnlab/ops/task_runner.h"
#include "tests/ops/cases.h"
#include "tests/ops/differences.h"

namespace bnlab::ops {
namespace {

using testing::HasSubstr;

const c10::FunctionSchema& schema(const std::string& name) {
  return c10::Dispatcher::singleton().findSchemaOrThrow(("bnlab::" + name).c_str(), "").schema();
}

template <class F>
std::string message(const F& f) {
  try {
    (void)f();
  } catch (const c10::Error& error) {
    return error.what_without_backtrace();
  }
  return "no error";
}

TEST(BatchNormLibrary, AMaskHasRoomForWhatTheKernelsWrite) {
  const std::int64_t sizes[] = {1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 31, 33, 63, 64, 65, 100, 129, 257, 1000};
  for (const std::int64_t n : sizes) {
    for (const std::int64_t c : sizes) {
      for (const std::int64_t s : sizes) {
        const at::Tensor x = at::empty({n, c, s}, at::TensorOptions().device(at::kMeta));
        for (const auto layout : {kernels::Layout::kChannelsFirst, kernels::Layout::kChannelsLast}) {
          const auto written = kernels::relu_mask_bytes({.n = n, .c = c, .s = s, .layout = layout});
          ASSERT_GT(mask_bytes(x, layout).expect_int(), static_cast<std::int64_t>(written))
              << n << ' ' << c << ' ' << s;
        }
      }
    }
  }
}

TEST(BatchNormLibrary, OnlyStatisticsAreMutated) {
  const auto written = [](const std::string& name) {
    std::string names;
    for (const c10::Argument& argument : schema(name).arguments()) {
      if (argument.alias_info() != nullptr && argument.alias_info()->isWrite()) names += argument.name() + " ";
    }
    return names;
  };
  EXPECT_EQ(written("update_running_statistics"),
            "running_mean running_var num_batches_tracked window_mean window_var skipped last_step ");
  for (const char* name : {"batch_norm", "batch_norm_relu", "batch_norm_add_relu"}) {
    EXPECT_EQ(written(name), "running_mean running_var ") << name;
  }
  for (const char* mode : {"batch_norm_training", "batch_norm_evaluation"}) {
    for (const char* derivative : {"", "_backward", "_second_derivative"}) {
      const std::string name = std::string(mode) + derivative;
      EXPECT_EQ(written(name), "") << name;
      EXPECT_FALSE(schema(name).is_mutable()) << name;
    }
  }
}

TEST(BatchNormLibrary, EachDerivativeIsAnOperatorForCpuMetaAndAutograd) {
  for (const char* mode : {"batch_norm_training", "batch_norm_evaluation"}) {
    for (const char* derivative : {"", "_backward", "_second_derivative"}) {
      const auto op =
          c10::Dispatcher::singleton().findSchemaOrThrow((std::string("bnlab::") + mode + derivative).c_str(), "");
      for (const auto key : {c10::DispatchKey::CPU, c10::DispatchKey::Meta, c10::DispatchKey::AutogradCPU}) {
        EXPECT_TRUE(op.hasKernelForDispatchKey(key) || key == c10::DispatchKey::AutogradCPU) << op.operator_name();
        EXPECT_TRUE(op.hasComputedKernelForDispatchKey(key)) << op.operator_name();
      }
    }
  }
}

at::Tensor on_meta(const at::Tensor& tensor) {
  return at::empty_strided(tensor.sizes(), tensor.strides(), tensor.options().device(at::kMeta));
}

void expect_same_form(const at::Tensor& meta, const at::Tensor& real, const char* what) {
  ASSERT_EQ(meta.defined(), real.defined()) << what;
  if (!real.defined()) return;
  EXPECT_TRUE(meta.is_meta()) << what;
  EXPECT_EQ(meta.sizes(), real.sizes()) << what;
  EXPECT_EQ(meta.strides(), real.strides()) << what;
  EXPECT_EQ(meta.scalar_type(), real.scalar_type()) << what;
}

template <class Tuple>
void expect_same_forms(const Tuple& meta, const Tuple& real, const char* what) {
  std::apply(
      [&](const auto&... metas) {
        std::apply([&](const auto&... reals) { (expect_same_form(metas, reals, what), ...); }, real);
      },
      meta);
}

TEST(BatchNormLibrary, MetaTensorsGiveTheSameSizesStridesAndTypes) {
  const at::NoGradGuard no_grad;
  for (const at::ScalarType type : kTypes) {
    for (const Case& which : cases()) {
      SCOPED_TRACE(name_of(which) + c10::toString(type));
      const Inputs t(which, type);
      const auto forms = [&](bool meta) {
        const auto place = [&](const at::Tensor& tensor) { return meta ? on_meta(tensor) : tensor; };
        const auto x = place(t.x), dy = place(t.dy), gamma = place(t.gamma), beta = place(t.beta);
        const auto forward = dispatched::batch_norm_training.call(x, gamma, beta, place(t.addend), true, kEps, true);
        const auto& [y, mean, rstd, var_biased, mask] = forward;
        return std::tuple_cat(
            forward, dispatched::batch_norm_evaluation.call(x, gamma, beta, mean, rstd, c10::nullopt, false, true),
            dispatched::batch_norm_training_backward.call(dy, x, gamma, mean, rstd, mask, kEps,
                                                          {true, true, false, true}),
            dispatched::batch_norm_evaluation_backward.call(dy, x, gamma, mean, rstd, mask, {false, false, true, true}),
            dispatched::batch_norm_training_second_derivative.call(dy, gamma, c10::nullopt, c10::nullopt, dy, x, gamma,
                                                                   mean, rstd, mask, kEps, {true, true, true}),
            dispatched::batch_norm_evaluation_second_derivative.call(dy, gamma, gamma, dy, dy, x, gamma, mean, rstd,
                                                                     c10::nullopt, {true, false, true}));
      };
      expect_same_forms(forms(true), forms(false), "result");
    }
  }
}

TEST(BatchNormLibrary, MetaTensorsGoThroughTheConveniences) {
  const at::Tensor x = at::empty({4, 3, 5, 5}, at::device(at::kMeta)), vector = at::empty({3}, x.options());
  for (const bool training : {true, false}) {
    EXPECT_EQ(batch_norm_add_relu(x, x, vector, vector, vector, vector, training, 0.1, kEps).sizes(), x.sizes());
  }
}

TEST(BatchNormLibrary, AnySubsetOfGradientsIsThatOfAll) {
  const at::NoGradGuard no_grad;
  const Inputs t({{6, 5, 7, 7}, Order::kChannelsLast}, at::kFloat);
  const auto [y, mean, rstd, var_biased, mask] =
      dispatched::batch_norm_training.call(t.x, t.gamma, t.beta, t.addend, true, kEps, true);
  for (const bool training : {true, false}) {
    const auto gradients = [&](WantedGradients wanted) {
      const Quadruple q =
          training ? dispatched::batch_norm_training_backward.call(t.dy, t.x, t.gamma, mean, rstd, mask, kEps, wanted)
                   : dispatched::batch_norm_evaluation_backward.call(t.dy, t.x, t.gamma, mean, rstd, mask, wanted);
      return Tensors{std::get<0>(q), std::get<1>(q), std::get<2>(q), std::get<3>(q)};
    };
    const Tensors all = gradients({true, true, true, true});
    for (unsigned set = 0; set < 16; ++set) {
      const WantedGradients wanted = {(set & 1) != 0, (set & 2) != 0, (set & 4) != 0, (set & 8) != 0};
      const Tensors some = gradients(wanted);
      for (std::size_t i = 0; i < 4; ++i) {
        ASSERT_EQ(some[i].defined(), wanted[i]) << set;
        EXPECT_TRUE(!wanted[i] || at::equal(some[i], all[i])) << "set " << set << " gradient " << i;
      }
    }
  }
}

TEST(BatchNormLibrary, MaskIsThereOnlyWhereItIsOfUse) {
  const at::NoGradGuard no_grad;
  const Inputs t({{6, 5, 7, 7}, Order::kContiguous}, at::kFloat);
  const auto mask_bytes = [&](bool relu, bool save_mask) {
    return std::get<4>(dispatched::batch_norm_training.call(t.x, {}, {}, {}, relu, kEps, save_mask)).numel();
  };
  EXPECT_EQ(mask_bytes(false, true), 0);
  EXPECT_EQ(mask_bytes(true, false), 0);
  EXPECT_GE(mask_bytes(true, true), t.x.numel() / 8);
}

TEST(BatchNormLibrary, RefusesWhatDoesNotBelongTogether) {
  const at::NoGradGuard no_grad;
  const Inputs t({{6, 5, 7, 7}, Order::kContiguous}, at::kFloat);
  const auto [y, mean, rstd, var_biased, mask] =
      dispatched::batch_norm_training.call(t.x, t.gamma, t.beta, {}, true, kEps, true);
  const auto backward = [&, &mean = mean, &rstd = rstd](const at::Tensor& dy, const at::Tensor& with_mean,
                                                        const OptionalTensor& with_mask) {
    return message([&] {
      return dispatched::batch_norm_training_backward.call(dy, t.x, t.gamma, with_mean, rstd, with_mask, kEps,
                                                           {true, true, true, true});
    });
  };
  EXPECT_EQ(backward(t.dy, mean, mask), "no error");
  EXPECT_THAT(backward(t.dy[0], mean, mask), HasSubstr("expected dy of x's sizes [6, 5, 7, 7]"));
  EXPECT_THAT(backward(t.dy.to(at::kDouble), mean, mask), HasSubstr("expected dy of x's type Float, got Double"));
  EXPECT_THAT(backward(t.dy, mean.to(at::kFloat), mask), HasSubstr("expected mean of type Double, got Float"));
  EXPECT_THAT(backward(t.dy, mean, at::empty({0}, at::kByte)), HasSubstr("expected relu_mask as the forward pass"));
}

TEST(BatchNormConveniences, AreFunctionalBatchNorm) {
  for (const bool training : {true, false}) {
    const Inputs t({{6, 5, 7, 7}, Order::kChannelsLast});
    const at::Tensor mean = t.running_mean.clone(), var = t.running_var.clone();
    const at::Tensor aten_mean = mean.clone(), aten_var = var.clone();
    const at::Tensor z = at::batch_norm(t.x, t.gamma, t.beta, aten_mean, aten_var, training, 0.3, kEps, false);
    expect_close(batch_norm(t.x, t.gamma, t.beta, mean, var, training, 0.3, kEps), z, 1e-12, "plain");
    expect_close(mean, aten_mean, 1e-13, "running_mean");
    expect_close(var, aten_var, 1e-13, "running_var");
    const auto again = [&](const auto& f) { return f(t.running_mean.clone(), t.running_var.clone()); };
    expect_close(again([&](const at::Tensor& m, const at::Tensor& v) {
                   return batch_norm_relu(t.x, t.gamma, t.beta, m, v, training, 0.3, kEps);
                 }),
                 at::relu(z), 1e-12, "relu");
    expect_close(again([&](const at::Tensor& m, const at::Tensor& v) {
                   return batch_norm_add_relu(t.x, t.addend, t.gamma, t.beta, m, v, training, 0.3, kEps);
                 }),
                 at::relu(z + t.addend), 1e-12, "add and relu");
  }
  const at::Tensor x = at::randn({4, 3}), ones = at::ones({3});
  EXPECT_EQ(batch_norm(x, {}, {}, {}, {}, true, 0.1, kEps).sizes(), x.sizes());
  EXPECT_THAT(message([&] { return batch_norm(x, {}, {}, {}, {}, false, 0.1, kEps); }),
              HasSubstr("expected running_mean and running_var with training = false"));
  EXPECT_THAT(message([&] { return batch_norm(x, {}, {}, ones, {}, true, 0.1, kEps); }), HasSubstr("or neither"));
}

TEST(BatchNormLibrary, InstructionSetsCanBeChosenByName) {
  const std::string before = instruction_set();
  for (const char* name : kernels::instruction_sets()) {
    use_instruction_set(name);
    EXPECT_EQ(instruction_set(), name);
  }
  EXPECT_THAT(message([] {
                use_instruction_set("abacus");
                return 0;
              }),
              testing::AllOf(HasSubstr("portable"), HasSubstr("got \"abacus\"")));
  use_instruction_set(before);
}

TEST(AtTaskRunner, GivesEachThreadOneRangeOfNeighbours) {
  const int before = at::get_num_threads();
  at::set_num_threads(2);
  std::array<std::atomic<int>, 100> done{};
  std::atomic<int> ranges = 0;
  AtTaskRunner runner;
  runner.run(100, [&](std::int64_t begin, std::int64_t end) noexcept {
    ++ranges;
    for (std::int64_t i = begin; i < end; ++i) ++done[static_cast<std::size_t>(i)];
  });
  at::set_num_threads(before);
  for (const auto& times : done) EXPECT_EQ(times, 1);
  EXPECT_EQ(ranges, 2);
}

}  // namespace
}  // namespace bnlab::ops
