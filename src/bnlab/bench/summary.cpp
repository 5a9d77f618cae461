#include "bnlab/bench/summary.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "bnlab/bench/element_type.h"
#include "bnlab/bench/memory_limit.h"

namespace bnlab::bench {
namespace {

using kernels::Fusion;
using Filter = std::function<bool(const Comparison&)>;

constexpr double kClearlySlower = 0.95;

class Summary {
 public:
  Summary(const Results& results, const std::vector<Comparison>& comparisons)
      : results_(results), comparisons_(comparisons) {}

  Json make() const {
    Json summary;
    for (const AllocatorKind allocator : {AllocatorKind::kDefault, AllocatorKind::kCaching}) {
      Json& means = summary[allocator == AllocatorKind::kDefault ? "pytorch" : "pytorch_caching"];
      for (const char* layout : {kNchw, kNhwc}) means[layout] = pytorch(layout, allocator, Part::kTraining);
    }
    for (const char* layout : {kNchw, kNhwc, kBest}) {
      const bool best = layout == std::string(kBest);
      summary["onednn"][best ? "best_layout" : layout] = onednn(layout, Fusion::kNone, Part::kTraining);
    }
    summary["fused"] = fused();
    for (const char* layout : {kNchw, kNhwc}) {
      summary["evaluation"][std::string("pytorch_") + layout] =
          pytorch(layout, AllocatorKind::kDefault, Part::kForwardEvaluation);
      summary["evaluation"][std::string("onednn_") + layout] = onednn(layout, Fusion::kNone, Part::kForwardEvaluation);
    }
    summary["limit"] = limit([](const Comparison& c) { return c.peer == kLimit; });
    for (const char* layout : {kNchw, kNhwc}) {
      summary["limit_detail"][layout] = limit([&](const Comparison& c) { return c.peer == kLimit && c.is_of(layout); });
    }
    summary["limit_detail"]["memcpy"] = limit([](const Comparison& c) { return c.peer == kMemcpy; });
    summary["limit_detail"]["slabs"] = limit([](const Comparison& c) { return c.peer == kSlabLimit; });
    summary["worst"] = worst([](const Comparison& c) { return c.part == Part::kTraining; });
    summary["worst_pass"] = worst([](const Comparison& c) { return c.part != Part::kTraining; });
    summary["slower"] = std::count_if(comparisons_.begin(), comparisons_.end(), [](const Comparison& c) {
      return is_peer(c) && c.part == Part::kTraining && !(c.ratio.high >= kClearlySlower);
    });
    return summary;
  }

 private:
  static bool is_peer(const Comparison& c) { return c.peer != kLimit && c.peer != kMemcpy && c.peer != kSlabLimit; }

  Json mean(const Filter& belongs) const {
    std::vector<double> ratios;
    for (const Comparison& c : comparisons_) {
      if (belongs(c)) ratios.push_back(c.ratio.median);
    }
    return ratios.empty() ? Json() : Json(geometric_mean(ratios));
  }

  Json pytorch(const std::string& layout, AllocatorKind allocator, Part part) const {
    return mean([&](const Comparison& c) {
      return c.peer == kPyTorch && c.allocator == allocator && c.is_of(layout) && c.fusion == Fusion::kNone &&
             c.part == part;
    });
  }

  Json onednn(const std::string& layout, Fusion fusion, Part part) const {
    return mean([&](const Comparison& c) {
      return c.peer == kOneDnn && c.is_of(layout) && c.fusion == fusion && c.part == part;
    });
  }

  Json fused() const {
    Json fused;
    for (const std::string layout : {kNchw, kNhwc}) {
      for (const AllocatorKind allocator : {AllocatorKind::kDefault, AllocatorKind::kCaching}) {
        for (const std::string peer : {kPyTorch, kPyTorchInPlace}) {
          const std::string name = peer == kPyTorch ? "pytorch_" : "pytorch_inplace_";
          const std::string suffix = allocator == AllocatorKind::kCaching ? "_caching" : "";
          fused[name + layout + suffix] = mean([&](const Comparison& c) {
            return c.peer == peer && c.allocator == allocator && c.is_of(layout) && c.fusion != Fusion::kNone &&
                   c.part == Part::kTraining;
          });
        }
      }
      fused["onednn_" + layout] = onednn(layout, Fusion::kRelu, Part::kTraining);
    }
    return fused;
  }

  Json limit(const Filter& belongs) const {
    const Caches caches{results_.environment.level2_bytes, results_.environment.last_level_bytes};
    const Json share = mean([&](const Comparison& c) {
      return belongs(c) && c.part == Part::kTraining &&
             above_last_level_cache(results_.shapes[c.shape].elements() * element_type(results_.element).bytes, caches);
    });
    return share.is_null() ? share : Json(1 / share.get<double>());
  }

  Json worst(const Filter& belongs) const {
    const Comparison* smallest = nullptr;
    for (const Comparison& c : comparisons_) {
      if (!is_peer(c) || !belongs(c)) continue;
      if (smallest == nullptr || !(c.ratio.median >= smallest->ratio.median)) smallest = &c;
    }
    if (smallest == nullptr) return nullptr;
    const Comparison& c = *smallest;
    const NamedShape& shape = results_.shapes[c.shape];
    Json worst = {{"ratio", c.ratio.median},
                  {"interval", {c.ratio.low, c.ratio.high}},
                  {"shape", shape.full_name()},
                  {"sizes", {shape.n, shape.c, shape.h, shape.w}},
                  {"layout", c.layout},
                  {"fusion", to_string(c.fusion)},
                  {"level", to_string(c.level)},
                  {"allocator", to_string(c.allocator)},
                  {"peer", c.peer}};
    if (c.part != Part::kTraining) worst["pass"] = to_string(c.part);
    return worst;
  }

  const Results& results_;
  const std::vector<Comparison>& comparisons_;
};

Json to_json(const Environment& e) {
  return {{"cpu", e.cpu},
          {"instruction_set", e.instruction_set},
          {"processors", e.processors},
          {"level2_bytes", e.level2_bytes},
          {"last_level_bytes", e.last_level_bytes},
          {"libtorch", e.libtorch},
          {"onednn", e.onednn},
          {"highway", e.highway},
          {"bnlab", e.bnlab},
          {"commit", e.commit},
          {"date", e.date},
          {"load_before", e.load_before},
          {"load_after", e.load_after}};
}

Json shape_entry(const NamedShape& shape) {
  return {{"name", shape.full_name()}, {"sizes", {shape.n, shape.c, shape.h, shape.w}}};
}

Json to_json(const Comparison& c, const Results& results) {
  return {{"level", to_string(c.level)},
          {"allocator", to_string(c.allocator)},
          {"shape", results.shapes[c.shape].full_name()},
          {"layout", c.layout},
          {"our_layout", c.our_layout},
          {"peer_layout", c.peer_layout},
          {"fusion", to_string(c.fusion)},
          {"part", to_string(c.part)},
          {"peer", c.peer},
          {"ours_ms", 1e3 * c.our_seconds},
          {"peer_ms", 1e3 * c.peer_seconds},
          {"ratio", c.ratio.median},
          {"interval", {c.ratio.low, c.ratio.high}}};
}

Json to_json(const LeftOut& l, const Results& results) {
  Json json = {{"contender", l.contender},
               {"level", to_string(l.level)},
               {"why", to_string(l.why)},
               {"sentence", sentence_of(l, results)}};
  if (l.why == WhyLeftOut::kNotImplemented) {
    json["cases"] = l.cases;
  } else {
    json["allocator"] = to_string(l.allocator);
    json["shape"] = results.shapes[l.shape].full_name();
    json["layout"] = l.layout;
    json["fusion"] = to_string(l.fusion);
  }
  return json;
}

Json to_json(const Measurement& m, const Results& results) {
  Json rounds = Json::array();
  for (const double seconds : m.seconds) rounds.push_back(1e3 * seconds);
  return {{"level", to_string(m.level)},
          {"allocator", to_string(m.allocator)},
          {"shape", results.shapes[m.shape].full_name()},
          {"layout", m.layout},
          {"fusion", to_string(m.fusion)},
          {"pass", to_string(m.step)},
          {"contender", m.contender},
          {"implementation", m.implementation},
          {"calls", m.calls},
          {"ms", 1e3 * median(m.seconds)},
          {"rounds_ms", rounds}};
}

}  // namespace

Json summarize(const Results& results, const std::vector<Comparison>& comparisons) {
  return Summary(results, comparisons).make();
}

Json to_json(const Results& results) {
  constexpr int kSchemaVersion = 1;
  const std::vector<Comparison> all = compare(results);
  Json shapes = Json::array(), comparisons = Json::array(), measurements = Json::array(), ours = Json::array();
  Json left_out = Json::array();
  for (const NamedShape& shape : results.shapes) shapes.push_back(shape_entry(shape));
  for (const Comparison& c : all) comparisons.push_back(to_json(c, results));
  for (const Measurement& m : results.measurements) measurements.push_back(to_json(m, results));
  for (const OurResult& r : results.our_results) {
    ours.push_back({{"shape", results.shapes[r.shape].full_name()},
                    {"layout", r.layout},
                    {"fusion", to_string(r.fusion)},
                    {"digest", r.digest}});
  }
  for (const LeftOut& l : results.left_out) left_out.push_back(to_json(l, results));
  return {{"schema_version", kSchemaVersion},
          {"bnlab", results.environment.bnlab},
          {"environment", to_json(results.environment)},
          {"settings",
           {{"type", results.element},
            {"threads", results.environment.processors.size()},
            {"rounds", results.rounds},
            {"shapes", shapes}}},
          {"summary", summarize(results, all)},
          {"comparisons", comparisons},
          {"measurements", measurements},
          {"our_results", ours},
          {"left_out", left_out}};
}

}  // namespace bnlab::bench
