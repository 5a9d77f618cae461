#include "bnlab/bench/bench.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <stdexcept>

#include "bnlab/bench/element_type.h"
#include "bnlab/bench/environment.h"
#include "bnlab/bench/kernel_level.h"
#include "bnlab/bench/operator_level.h"
#include "bnlab/bench/threads.h"
#include "bnlab/kernels/instruction_set.h"

namespace bnlab::bench {
namespace {

using kernels::Fusion;

constexpr Fusion kFusions[] = {Fusion::kNone, Fusion::kRelu, Fusion::kAddRelu};
constexpr const char* kQuick[] = {"mlp/wide",         "odd/c65-7x7",        "resnet-110/stage1",
                                  "resnet-50/stage3", "small-batch/two-14", "vgg-a/conv1"};

void choose_instruction_set(const std::string& name) {
  if (name.empty() || kernels::use_instruction_set(name.c_str()) == kernels::Status::kOk) return;
  std::string here;
  for (const char* each : kernels::instruction_sets()) here += here.empty() ? each : std::string(", ") + each;
  throw std::invalid_argument(
      fmt::format("--isa: \"{}\" is no instruction set of this processor and this build; here are {}", name, here));
}

/// How long a shape takes, about, in units of a very small one.
double cost(const NamedShape& shape) {
  return 1 + static_cast<double>(shape.elements()) / 1e6;
}

class Run {
 public:
  explicit Run(const BenchOptions& options) : options_(options) {
    (void)element_type(options.element);
    choose_instruction_set(options.instruction_set);
    results_.environment = find_environment();
    results_.environment.processors = threads_after_environment().processors();
    results_.element = options.element;
    results_.rounds = options.rounds;
    results_.shapes = options.shapes;
    level_ = {{options.rounds, options.sample_seconds}, find_caches(), options.threads};
    for (const NamedShape& shape : options.shapes) total_ += cost(shape);
  }

  Results run() {
    with_element_type(options_.element, [&](auto element) { measure_all<decltype(element)>(); });
    results_.environment.load_after = load_average();
    return std::move(results_);
  }

 private:
  /// The load is noted before the threads begin to spin.
  const PinnedThreads& threads_after_environment() { return threads_.emplace(options_.threads); }

  template <class E>
  void measure_all() {
    const Allocators allocators;
    for (std::size_t i = 0; i < results_.shapes.size(); ++i) {
      allocators.use(AllocatorKind::kDefault);
      measure_shape<E>(i, allocators);
      done_ += cost(results_.shapes[i]);
    }
  }

  template <class E>
  void measure_shape(std::size_t i, const Allocators& allocators) {
    constexpr double kParts = 3 * std::size(kFusions);
    const NamedShape& shape = results_.shapes[i];
    const BatchData<E> batch = make_batch<E>(shape);
    int part = 0;
    const auto tell = [&](Fusion fusion, const char* what) {
      const double done = done_ + cost(shape) * part++ / kParts;
      options_.progress(done / total_, fmt::format("{}, {}, {}", shape.full_name(), to_string(fusion), what));
    };
    for (const Fusion fusion : kFusions) {
      tell(fusion, "kernels");
      measure_kernels(batch, i, fusion, level_, results_);
      warn();
      for (const AllocatorKind allocator : {AllocatorKind::kDefault, AllocatorKind::kCaching}) {
        tell(fusion, "operators");
        allocators.use(allocator);
        measure_operators(batch, i, fusion, allocator, level_, results_);
        warn();
      }
      allocators.use(AllocatorKind::kDefault);
    }
  }

  /// Of what was left out since the last call.
  void warn() {
    for (; warned_ < results_.left_out.size(); ++warned_) {
      const LeftOut& left_out = results_.left_out[warned_];
      if (left_out.why == WhyLeftOut::kWrongResult) options_.warn(sentence_of(left_out, results_));
    }
  }

  const BenchOptions& options_;
  std::optional<PinnedThreads> threads_;
  LevelOptions level_;
  Results results_;
  std::size_t warned_ = 0;
  double done_ = 0, total_ = 0;
};

}  // namespace

Results run_bench(const BenchOptions& options) {
  return Run(options).run();
}

std::vector<NamedShape> quick_shapes() {
  std::vector<NamedShape> shapes = shared_shapes();
  std::erase_if(shapes, [](const NamedShape& shape) {
    return std::find(std::begin(kQuick), std::end(kQuick), shape.full_name()) == std::end(kQuick);
  });
  return shapes;
}

}  // namespace bnlab::bench
