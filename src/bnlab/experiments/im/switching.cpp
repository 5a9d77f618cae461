// Where a run ends whose optimizer is exchanged on the way (Im, Tao & Branson 2016, section 4).
// Run it: bnlab reproduce --only im-switching
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "bnlab/experiments/im/im.h"
#include "bnlab/record/number_text.h"
#include "bnlab/study/curves.h"

namespace bnlab {
namespace {

using namespace im;

using Judged = std::pair<Claim, Evidence>;

constexpr double kBarrier = 0.1, kOff = 0.1;  // what counts as a barrier, and as off the line: ours
const std::vector<int64_t> kPercents = {25, 50, 75};
const Optimizer& sgd() {
  return optimizers()[0];
}
const Optimizer& adam() {
  return optimizers()[1];
}

std::vector<Net> switched_nets() {
  std::vector<Net> all;
  for (const Net& net : nets()) {
    if (net.model == "nin") all.push_back(net);
  }
  return all;
}

/// A change of optimizer after a share of the steps.
struct Change {
  bool to_adam;
  int64_t percent;
  const Optimizer& first() const { return to_adam ? sgd() : adam(); }
  const Optimizer& second() const { return to_adam ? adam() : sgd(); }
  std::string direction() const { return first().name + " → " + second().name; }
  std::string name() const { return fmt::format("{} at {} %", direction(), percent); }
  /// The later the darker.
  ArmStyle style() const {
    const double share = percent == 25 ? 0.6 : percent == 50 ? 0.3 : 0;
    return {name(), mixed(to_adam ? colors::kRed : colors::kBlue, colors::kPaper, share)};
  }
};

/// In the order of the analysis's inputs, which the two pure runs begin.
std::vector<Change> changes() {
  std::vector<Change> all;
  for (const bool to_adam : {true, false}) {
    for (const int64_t percent : kPercents) all.push_back({to_adam, percent});
  }
  return all;
}
size_t input_of(const Change& change) {
  const auto place = std::find(kPercents.begin(), kPercents.end(), change.percent) - kPercents.begin();
  return 2 + (change.to_adam ? 0 : kPercents.size()) + static_cast<size_t>(place);
}
/// 0: SGD, 1: Adam.
size_t input_of_first(const Change& change) {
  return change.to_adam ? 0 : 1;
}

Arm switched(const Net& net, const Change& change) {
  ArmStyle style = change.style();
  style.arm = net.label() + ", " + style.arm;
  return {style, [=](const Setting& setting, int64_t seed) {
            TrainSpec spec = trained(net, change.first()).spec(setting, seed);
            spec.optimizer.name = "switch";
            spec.optimizer.options = {{"first", change.first().kind},
                                      {"second", change.second().kind},
                                      {"at", static_cast<double>(spec.steps * change.percent / 100)},
                                      {"factor", change.second().rate / change.first().rate}};
            return spec;
          }};
}

std::vector<Arm> arms_of(const Net& net) {
  std::vector<Arm> arms = {trained(net, sgd()), trained(net, adam())};
  for (const Change& change : changes()) arms.push_back(switched(net, change));
  return arms;
}

/// The analysis of all eight ends.
Arm ends(const Net& net) {
  return {{net.label() + ", ends", net.bn ? colors::kRed : colors::kBlue}};
}

Plan switching_plan(const Setting& setting) {
  const Protocol p = protocol(setting.scale);
  Plan plan(setting);
  for (const Net& net : switched_nets()) {
    const std::vector<Arm> arms = arms_of(net);
    add_runs(plan, setting, arms);
    for (const int64_t seed : setting.seeds) {
      std::vector<std::string> inputs;
      for (const Arm& arm : arms) inputs.push_back(plan.run(arm.name(), seed).id);
      const Json parameters = {{"images", p.images}, {"parts", p.parts}, {"hubs", 2}};
      plan.add(ends(net).name(), seed, "surfaces between the ends of " + net.label() + ", optimizers switched",
               AnalysisSpec{"loss-surfaces", parameters, inputs});
    }
  }
  return plan;
}

std::vector<std::string> what_was_switched(const Setting& setting) {
  const Protocol p = protocol(setting.scale);
  return {fmt::format(
              "The Network in Network of im-surfaces ({} of its width, with BN and without, {} steps on {}, {} seed{}) "
              "is trained by SGD at rate {} and by Adam at {}, and six times more with the optimizer exchanged after "
              "25, 50 or 75 % of the steps: SGD for Adam, or Adam for SGD. The second one begins with an empty memory "
              "of gradients. All eight runs of a seed start from the same weights and see the same batches, so that a "
              "switched run is, up to the switch, the pure one.",
              p.nin_width, p.nin_steps, setting.data.title, setting.seeds.size(), setting.seeds.size() == 1 ? "" : "s",
              sgd().rate, adam().rate),
          how_measured(setting)};
}

double distance_between(RunReader& run, size_t i, size_t j) {
  const auto layer = static_cast<int64_t>(i) + 1;
  return run.scalar_at({"loss-surfaces", layer, fmt::format("to_{}_distance", j + 1)}, 0).value_or(NAN);
}

/// A switched run's end beside the line from SGD's (0) to Adam's (1), in units of its length.
struct Place {
  double along, off;
};
Place place_of(RunReader& run, const Change& change) {
  const double whole = distance_between(run, 0, 1), a = distance_between(run, 0, input_of(change)) / whole,
               b = distance_between(run, 1, input_of(change)) / whole;
  const double along = (a * a + 1 - b * b) / 2;
  return {along, std::sqrt(std::max(0.0, a * a - along * along))};
}

/// The barrier between a switched run's end and that of a pure one.
double barrier_to(RunReader& run, size_t pure, const Change& change) {
  return barrier(loss_between(run, pure, input_of(change)));
}

Evidence on_ends(const ArmRuns& runs, const Net& net, const std::function<double(RunReader& run)>& number) {
  std::vector<Arm> arms = arms_of(net);
  const Precondition all_learned = learned(runs, arms, scored(net, runs.setting()));
  arms.push_back(ends(net));
  return paired(runs, arms, {all_learned}, each(runs, ends(net), number));
}

Judged off_claim(const ArmRuns& runs, const Net& net) {
  return {
      {.id = claim_id("off-the-line", net),
       .sentence = fmt::format("{}: a run whose optimizer is exchanged ends off the line between the ends of the "
                               "two pure runs.",
                               net.label()),
       .quote = "(A run that switches ends in a place of its own, not between those of the two algorithms; "
                "paraphrased.)",
       .statistic = "distance of a switched run's end from the straight line through the ends of SGD and of Adam, "
                    "over the distance of these two; the smallest of the six switched runs; the bound, 0.1, is ours",
       .window = "after the last step",
       .unit = "share of the line's length",
       .side = Side::above(kOff),
       .paper_value = {},
       .rank = Rank::kPrimary},
      on_ends(runs, net, [](RunReader& run) {
        double least = INFINITY;
        for (const Change& change : changes()) lower_to(least, place_of(run, change).off);
        return least;
      })};
}

/// `percent`: when it is switched. To the end of the first optimizer's own run, or of the second's.
Judged wall_claim(const ArmRuns& runs, const Net& net, int64_t percent, bool to_first, const std::string& what,
                  const std::string& sentence, Rank rank) {
  return {
      {.id = claim_id(what, net),
       .sentence = net.label() + ": " + sentence,
       .quote = "(After a switch, early or late, the second algorithm leads to another solution, with a rise of the "
                "loss between; paraphrased.)",
       .statistic = fmt::format("barrier between the end of the run switched at {} % and that of the {} optimizer's "
                                "own run, as a share of the ends' mean loss; the lower one of SGD → Adam and Adam → "
                                "SGD; the bound, 0.1, is ours",
                                percent, to_first ? "first" : "second"),
       .window = "after the last step",
       .unit = "share of the ends' loss",
       .side = Side::above(kBarrier),
       .paper_value = {},
       .rank = rank},
      on_ends(runs, net, [=](RunReader& run) {
        double least = INFINITY;
        for (const bool to_adam : {true, false}) {
          const Change change{to_adam, percent};
          const size_t first = input_of_first(change);
          lower_to(least, barrier_to(run, to_first ? first : 1 - first, change));
        }
        return least;
      })};
}

Judged nearer_claim(const ArmRuns& runs, const Net& net) {
  return {{.id = claim_id("later-is-nearer", net),
           .sentence = fmt::format("{}: the later the switch, the nearer a run ends to where its first optimizer alone "
                                   "would have led.",
                                   net.label()),
           .quote = "(Ours: no source states it.)",
           .statistic = "ln of the ratio, switched at 75 % to at 25 %, of the distance to the end of the first "
                        "optimizer's own run; mean of SGD → Adam and Adam → SGD",
           .window = "after the last step",
           .unit = "log ratio",
           .side = Side::below(0),
           .paper_value = {}},
          on_ends(runs, net, [](RunReader& run) {
            double sum = 0;
            for (const bool to_adam : {true, false}) {
              const Change late{to_adam, 75}, early{to_adam, 25};
              sum += std::log(distance_between(run, input_of_first(late), input_of(late)) /
                              distance_between(run, input_of_first(early), input_of(early)));
            }
            return sum / 2;
          })};
}

std::vector<Judged> claims(const ArmRuns& runs) {
  std::vector<Judged> all;
  for (const Net& net : switched_nets()) {
    all.push_back(off_claim(runs, net));
    all.push_back(wall_claim(runs, net, 75, true, "leaves-even-late",
                             "switched as late as at 75 %, a run is led into another valley than its first optimizer's "
                             "own.",
                             Rank::kPrimary));
    all.push_back(wall_claim(runs, net, 25, false, "not-where-the-second-leads",
                             "switched as early as at 25 %, a run does not end where its second optimizer alone leads.",
                             Rank::kSecondary));
    all.push_back(nearer_claim(runs, net));
  }
  return all;
}

using Draw = std::function<Json(const Net& net)>;

Json by_switched_net(const Draw& chart) {
  std::vector<Panel> all;
  for (const Net& net : switched_nets()) all.push_back({net.label(), chart(net)});
  return panels(all, 2);
}

std::vector<ArmStyle> change_styles() {
  std::vector<ArmStyle> styles;
  for (const Change& change : changes()) styles.push_back(change.style());
  return styles;
}

Figure places_figure(const ArmRuns& runs) {
  return {"a", "Where switched runs end",
          "A point is the end of a run, a seed each. Black: the pure runs, SGD at the left, Adam at the right. Across: "
          "how far along the line from the one to the other; up: how far beside it, both in units of their distance. "
          "If a switched run ended between the two, its point would lie on the floor; the later the switch, the darker "
          "the point.",
          by_switched_net([&](const Net& net) {
            std::vector<BandPoint> points;
            for (RunReader* run : runs.of(ends(net))) {
              for (const double x : {0.0, 1.0}) points.push_back({"pure", x, 0, 0, 0});
              for (const Change& change : changes()) {
                const Place at = place_of(*run, change);
                points.push_back({change.name(), at.along, at.off, at.off, at.off});
              }
            }
            std::vector<ArmStyle> styles = change_styles();
            styles.push_back({"pure", colors::kInk});
            return scatter_chart(points, styles, "along the line from SGD (0) to Adam (1)", "beside the line");
          })};
}

Figure walls_figure(const ArmRuns& runs) {
  return {
      "b", "The barrier to the first optimizer's own end",
      "How much the loss rises between the end of a switched run and the end that its first optimizer reaches when "
      "it is left alone, as a share of the loss at the two (bars: mean over seeds, lines: 95 % intervals). Up to the "
      "switch the two runs are one. At 75 % the first optimizer has done most of the work: is there still a wall?",
      by_switched_net([&](const Net& net) {
        std::vector<Bar> bars;
        for (const Change& change : changes()) {
          const PerSeed heights =
              each(runs, ends(net), [&](RunReader& run) { return barrier_to(run, input_of_first(change), change); });
          if (heights.empty()) continue;
          const PairedInterval it = paired_interval(heights);
          bars.push_back(
              {fmt::format("switched at {} %", change.percent), change.direction(), it.mean, it.low, it.high});
        }
        const std::vector<ArmStyle> styles = {{Change{true, 25}.direction(), colors::kRed},
                                              {Change{false, 25}.direction(), colors::kBlue}};
        return bar_chart(bars, styles, "", "barrier (share of the loss)");
      })};
}

Figure switched_training_figure(const ArmRuns& runs) {
  return {
      "c", "Training loss, switched and pure",
      "Loss of the batches (mean over seeds; logarithmic). A switched run follows its first optimizer's curve up to "
      "the switch. What happens then: does it jump, and does it come down again to the pure runs?",
      by_switched_net([&](const Net& net) {
        std::vector<BandPoint> points;
        const auto append = [&](const Arm& arm, const std::string& name) {
          for (const BandPoint& p : loss_curves(runs, {arm})) points.push_back({name, p.x, p.mean, p.mean, p.mean});
        };
        append(trained(net, sgd()), "SGD");
        append(trained(net, adam()), "Adam");
        for (const Change& change : changes()) append(switched(net, change), change.name());
        std::vector<ArmStyle> styles = change_styles();
        styles.push_back({"SGD", colors::kBlue, {6, 4}});
        styles.push_back({"Adam", colors::kRed, {6, 4}});
        return band_chart(points, styles, "training step", "training loss (logarithmic)", {.log_y = true});
      })};
}

std::vector<std::string> answer(const std::vector<Judged>& all) {
  if (!have_evidence(all)) return {};
  const auto judged = judge(all);
  std::vector<std::string> paragraphs;
  for (const Net& net : switched_nets()) {
    const auto said = [&](const std::string& what) -> const JudgedClaim& {
      return find_claim(judged, claim_id(what, net));
    };
    const auto measured = [&](const std::string& what) {
      const double mean = said(what).interval.mean;
      return std::isfinite(mean) ? fixed_text(mean, 2) : std::string("an unknown share");
    };
    paragraphs.push_back(fmt::format(
        "{}: that all switched runs end off the line between the pure ones is {} (the nearest is {} of its length "
        "beside it); that even a switch at 75 % leads into another valley is {} (lower barrier of the two: {} of "
        "the loss); that a later switch ends nearer to the first optimizer's own end is {}.",
        net.label(), to_string(said("off-the-line").verdict), measured("off-the-line"),
        to_string(said("leaves-even-late").verdict), measured("leaves-even-late"),
        to_string(said("later-is-nearer").verdict)));
  }
  return paragraphs;
}

Findings findings(const Setting& setting, Results& results) {
  const ArmRuns runs(setting, results);
  const auto all = claims(runs);
  return {{places_figure(runs), walls_figure(runs), switched_training_figure(runs)}, all, {}, answer(all)};
}

}  // namespace

Experiment im_switching() {
  return {"im-switching",
          "Switching the optimizer on the way",
          {"M24"},
          kSource,
          "the switched runs of section 4",
          "If one optimizer takes over from another in the middle of training, where does the run end: where the "
          "first, or where the second alone would have led, or between them?",
          switching_plan,
          what_was_switched,
          findings,
          {.chapter = Chapter::kWhyItWorks,
           .plainly = "A network is trained by one optimizer and, from some step on, by another. Its end is drawn "
                      "beside the line that joins the ends of the two optimizers alone: on the line, the switch led "
                      "between them; far beside it, to a place of its own."}};
}

}  // namespace bnlab
