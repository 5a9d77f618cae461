// Whether the loss between end points looks alike in every run (Im, Tao & Branson 2016, section 4). The runs are those
// of im-surfaces. Run it: bnlab reproduce --only im-consistency
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "bnlab/experiments/im/im.h"
#include "bnlab/study/curves.h"

namespace bnlab {
namespace {

using namespace im;

using Judged = std::pair<Claim, Evidence>;
using Profile = std::vector<double>;  // ln of the loss at the points of lines, one behind the other
using ProfileOf = std::function<Profile(RunReader& run)>;

void append_logs(Profile& profile, const std::vector<double>& loss) {
  for (const double value : loss) profile.push_back(std::log(value));
}

/// Of the lines between all pairs of the five optimizers' ends.
Profile between_ends(RunReader& run) {
  Profile profile;
  for (size_t i = 0; i < optimizers().size(); ++i) {
    for (size_t j = i + 1; j < optimizers().size(); ++j) append_logs(profile, loss_between(run, i, j));
  }
  return profile;
}

/// Of the lines from the start through each of the five ends.
Profile from_starts(RunReader& run) {
  Profile profile;
  for (size_t i = 0; i < optimizers().size(); ++i) append_logs(profile, loss_from_start(run, i));
  return profile;
}

std::vector<Profile> profiles(const ArmRuns& runs, const Net& net, const ProfileOf& profile) {
  std::vector<Profile> all;
  for (RunReader* run : runs.of(surfaces(net))) all.push_back(profile(*run));
  return all;
}

/// Standard deviation over the runs at `places` of ln loss, root mean square over the points. NaN for fewer than two,
/// or if one has no lines.
double spread(const std::vector<Profile>& all, const std::vector<size_t>& places) {
  if (places.size() < 2) return NAN;
  const double count = static_cast<double>(places.size());
  const size_t points = all[places.front()].size();
  for (const size_t place : places) {
    if (all[place].size() != points) return NAN;
  }
  double sum = 0;
  for (size_t k = 0; k < points; ++k) {
    double mean = 0;
    for (const size_t place : places) mean += all[place][k] / count;
    for (const size_t place : places) sum += std::pow(all[place][k] - mean, 2) / (count - 1);
  }
  return std::sqrt(sum / static_cast<double>(points));
}

/// Pseudo-values of ln spread.
PerSeed log_spread(const ArmRuns& runs, const Net& net, const ProfileOf& profile) {
  const std::vector<Profile> all = profiles(runs, net, profile);
  return pseudo_values(all.size(), [&](const std::vector<size_t>& places) { return std::log(spread(all, places)); });
}

/// The mean of an optimizer's profiles in every seed but this one; NaN where one has no lines.
Profile mean_of_others(const std::vector<Profile>& of_optimizer, size_t seed) {
  Profile mean(of_optimizer[seed].size(), 0.0);
  for (size_t s = 0; s < of_optimizer.size(); ++s) {
    for (size_t k = 0; s != seed && k < mean.size(); ++k) {
      const double value = k < of_optimizer[s].size() ? of_optimizer[s][k] : NAN;
      mean[k] += value / static_cast<double>(of_optimizer.size() - 1);
    }
  }
  return mean;
}

double distance(const Profile& a, const Profile& b) {
  double squares = 0;
  for (size_t k = 0; k < a.size(); ++k) squares += (a[k] - b[k]) * (a[k] - b[k]);
  return a.empty() ? NAN : std::sqrt(squares);
}

/// [seed][optimizer]: the optimizer whose mean profile over the other seeds is the nearest to this run's, or none if
/// two are as near, or there are no others.
std::vector<std::vector<size_t>> recognized(const ArmRuns& runs, const Net& net) {
  std::vector<std::vector<Profile>> all;  // [optimizer][seed]
  for (size_t i = 0; i < optimizers().size(); ++i) {
    all.push_back(profiles(runs, net, [&](RunReader& run) {
      Profile profile;
      append_logs(profile, loss_from_start(run, i));
      return profile;
    }));
  }
  const size_t seeds = all.front().size(), none = optimizers().size();
  std::vector<std::vector<size_t>> nearest(seeds, std::vector<size_t>(none, none));
  for (size_t seed = 0; seeds > 1 && seed < seeds; ++seed) {
    for (size_t i = 0; i < none; ++i) {
      double least = INFINITY;
      for (size_t other = 0; other < none; ++other) {
        const double off = distance(all[i][seed], mean_of_others(all[other], seed));
        if (off == least) nearest[seed][i] = none;
        if (off < least) nearest[seed][i] = other;
        lower_to(least, off);
      }
    }
  }
  return nearest;
}

Judged spread_claim(const ArmRuns& runs, const Net& net, const Net& plain, const std::string& id,
                    const std::string& lines, const ProfileOf& profile, Rank rank) {
  return {
      {.id = id,
       .sentence = fmt::format("{}: with BN the loss {} is more alike from run to run than without.", net.name, lines),
       .quote = "(With BN the projected loss surface is consistent over repeated runs, without it varies; "
                "paraphrased.)",
       .statistic = fmt::format("ln of the ratio, with BN to without, of the spread: the standard deviation over "
                                "seeds of ln loss, root mean square over all points of the lines {}. One number an "
                                "arm: judged on its jackknife pseudo-values, a seed left out at a time",
                                lines),
       .window = "after the last step",
       .unit = "log ratio",
       .side = Side::below(0),
       .paper_value = {},
       .rank = rank},
      on_surfaces(runs, {net, plain}, minus(log_spread(runs, net, profile), log_spread(runs, plain, profile)))};
}

Judged recognition_claim(const ArmRuns& runs, const Net& net) {
  PerSeed shares;
  for (const auto& of_seed : recognized(runs, net)) {
    double right = 0;
    for (size_t i = 0; i < of_seed.size(); ++i) right += of_seed[i] == i ? 1 : 0;
    shares.push_back(right / static_cast<double>(of_seed.size()));
  }
  const double chance = 1.0 / static_cast<double>(optimizers().size());
  return {
      {.id = claim_id("characteristic", net),
       .sentence = fmt::format("{}: each optimizer leaves a surface of its own: it can be told from the others by "
                               "what it did in other runs.",
                               net.label()),
       .quote = "(Each algorithm makes choices that are characteristic of it, consistently over re-runs; "
                "paraphrased.)",
       .statistic = "share of the five optimizers whose ln loss from the start through the end is nearer to the mean "
                    "of their own over the other seeds than to any other optimizer's; guessing: 0.2",
       .window = "after the last step",
       .unit = "share",
       .side = Side::above(chance),
       .paper_value = {},
       .rank = net.bn ? Rank::kPrimary : Rank::kSecondary},
      on_surfaces(runs, {net}, shares)};
}

/// The networks with BN, each with its twin without.
std::vector<std::pair<Net, Net>> twins() {
  std::vector<std::pair<Net, Net>> all;
  for (const Net& net : nets()) {
    for (const Net& plain : nets()) {
      if (net.bn && !plain.bn && net.id == plain.id) all.emplace_back(net, plain);
    }
  }
  return all;
}

std::vector<Judged> claims(const ArmRuns& runs) {
  std::vector<Judged> all;
  for (const auto& [net, plain] : twins()) {
    all.push_back(spread_claim(runs, net, plain, "bn-consistent-" + net.id, "between the optimizers' ends",
                               between_ends, Rank::kPrimary));
    all.push_back(spread_claim(runs, net, plain, "bn-consistent-from-start-" + net.id,
                               "from the start through the ends", from_starts, Rank::kSecondary));
    all.push_back(recognition_claim(runs, net));
    all.push_back(recognition_claim(runs, plain));
  }
  return all;
}

Figure every_seed_figure(const ArmRuns& runs) {
  std::vector<std::string> names;
  for (const int64_t seed : runs.setting().seeds) names.push_back(fmt::format("seed {}", seed));
  std::vector<Panel> all;
  for (const Net& net : nets()) {
    std::vector<BandPoint> points;
    size_t which = 0;
    for (RunReader* run : runs.of(surfaces(net))) {
      const std::vector<double> loss = loss_between(*run, 0, 1);
      for (size_t k = 0; k < loss.size(); ++k) {
        const double t = static_cast<double>(k) / static_cast<double>(loss.size() - 1);
        points.push_back({names[which], t, loss[k], loss[k], loss[k]});
      }
      ++which;
    }
    all.push_back({net.label(), band_chart(points, styles_for(names), "share of Adam's weights", "loss")});
  }
  return {"a", "From SGD's end to Adam's, run by run",
          "Loss of mixtures of two networks' weights, at 0 those of SGD, at 1 those of Adam; every line is one pair of "
          "runs, with its own initial weights and order of images. Do the lines lie on each other with "
          "BN, and apart without? With BN its statistics are those of the measured images at each mixture.",
          panels(all, 2)};
}

Figure spread_figure(const ArmRuns& runs) {
  const std::vector<ArmStyle> styles = {{"BN", colors::kRed}, {"no BN", colors::kBlue}};
  std::vector<Bar> bars;
  for (const Net& net : nets()) {
    for (const auto& [lines, profile] :
         {std::pair<std::string, ProfileOf>{"between ends", between_ends}, {"from the start", from_starts}}) {
      const PairedInterval it = paired_interval(log_spread(runs, net, profile));
      if (it.n > 1) {
        bars.push_back({fmt::format("{}, {}", net.name, lines), styles[net.bn ? 0 : 1].arm, std::exp(it.mean),
                        std::exp(it.low), std::exp(it.high)});
      }
    }
  }
  return {
      "b", "Spread over seeds",
      "How much ln loss differs from seed to seed at the same point of a line (standard deviation, root mean square "
      "over all points; 0.1 is about 10 % of the loss). Lines: 95 % intervals, by the jackknife. If BN makes "
      "surfaces consistent, red is below blue.",
      bar_chart(bars, styles, "", "standard deviation of ln loss")};
}

Figure recognized_figure(const ArmRuns& runs) {
  std::vector<Panel> all;
  for (const Net& net : nets()) {
    const auto nearest = recognized(runs, net);
    std::vector<HeatCell> cells;
    for (size_t i = 0; !nearest.empty() && i < optimizers().size(); ++i) {
      for (size_t other = 0; other < optimizers().size(); ++other) {
        double count = 0;
        for (const auto& of_seed : nearest) count += of_seed[i] == other ? 1 : 0;
        cells.push_back({optimizers()[i].name, optimizers()[other].name, count / static_cast<double>(nearest.size())});
      }
    }
    all.push_back({net.label(), heat_map_chart(cells, "optimizer", "taken for", "share of seeds", {.numbers = true})});
  }
  return {"c", "Can an optimizer be told by its surface?",
          "For each run the loss from the start through its end is compared with the mean of each optimizer over the "
          "other seeds, and the nearest one named. On the diagonal: rightly told. Where two optimizers leave surfaces "
          "alike, they are taken for each other, off the diagonal.",
          panels(all, 2)};
}

std::vector<std::string> answer(const std::vector<Judged>& all) {
  if (!have_evidence(all)) return {};
  const auto judged = judge(all);
  std::vector<std::string> paragraphs;
  for (const auto& [net, plain] : twins()) {
    const JudgedClaim& alike = find_claim(judged, "bn-consistent-" + net.id);
    const JudgedClaim& own = find_claim(judged, claim_id("characteristic", net));
    const JudgedClaim& own_plain = find_claim(judged, claim_id("characteristic", plain));
    paragraphs.push_back(fmt::format(
        "{}: that BN makes the loss between ends more alike from run to run is {} (spread with BN over spread without: "
        "{:.2f}). Of five optimizers, {:.0f} % are told by their surface with BN, {:.0f} % without; guessing: 20 %.",
        net.name, to_string(alike.verdict), std::exp(alike.interval.mean), 100 * own.interval.mean,
        100 * own_plain.interval.mean));
  }
  return paragraphs;
}

Findings findings(const Setting& setting, Results& results) {
  const ArmRuns runs(setting, results);
  const auto all = claims(runs);
  return {{every_seed_figure(runs), spread_figure(runs), recognized_figure(runs)}, all, {}, answer(all)};
}

}  // namespace

Experiment im_consistency() {
  return {"im-consistency",
          "Does the loss surface look alike in every run?",
          {"M24"},
          kSource,
          "the repeated projections of section 4, with and without BN",
          "If training is repeated from other initial weights, does the loss between the optimizers' ends look the "
          "same again, and is it BN that makes it so?",
          plan,
          what_was_run,
          findings,
          {.chapter = Chapter::kWhyItWorks,
           .plainly = "The lines between the ends of two optimizers are drawn again for every seed, with BN and "
                      "without. The closer they lie together, the more the surface is a property of network and "
                      "optimizer, and the less of chance."}};
}

}  // namespace bnlab
