#include "bnlab/bench/comparison.h"

#include <algorithm>
#include <map>
#include <tuple>

namespace bnlab::bench {
namespace {

using kernels::Fusion;
using Rounds = std::vector<double>;

constexpr Part kParts[] = {Part::kTraining, Part::kForwardTraining, Part::kForwardEvaluation, Part::kBackward};

/// Everything of a batch that is the same on both sides of a ratio; a layout belongs to each side.
struct Group {
  Level level;
  AllocatorKind allocator;
  std::size_t shape;
  Fusion fusion;

  auto operator<=>(const Group&) const = default;
};

class Times {
 public:
  explicit Times(const Results& results) {
    for (const Measurement& m : results.measurements) {
      const Group group{m.level, m.allocator, m.shape, m.fusion};
      if (!layouts_.contains(group)) groups_.push_back(group);
      auto& layouts = layouts_[group][m.contender];
      if (std::find(layouts.begin(), layouts.end(), m.layout) == layouts.end()) layouts.push_back(m.layout);
      seconds_[{group, m.layout, m.contender, m.step}] = &m.seconds;
    }
  }

  [[nodiscard]] const std::vector<Group>& groups() const { return groups_; }

  [[nodiscard]] std::vector<std::string> layouts(const Group& group, const std::string& contender) const {
    const auto& contenders = layouts_.at(group);
    const auto found = contenders.find(contender);
    return found == contenders.end() ? std::vector<std::string>{} : found->second;
  }

  [[nodiscard]] std::optional<Rounds> of(const Group& group, const std::string& layout, const std::string& contender,
                                         Part part) const {
    if (part != Part::kTraining) return step(group, layout, contender, step_of(part));
    const auto forward = step(group, layout, contender, Step::kForwardTraining);
    const auto backward = step(group, layout, contender, Step::kBackward);
    if (!forward || !backward) return std::nullopt;
    return sums(*forward, *backward);
  }

 private:
  static Step step_of(Part part) {
    if (part == Part::kBackward) return Step::kBackward;
    return part == Part::kForwardEvaluation ? Step::kForwardEvaluation : Step::kForwardTraining;
  }

  std::optional<Rounds> step(const Group& group, const std::string& layout, const std::string& contender,
                             Step step) const {
    if (contender == kLimit) return faster(group, layout, kMemcpy, kStreaming, step);
    if (contender == kSlabLimit) return faster(group, layout, kSlabs, kStreamingSlabs, step);
    const auto found = seconds_.find({group, layout, contender, step});
    return found == seconds_.end() ? std::nullopt : std::optional(*found->second);
  }

  /// `one` where there is no other.
  std::optional<Rounds> faster(const Group& group, const std::string& layout, const char* one, const char* other,
                               Step at) const {
    const auto first = step(group, layout, one, at), second = step(group, layout, other, at);
    if (!first || !second) return first;
    return median(*second) < median(*first) ? second : first;
  }

  std::vector<Group> groups_;
  std::map<Group, std::map<std::string, std::vector<std::string>>> layouts_;
  std::map<std::tuple<Group, std::string, std::string, Step>, const Rounds*> seconds_;
};

class Comparer {
 public:
  explicit Comparer(const Results& results) : times_(results) {}

  std::vector<Comparison> run() {
    for (const Group& group : times_.groups()) {
      for (const std::string& layout : times_.layouts(group, kOurs)) {
        for (const char* peer : {kPyTorch, kPyTorchInPlace, kOneDnn, kMemcpy, kLimit, kSlabLimit}) {
          for (const Part part : kParts) add(group, part, peer, layout, layout, layout);
        }
      }
      for (const Part part : kParts) {
        const auto ours = fastest(group, kOurs, part), peer = fastest(group, kOneDnn, part);
        if (ours && peer) add(group, part, kOneDnn, kBest, *ours, *peer);
      }
    }
    return std::move(comparisons_);
  }

 private:
  std::optional<std::string> fastest(const Group& group, const std::string& contender, Part part) const {
    std::optional<std::string> best;
    double best_seconds = 0;
    for (const std::string& layout : times_.layouts(group, contender)) {
      const auto rounds = times_.of(group, layout, contender, part);
      if (!rounds || (best && !(median(*rounds) < best_seconds))) continue;
      best = layout;
      best_seconds = median(*rounds);
    }
    return best;
  }

  void add(const Group& group, Part part, const std::string& peer, const std::string& layout,
           const std::string& our_layout, const std::string& peer_layout) {
    const auto ours = times_.of(group, our_layout, kOurs, part), theirs = times_.of(group, peer_layout, peer, part);
    if (!ours || !theirs) return;
    comparisons_.push_back({group.level, group.allocator, group.shape, layout, group.fusion, part, peer, our_layout,
                            peer_layout, median(*ours), median(*theirs), paired_ratio(*theirs, *ours)});
  }

  Times times_;
  std::vector<Comparison> comparisons_;
};

}  // namespace

std::string to_string(Part part) {
  switch (part) {
    case Part::kTraining:
      return "training";
    case Part::kForwardTraining:
      return "forward-training";
    case Part::kForwardEvaluation:
      return "forward-evaluation";
    case Part::kBackward:
      break;
  }
  return "backward";
}

std::vector<Comparison> compare(const Results& results) {
  return Comparer(results).run();
}

}  // namespace bnlab::bench
