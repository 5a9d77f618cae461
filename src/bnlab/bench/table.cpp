#include "bnlab/bench/table.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "bnlab/bench/summary.h"

namespace bnlab::bench {
namespace {

using kernels::Fusion;

constexpr char kRow[] = "{:<24} {:<15} {:<6} {:>8}  {:<19} {:<19} {:<19} {:>5} {:>5}\n";

std::string title(Fusion fusion) {
  switch (fusion) {
    case Fusion::kNone:
      return "BN";
    case Fusion::kRelu:
      return "BN + ReLU";
    case Fusion::kAddRelu:
      break;
  }
  return "BN + addition + ReLU";
}

std::string sizes(const NamedShape& shape) {
  return fmt::format("{}x{}x{}x{}", shape.n, shape.c, shape.h, shape.w);
}

std::string milliseconds(double seconds) {
  const double ms = 1e3 * seconds;
  return fmt::format("{:.{}f}", ms, ms < 0.1 ? 4 : ms < 10 ? 3 : 2);
}

std::string ratio_text(double ratio) {
  return fmt::format("{:.{}f}", ratio, ratio < 9.995 ? 2 : 1);
}

std::string cell(const Interval& ratio) {
  return fmt::format("{} [{}, {}]", ratio_text(ratio.median), ratio_text(ratio.low), ratio_text(ratio.high));
}

class Table {
 public:
  Table(const Results& results, const std::vector<Comparison>& comparisons)
      : results_(results), comparisons_(comparisons) {}

  std::string make() {
    const Environment& e = results_.environment;
    text_ += fmt::format("{}, {}, {} threads, {}; libtorch {}, oneDNN {}, bnlab {} ({})\n", e.cpu, e.instruction_set,
                         e.processors.size(), results_.element, e.libtorch, e.onednn, e.bnlab, e.commit);
    text_ += fmt::format(
        "Columns: our operator's time for the forward and the backward pass; peer time / ours, median over {} rounds\n"
        "[interval] (above 1: ours is faster): PyTorch under its own allocator (our operator keeps blocks for its "
        "outputs "
        "in any case)\nand under ours, oneDNN; and how much of our kernels' time the same memory traffic takes without "
        "any arithmetic:\nin order (limit), and slab after slab as channels-first memory has it (slabs).\n",
        results_.rounds);
    left_out();
    for (const Fusion fusion : {Fusion::kNone, Fusion::kRelu, Fusion::kAddRelu}) section(fusion);
    means();
    return text_;
  }

 private:
  const Comparison* find(std::size_t shape, const std::string& layout, Fusion fusion, AllocatorKind allocator,
                         const char* peer) const {
    const auto found = std::find_if(comparisons_.begin(), comparisons_.end(), [&](const Comparison& c) {
      return c.shape == shape && c.layout == layout && c.fusion == fusion && c.allocator == allocator &&
             c.peer == peer && c.part == Part::kTraining;
    });
    return found == comparisons_.end() ? nullptr : &*found;
  }

  /// Our operator's time for the forward and the backward pass: the median over the rounds.
  std::optional<double> our_seconds(std::size_t shape, const std::string& layout, Fusion fusion) const {
    std::vector<double> sums;
    for (const Measurement& m : results_.measurements) {
      if (m.level != Level::kOperator || m.allocator != AllocatorKind::kDefault || m.contender != kOurs) continue;
      if (m.shape != shape || m.layout != layout || m.fusion != fusion || m.step == Step::kForwardEvaluation) continue;
      if (sums.empty()) sums.resize(m.seconds.size());
      for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += m.seconds.at(i);
    }
    return sums.empty() ? std::nullopt : std::optional(median(sums));
  }

  /// Only the first ones: a library that is wrong is so for many batches.
  void left_out() {
    constexpr std::size_t kMost = 6;
    for (std::size_t i = 0; i < std::min(kMost, results_.left_out.size()); ++i) {
      text_ += sentence_of(results_.left_out[i], results_) + "\n";
    }
    if (results_.left_out.size() > kMost) {
      text_ += fmt::format("{} more are left out, which \"left_out\" in the JSON names.\n",
                           results_.left_out.size() - kMost);
    }
  }

  void section(Fusion fusion) {
    text_ += fmt::format("\n{}\n", title(fusion));
    text_ += fmt::format(kRow, "shape", "N x C x H x W", "layout", "ours ms", "PyTorch", "PyTorch, our alloc.",
                         "oneDNN", "limit", "slabs");
    for (std::size_t shape = 0; shape < results_.shapes.size(); ++shape) {
      for (const char* layout : {kNchw, kNhwc, kMatrix}) row(shape, layout, fusion);
    }
  }

  void row(std::size_t shape, const std::string& layout, Fusion fusion) {
    const std::optional<double> ours = our_seconds(shape, layout, fusion);
    if (!ours) return;
    const Comparison* pytorch = find(shape, layout, fusion, AllocatorKind::kDefault, kPyTorch);
    const Comparison* caching = find(shape, layout, fusion, AllocatorKind::kCaching, kPyTorch);
    const Comparison* onednn = find(shape, layout, fusion, AllocatorKind::kNone, kOneDnn);
    const auto ratio = [](const Comparison* c) { return c == nullptr ? std::string("-") : cell(c->ratio); };
    const auto share = [&](const char* traffic) {
      const Comparison* c = find(shape, layout, fusion, AllocatorKind::kNone, traffic);
      return c == nullptr ? std::string("-") : fmt::format("{:.0f}%", 100 * c->ratio.median);
    };
    text_ += fmt::format(kRow, results_.shapes[shape].full_name(), sizes(results_.shapes[shape]), layout,
                         milliseconds(*ours), ratio(pytorch), ratio(caching), ratio(onednn), share(kLimit),
                         share(kSlabLimit));
  }

  static std::string number(const Json& value) { return value.is_number() ? ratio_text(value) : "-"; }

  void means() {
    const Json s = summarize(results_, comparisons_);
    const auto line = [&](const std::string& name, const Json& nchw, const Json& nhwc, const Json& best = {}) {
      text_ += fmt::format("{:<56} {:>6} {:>6} {:>6}\n", name, number(nchw), number(nhwc), number(best));
    };
    text_ += fmt::format("\nGeometric means over the shapes\n{:<56} {:>6} {:>6} {:>6}\n", "", "nchw", "nhwc", "best");
    line("PyTorch / ours", s["pytorch"][kNchw], s["pytorch"][kNhwc]);
    line("PyTorch / ours, both with our allocator", s["pytorch_caching"][kNchw], s["pytorch_caching"][kNhwc]);
    line("oneDNN / ours", s["onednn"][kNchw], s["onednn"][kNhwc], s["onednn"]["best_layout"]);
    const Json& fused = s["fused"];
    line("with ReLU, addition + ReLU: PyTorch / ours", fused["pytorch_nchw"], fused["pytorch_nhwc"]);
    line("  both with our allocator", fused["pytorch_nchw_caching"], fused["pytorch_nhwc_caching"]);
    line("  PyTorch's in place", fused["pytorch_inplace_nchw"], fused["pytorch_inplace_nhwc"]);
    line("with ReLU: oneDNN / ours", fused["onednn_nchw"], fused["onednn_nhwc"]);
    line("evaluation: PyTorch / ours", s["evaluation"]["pytorch_nchw"], s["evaluation"]["pytorch_nhwc"]);
    line("evaluation: oneDNN / ours", s["evaluation"]["onednn_nchw"], s["evaluation"]["onednn_nhwc"]);
    line("ours / the limit, above the last-level cache", s["limit_detail"][kNchw], s["limit_detail"][kNhwc]);
    line("ours / the same traffic slab after slab", s["limit_detail"]["slabs"], {});
    worst("smallest ratio", s["worst"]);
    worst("smallest ratio of one pass", s["worst_pass"]);
  }

  void worst(const char* what, const Json& w) {
    if (w.is_null()) return;
    const auto word = [&](const char* key) { return w[key].get<std::string>(); };
    text_ += fmt::format("{}: {} [{}, {}], {} {}, {}{}, against {}\n", what, number(w["ratio"]),
                         number(w["interval"][0]), number(w["interval"][1]), word("shape"), word("layout"),
                         word("fusion"), w.contains("pass") ? ", " + word("pass") : "", word("peer"));
  }

  const Results& results_;
  const std::vector<Comparison>& comparisons_;
  std::string text_;
};

}  // namespace

std::string table(const Results& results, const std::vector<Comparison>& comparisons) {
  return Table(results, comparisons).make();
}

}  // namespace bnlab::bench
