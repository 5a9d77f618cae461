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
  /// "activations" the names "drift" and "linear_drift": how far its samples move between observations.
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
        MadeUpRuns(writer, made_up).analysis(std::get<AnalysisSpec>(full));
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
    }
  }

  void observe(const ProbeSpec& probe, int64_t step) {
    if (probe.name == "gradient-sketch") return sketch(step);
    const auto layers = probe.parameters.value("layers", std::vector<int64_t>{0});
    for (const int64_t layer : layers) {
      if (probe.name == "activations") samples(probe, step, layer);
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
    const auto growth = made_up_.growth.find(key);
    const double factor = growth == made_up_.growth.end() ? 1 : 1 + growth->second * static_cast<double>(step);
    writer_.scalar(step, {probe, layer, name}, value * factor);
  }

  void samples(const ProbeSpec& probe, int64_t step, int64_t layer) {
    for (const std::string place : {"", "linear_"}) {
      const std::string drift = "activations/" + std::to_string(layer) + "/" + place + "drift";
      const auto it = made_up_.values.find(drift);
      if (it == made_up_.values.end()) continue;
      const double moved = it->second * static_cast<double>(step) / static_cast<double>(probe.every);
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

  void analysis(const AnalysisSpec& spec) {
    if (spec.analysis == "evaluation") {
      writer_.scalar(0, {spec.analysis, 0, "accuracy"}, made_up_.tested);
      writer_.scalar(0, {spec.analysis, 0, "loss"}, made_up_.tested_loss);
    }
    for (const auto& [key, value] : made_up_.values) scalar(spec.analysis, 0, 0, key, value);
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
