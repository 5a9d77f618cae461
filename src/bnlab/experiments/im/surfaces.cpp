// The loss between the end points of different optimizers (Im, Tao & Branson 2016, the figures of section 4).
// Run it: bnlab reproduce --only im-surfaces
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "bnlab/experiments/im/surfaces_figures.h"
#include "bnlab/record/number_text.h"

namespace bnlab {
namespace {

using namespace im;

using Judged = std::pair<Claim, Evidence>;

constexpr double kBarrier = 0.1;     // what counts as a barrier, as a share of the loss at its ends: ours
const double kFold = std::log(2.0);  // what counts as another form, or another height: twofold, ours

const std::string kDifferentEnds =
    "(From the same start, different optimizers find different final weights, and the loss rises between any two of "
    "them; paraphrased.)";

Rank rank_of(const Net& net) {
  return net.model == "nin" ? Rank::kPrimary : Rank::kSecondary;
}

/// The barriers between the end of optimizer i and those behind it in the list, in one run.
std::vector<double> barriers_from(RunReader& run, size_t i) {
  std::vector<double> heights;
  for (size_t j = i + 1; j < optimizers().size(); ++j) heights.push_back(barrier(loss_between(run, i, j)));
  return heights;
}

std::vector<double> all_barriers(RunReader& run) {
  std::vector<double> heights;
  for (size_t i = 0; i < optimizers().size(); ++i) {
    for (const double height : barriers_from(run, i)) heights.push_back(height);
  }
  return heights;
}

double least_barrier(RunReader& run) {
  double least = INFINITY;
  for (const double height : all_barriers(run)) lower_to(least, height);
  return least;
}

Judged barrier_claim(const ArmRuns& runs, const Net& net) {
  return {
      {.id = claim_id("barrier", net),
       .sentence = fmt::format("{}: between any two of the five optimizers' end points there is a barrier, higher "
                               "than a tenth of the loss at its ends.",
                               net.label()),
       .quote = kDifferentEnds,
       .statistic = "smallest, over the ten pairs, of the largest excess of the loss over the straight line between "
                    "the losses of the two ends, divided by their mean; the bound, 0.1, is ours",
       .window = "after the last step",
       .unit = "share of the ends' loss",
       .side = Side::above(kBarrier),
       .paper_value = {},
       .rank = rank_of(net)},
      on_surfaces(runs, {net}, each(runs, surfaces(net), least_barrier))};
}

/// By how much the loss grows from an optimizer's end to half as far again from the start, as a logarithm.
double rise_beyond(RunReader& run, size_t i) {
  const std::vector<double> loss = loss_from_start(run, i);
  return loss.empty() ? NAN : std::log(loss.back() / loss[(loss.size() - 1) * 2 / 3]);
}

PerSeed rises(const ArmRuns& runs, const Net& net, size_t i) {
  return each(runs, surfaces(net), [&](RunReader& run) { return rise_beyond(run, i); });
}

Judged form_claim(const ArmRuns& runs, const Net& net) {
  std::vector<PerSeed> all;
  for (size_t i = 0; i < optimizers().size(); ++i) all.push_back(rises(runs, net, i));
  const auto by_mean = [](const PerSeed& a, const PerSeed& b) { return mean_of(a) < mean_of(b); };
  const auto [least, most] = std::minmax_element(all.begin(), all.end(), by_mean);
  const auto name = [&](const auto& it) { return optimizers()[static_cast<size_t>(it - all.begin())].name; };
  return {
      {.id = claim_id("form", net),
       .sentence = fmt::format("{}: the form of the surface differs with the optimizer: half as far again from the "
                               "start, the loss has grown more than twice as much for one as for another.",
                               net.label()),
       .quote = "(The surface around the final weights has a form of its own for each optimizer; paraphrased.)",
       .statistic = fmt::format("ln of the loss at 1.5 of the way from start to end, over that at the end: {} minus "
                                "{}, the optimizers of the largest and the smallest mean over seeds; the bound, ln "
                                "2, is ours",
                                name(most), name(least)),
       .window = "after the last step",
       .unit = "log ratio",
       .side = Side::above(kFold),
       .paper_value = {},
       .rank = rank_of(net)},
      on_surfaces(runs, {net}, minus(*most, *least))};
}

/// Whether BN leaves the height of barriers as it is. `net`: the one with BN.
Judged alike_claim(const ArmRuns& runs, const Net& net, const Net& plain) {
  const auto heights = [&](const Net& of) {
    return each(runs, surfaces(of), [](RunReader& run) { return mean_of(all_barriers(run)); });
  };
  return {
      {.id = "alike-" + net.id,
       .sentence =
           fmt::format("{}: with BN the barriers are about as high as without, less than twofold apart.", net.name),
       .quote = "(The barriers are seen with BN as without; paraphrased.)",
       .statistic = "ln of the ratio, with BN to without, of the mean barrier over the ten pairs, each as a share of "
                    "the ends' loss; the bounds, ± ln 2, are ours",
       .window = "after the last step",
       .unit = "log ratio",
       .side = Side::within(-kFold, kFold),
       .paper_value = {}},
      on_surfaces(runs, {net, plain}, log_ratio(heights(net), heights(plain)))};
}

/// Whether barriers are the optimizers' doing: SGD at another rate is the control.
Judged control_claim(const ArmRuns& runs, const Net& net) {
  const PerSeed effects = each(runs, surfaces(net), [](RunReader& run) {
    return mean_of(barriers_from(run, 0)) - barrier(loss_between(run, 0, optimizers().size()));
  });
  return {{.id = claim_id("more-than-a-rate", net),
           .sentence = fmt::format("{}: the barrier between SGD and another optimizer is higher than between SGD and "
                                   "SGD at four fifths of its rate.",
                                   net.label()),
           .quote = "(Ours: no source states it.)",
           .statistic = "mean barrier between SGD and the four others minus the barrier between SGD at its rate and at "
                        "0.8 of it",
           .window = "after the last step",
           .unit = "share of the ends' loss",
           .side = Side::above(0),
           .paper_value = {}},
          on_surfaces(runs, {net}, effects)};
}

std::vector<Judged> claims(const ArmRuns& runs) {
  std::vector<Judged> all;
  for (const Net& net : nets()) {
    all.push_back(barrier_claim(runs, net));
    all.push_back(form_claim(runs, net));
    if (has_control(net)) all.push_back(control_claim(runs, net));
    const auto plain =
        std::find_if(nets().begin(), nets().end(), [&](const Net& other) { return other.id == net.id && !other.bn; });
    if (net.bn) all.push_back(alike_claim(runs, net, *plain));
  }
  return all;
}

std::vector<std::string> answer(const std::vector<Judged>& all) {
  if (!have_evidence(all)) return {};
  const auto judged = judge(all);
  std::vector<std::string> paragraphs;
  for (const Net& net : nets()) {
    const JudgedClaim& wall = find_claim(judged, claim_id("barrier", net));
    const JudgedClaim& form = find_claim(judged, claim_id("form", net));
    paragraphs.push_back(fmt::format(
        "{}: that any two optimizers' ends have a barrier between them is {} (the lowest is {} of the ends' loss); "
        "that the form of the surface differs with the optimizer {}.",
        net.label(), to_string(wall.verdict), fixed_text(wall.interval.mean, 2), to_string(form.verdict)));
    if (!has_control(net)) continue;
    paragraphs.back() += fmt::format(" That another optimizer leads further apart than another rate is {}.",
                                     to_string(find_claim(judged, claim_id("more-than-a-rate", net)).verdict));
  }
  return paragraphs;
}

Findings findings(const Setting& setting, Results& results) {
  const ArmRuns runs(setting, results);
  const auto all = claims(runs);
  return {{between_figure(runs), barriers_figure(runs), from_start_figure(runs), triangle_figure(runs),
           patch_figure(runs), travelled_figure(runs), im_training_figure(runs)},
          all,
          {},
          answer(all)};
}

}  // namespace

Experiment im_surfaces() {
  return {"im-surfaces",
          "The loss between the ends of different optimizers",
          {"M24"},
          kSource,
          "the one- and two-dimensional projections of section 4",
          "Do different optimizers, from the same start, end in the same place, and what lies between their ends?",
          plan,
          what_was_run,
          findings,
          {.chapter = Chapter::kWhyItWorks,
           .plainly = "One network is trained by five optimizers from the same weights on the same images, and then "
                      "the weights of two finished networks are mixed. If the loss of the mixtures rises above that of "
                      "both, the two sit in different valleys.",
           .headline = "barrier-nin-bn",
           .in_short = "Different optimizers end in different valleys of the loss, with BN, too."}};
}

}  // namespace bnlab
