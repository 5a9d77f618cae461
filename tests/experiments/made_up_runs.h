// Made-up stored runs: what each arm of an experiment would have recorded in a world of which the truth is known.
#pragma once

#include <cmath>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "bnlab/record/run_store.h"
#include "bnlab/runs/completion.h"
#include "bnlab/study/plan.h"

namespace bnlab::testing {

/// What the runs of an arm record, the same in every seed.
struct MadeUp {
  double accuracy = 0.6;  ///< of every step's batch
  double loss = 1;        ///< of every step but the first, whose is 10
  double falls = 0;       ///< share of it by which it falls with every step
  double tested = 0.5;    ///< accuracy on the whole test split
  double tested_loss = 1;
  double turn = 0;    ///< degrees between successive updates
  double zigzag = 0;  ///< length of the part of an update that changes its sign from step to step; the rest is 1
  /// Scalars at every observed step: "probe/name" for all layers, "probe/layer/name" for one. Of the probe
  /// "activations" the names "drift" and "linear_drift": how far its samples move between observations, and "offset":
  /// where they begin. Of "unit-percentiles" the name "drift": how far the first of its three units has moved, times
  /// the number of observations so far; the others move two and three times as far. Its bands are 1 wide.
  std::map<std::string, double> values = {};
  /// Share by which a scalar grows with every step.
  std::map<std::string, double> growth = {};
};

/// By arm. Arms that are not named record MadeUp{}.
using World = std::map<std::string, MadeUp>;

class MadeUpRuns {
 public:
  /// Writes every run of the plan, which was made for `data`, into `folder`.
  static void write(const std::filesystem::path& folder, const Plan& plan, const DataFacts& data, const World& world) {
    for (const PlannedRun& run : plan.runs()) {
      std::string arm = run.arm;
      if (const size_t tested = arm.find(", tested"); tested != std::string::npos) arm.resize(tested);
      const auto it = world.find(arm);
      const MadeUp made_up = it == world.end() ? MadeUp{} : it->second;
      create_run(folder / run.id, run.spec);
      RunWriter writer(folder / run.id, "made up");
      const RunSpec full = full_run_spec(run.spec, data);
      if (const auto* train = std::get_if<TrainSpec>(&full)) {
        MadeUpRuns(writer, made_up).train(*train);
        writer.finish(train->steps, "x", -1);
      } else {
        MadeUpRuns(writer, made_up).analysis(std::get<AnalysisSpec>(full), run.seed);
        writer.finish(0, "", -1);
      }
    }
  }

 private:
  MadeUpRuns(RunWriter& writer, const MadeUp& made_up) : writer_(writer), made_up_(made_up) {}

  void train(const TrainSpec& spec) {
    for (int64_t step = 0; step < spec.steps; ++step) {
      writer_.scalar(step, {"train", 0, "loss"},
                     step == 0 ? 10 : made_up_.loss * (1 - made_up_.falls * static_cast<double>(step)));
      if (spec.data.set != "linear") writer_.scalar(step, {"train", 0, "accuracy"}, made_up_.accuracy);
    }
    for (const ProbeSpec& probe : spec.probes) {
      for (int64_t step = 0; step < spec.steps; ++step) {
        if (probe.wants(step)) observe(probe, step);
      }
      if (probe.at_end && probe.from >= spec.steps) observe(probe, spec.steps);  // of one that looks at nothing else
    }
  }

  void observe(const ProbeSpec& probe, int64_t step) {
    if (probe.name == "gradient-sketch") return sketch(step);
    const auto layers = probe.parameters.value("layers", std::vector<int64_t>{0});
    for (const int64_t layer : layers) {
      if (probe.name == "activations") samples(probe, step, layer);
      if (probe.name == "unit-percentiles") bands(probe, step, layer);
      for (const auto& [key, value] : made_up_.values) scalar(probe.name, layer, step, key, value);
    }
  }

  void scalar(const std::string& probe, int64_t layer, int64_t step, const std::string& key, double value) {
    const std::string all = probe + "/", one = all + std::to_string(layer) + "/";
    std::string name;
    if (key.starts_with(one)) {
      name = key.substr(one.size());
    } else if (key.starts_with(all) && key.find('/', all.size()) == std::string::npos) {
      name = key.substr(all.size());
      if (made_up_.values.count(one + name)) return;
    } else {
      return;
    }
    writer_.scalar(step, {probe, layer, name}, value * grown(key, step));
  }

  /// The factor by which the value of `key` has grown.
  double grown(const std::string& key, int64_t step) const {
    const auto growth = made_up_.growth.find(key);
    return growth == made_up_.growth.end() ? 1 : 1 + growth->second * static_cast<double>(step);
  }

  void bands(const ProbeSpec& probe, int64_t step, int64_t layer) {
    const std::string drift = "unit-percentiles/" + std::to_string(layer) + "/drift";
    const auto it = made_up_.values.find(drift);
    if (it == made_up_.values.end()) return;
    const double moved = it->second * grown(drift, step) * static_cast<double>(step) / static_cast<double>(probe.every);
    std::vector<double> values;
    for (const double place : {-0.5, 0.0, 0.5}) {
      for (const int unit : {1, 2, 3}) values.push_back(place + unit * moved);
    }
    writer_.array(step, {"unit-percentiles", layer, "percentiles"}, values, {3, 3});
  }

  void samples(const ProbeSpec& probe, int64_t step, int64_t layer) {
    for (const std::string place : {"", "linear_"}) {
      const std::string start = "activations/" + std::to_string(layer) + "/" + place;
      const auto it = made_up_.values.find(start + "drift"), offset = made_up_.values.find(start + "offset");
      if (it == made_up_.values.end()) continue;
      const double moved = it->second * static_cast<double>(step) / static_cast<double>(probe.every) +
                           (offset == made_up_.values.end() ? 0 : offset->second);
      std::vector<double> values;
      for (int i = 0; i < 16; ++i) values.push_back(0.25 * i + moved);
      writer_.array(step, {"activations", layer, place + "samples"}, values);
      writer_.scalar(step, {"activations", layer, place + "std"}, 1);
    }
  }

  // A steady part that turns, and one that changes its sign, at right angles.
  void sketch(int64_t step) {
    const double angle = made_up_.turn * static_cast<double>(step) * M_PI / 180, sign = step % 2 == 0 ? 1 : -1;
    writer_.array(step, {"gradient-sketch", 0, "sketch"},
                  std::vector<double>{std::cos(angle), std::sin(angle), sign * made_up_.zigzag, 0});
    writer_.scalar(step, {"gradient-sketch", 0, "norm"}, std::hypot(1, made_up_.zigzag));
    writer_.scalar(step, {"gradient-sketch", 0, "rate"}, 0.1);
  }

  double value(const std::string& key, double otherwise = 0) const {
    const auto it = made_up_.values.find(key);
    return it == made_up_.values.end() ? otherwise : it->second;
  }

  // The ends 1 and 2 are 1 apart; a further end lies at "along i" of the way between them and "off i" beside it.
  double apart(size_t i, size_t j) const {
    if (j == 2) return 1;
    const std::string third = std::to_string(j);
    const double along = value("along " + third, 0.5), off = value("off " + third, 1);
    return std::hypot(i == 1 ? along : 1 - along, off);
  }

  // All ends have one loss, which differs from seed to seed by the factor exp("surface spread"). From input i to j it
  // rises as 4t(1-t) by the share "surface barrier", or "surface barrier i j", of that loss; from the start beyond the
  // end of i, up to 1.5 of the way, to exp("surface rise i") of it.
  void surfaces(const AnalysisSpec& spec, int64_t seed) {
    const double end = std::exp(value("surface spread") * static_cast<double>(seed - 2));
    const auto parts = spec.parameters["parts"].get<int>();
    for (size_t i = 1; i <= spec.inputs.size(); ++i) {
      const std::string own = std::to_string(i);
      std::vector<double> from_start;
      for (int k = 0; k <= parts * 3 / 2; ++k) {
        const double beyond = std::max(0.0, 2.0 * (k - parts) / parts);
        from_start.push_back(end * std::exp(beyond * value("surface rise " + own)));
      }
      writer_.array(0, {spec.analysis, static_cast<int64_t>(i), "from_start_loss"}, from_start);
      for (size_t j = i + 1; j <= spec.inputs.size(); ++j) {
        const std::string other = std::to_string(j);
        writer_.scalar(0, {spec.analysis, static_cast<int64_t>(i), "to_" + other + "_distance"}, apart(i, j));
        const double height = value("surface barrier " + own + " " + other, value("surface barrier"));
        std::vector<double> loss;
        for (int k = 0; k <= parts; ++k) loss.push_back(end * (1 + height * 4 * k * (parts - k) / (parts * parts)));
        writer_.array(0, {spec.analysis, static_cast<int64_t>(i), "to_" + other + "_loss"}, loss);
      }
    }
  }

  void analysis(const AnalysisSpec& spec, int64_t seed) {
    if (spec.analysis == "loss-surfaces") surfaces(spec, seed);
    if (spec.analysis == "evaluation") {
      writer_.scalar(0, {spec.analysis, 0, "accuracy"}, made_up_.tested);
      writer_.scalar(0, {spec.analysis, 0, "loss"}, made_up_.tested_loss);
    }
    std::vector<int64_t> layers = spec.parameters.value("factors", std::vector<int64_t>{});
    layers.push_back(0);
    for (const int64_t layer : layers) {
      for (const auto& [key, value] : made_up_.values) scalar(spec.analysis, layer, 0, key, value);
    }
    if (spec.analysis != "least-squares-start") return;
    for (const char* name : {"closest", "bound", "plain"}) {
      writer_.array(0, {spec.analysis, 0, name}, std::vector<double>{made_up_.values.at(std::string("start ") + name)});
    }
    writer_.array(0, {spec.analysis, 0, "meets"}, std::vector<double>{1});
  }

  RunWriter& writer_;
  const MadeUp& made_up_;
};

}  // namespace bnlab::testing
