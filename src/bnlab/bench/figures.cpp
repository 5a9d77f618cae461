#include "bnlab/bench/figures.h"

#include <fmt/format.h>

#include <functional>

#include "bnlab/bench/comparison.h"
#include "bnlab/bench/ratio_chart.h"
#include "bnlab/bench/results.h"

namespace bnlab::bench {
namespace {

constexpr char kTimeTitle[] = "time relative to bnlab's, forward + backward pass (bnlab = 1; longer is slower)";

/// Bars of one colour, with the comparisons that they show.
struct Series {
  RatioSeries look;
  std::function<bool(const Json&)> belongs;
};

bool is(const Json& comparison, const char* key, const char* value) {
  return comparison.at(key) == value;
}

/// "vgg-a/conv1  128×64×32×32"
std::string label_of(const std::string& name, const Json& bench) {
  for (const Json& shape : bench.at("settings").at("shapes")) {
    if (shape.at("name") != name) continue;
    const Json& s = shape.at("sizes");
    return fmt::format("{}  {}×{}×{}×{}", name, s.at(0).get<int>(), s.at(1).get<int>(), s.at(2).get<int>(),
                       s.at(3).get<int>());
  }
  return name;
}

Json chart(const Json& bench, const std::vector<Series>& all_series) {
  std::vector<RatioValue> values;
  std::vector<RatioSeries> looks;
  for (const Series& series : all_series) looks.push_back(series.look);
  for (const Json& c : bench.at("comparisons")) {
    if (!is(c, "part", "training")) continue;
    for (const Series& series : all_series) {
      if (!series.belongs(c)) continue;
      values.push_back({label_of(c.at("shape"), bench), series.look.name, c.at("ratio"), c.at("interval").at(0),
                        c.at("interval").at(1), c.at("peer_ms"), c.at("ours_ms")});
    }
  }
  return ratio_chart(values, looks, kTimeTitle);
}

std::function<bool(const Json&)> of(const char* peer, const char* allocator, const std::string& layout,
                                    const char* fusion) {
  return [=](const Json& c) {
    return is(c, "peer", peer) && is(c, "allocator", allocator) && is(c, "fusion", fusion) &&
           (c.at("layout") == layout || is(c, "layout", kMatrix));
  };
}

constexpr char kHowToRead[] =
    "Each row is a batch as it occurs in the named network: N examples, C channels, H×W pixels. A bar shows how many "
    "times as long as bnlab another library takes for it; the thin line over its end is the interval that holds the "
    "median over the rounds. Bars begin at the dashed line, which is bnlab itself: to its right the other is slower, "
    "to "
    "its left faster. The axis is logarithmic.";
constexpr char kWhatTheyCompare[] =
    "The green mark is the time that moving the same memory takes without any arithmetic: no implementation can be "
    "much left of it. PyTorch's bars compare operators as a user calls them, each with the memory that it takes for "
    "its "
    "outputs: PyTorch's from its allocator, bnlab's from blocks that it keeps; and once more with PyTorch, too, taking "
    "its memory there. oneDNN's bars and the limit compare what happens inside, with outputs allocated beforehand.";

std::vector<Series> plain_series(const std::string& layout) {
  return {{{"PyTorch", "#c96a28"}, of(kPyTorch, "default", layout, "plain")},
          {{"PyTorch with bnlab's allocator", "#e3b48f"}, of(kPyTorch, "caching", layout, "plain")},
          {{"oneDNN", "#2b6296"}, of(kOneDnn, "none", layout, "plain")},
          {{"limit of memory", "#3f8f6b", true}, of(kLimit, "none", layout, "plain")}};
}

Figure channels_first(const Json& bench) {
  return {kNchw, "Batch normalization, channels first (NCHW)",
          fmt::format("Memory holds one channel's image after another, which is PyTorch's default. {} {}", kHowToRead,
                      kWhatTheyCompare),
          chart(bench, plain_series(kNchw))};
}

Figure channels_last(const Json& bench) {
  return {kNhwc, "Batch normalization, channels last (NHWC)",
          "Memory holds all channels of a pixel side by side, the order that convolutions on a CPU prefer. Bars, lines "
          "and marks are those of the figure above.",
          chart(bench, plain_series(kNhwc))};
}

Figure fused(const Json& bench) {
  return {"fused", "BN with what follows it, channels last (NHWC), against PyTorch's separate operators",
          "A network hardly ever uses BN alone: a ReLU follows, in residual networks after an addition. bnlab does all "
          "of it in the same pass over memory, PyTorch runs one operator after the other.",
          chart(bench, {{{"BN + ReLU", "#c96a28"}, of(kPyTorch, "default", kNhwc, "relu")},
                        {{"BN + addition + ReLU", "#8a5aa0"}, of(kPyTorch, "default", kNhwc, "add-relu")}})};
}

std::string text(const Json& ratio) {
  return ratio.is_number() ? fmt::format("{:.2f}", ratio.get<double>()) : std::string("not measured");
}

Json what_was_run(const Json& bench) {
  const Json& e = bench.at("environment");
  const Json& s = bench.at("settings");
  const auto word = [&](const char* key) { return e.at(key).get<std::string>(); };
  return {fmt::format("bnlab bench on {}, {}, {} threads, each bound to a core, elements of type {}; libtorch {}, "
                      "oneDNN {}, Highway {}, bnlab {} at commit {}, {}.",
                      word("cpu"), word("instruction_set"), s.at("threads").get<int>(), s.at("type").get<std::string>(),
                      word("libtorch"), word("onednn"), word("highway"), word("bnlab"), word("commit"), word("date")),
          fmt::format(
              "All libraries run in one process, in turns: {} rounds, in each of which every contender is timed "
              "once. A figure is the median over the rounds of the ratio of two times of the same round. "
              "Before a batch is timed, the contenders' results on it are compared; a library whose result is wrong "
              "is left out there.",
              s.at("rounds").get<int>())};
}

Json notes(const Json& bench) {
  constexpr std::size_t kMostNotes = 6;
  const Json& s = bench.at("summary");
  Json notes = {fmt::format(
      "Geometric means over the batches of the time relative to bnlab's, forward + backward pass: PyTorch "
      "{} (NCHW) and {} (NHWC), with PyTorch, too, on bnlab's allocator {} and {}; oneDNN {} and {}, and {} where "
      "each side uses its fastest order of memory; BN + ReLU and BN + addition + ReLU in PyTorch's "
      "separate operators {} (NHWC).",
      text(s.at("pytorch").at(kNchw)), text(s.at("pytorch").at(kNhwc)), text(s.at("pytorch_caching").at(kNchw)),
      text(s.at("pytorch_caching").at(kNhwc)), text(s.at("onednn").at(kNchw)), text(s.at("onednn").at(kNhwc)),
      text(s.at("onednn").at("best_layout")), text(s.at("fused").at("pytorch_nhwc")))};
  if (s.at("limit").is_number()) {
    notes.push_back(
        fmt::format("Where a batch does not fit the processor's caches, bnlab takes {} times the limit of "
                    "memory (geometric mean).",
                    text(s.at("limit"))));
  }
  for (const Json& left_out : bench.value("left_out", Json::array())) {  // older records have none
    if (notes.size() > kMostNotes) break;
    notes.push_back(left_out.at("sentence"));
  }
  return notes;
}

}  // namespace

std::vector<Figure> figures(const Json& bench) {
  std::vector<Figure> all = {channels_first(bench), channels_last(bench), fused(bench)};
  std::erase_if(all, [](const Figure& figure) { return figure.spec["data"]["values"].empty(); });
  return all;
}

void add_to_report(const Json& bench, Json& report) {
  for (const Figure& figure : figures(bench)) {
    report["figures"].push_back({{"experiment", kSectionName},
                                 {"id", figure.id},
                                 {"title", figure.title},
                                 {"caption", figure.caption},
                                 {"spec", figure.spec}});
  }
  report["experiments"].push_back(
      {{"name", kSectionName},
       {"title", "The operator against PyTorch and oneDNN"},
       {"question",
        "How long does batch normalization take here, beside the libraries that most programs use, and beside the time "
        "that its memory traffic alone would take?"},
       {"source", "bnlab bench"},
       {"figure", ""},
       {"rows", Json::array()},
       {"what_was_run", what_was_run(bench)},
       {"paper_numbers", Json::array()},
       {"cost", {{"runs", nullptr}, {"cpu_seconds", nullptr}, {"seconds", nullptr}, {"probe_seconds", nullptr}}},
       {"state", "complete"},
       {"notes", notes(bench)}});
}

}  // namespace bnlab::bench
