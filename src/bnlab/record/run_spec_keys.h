// The keys of run specs. Each is declared once, here: its name in JSON, the member that holds it and so its type and
// default, what its value must be, its flag of `bnlab train`, its meaning. Reading, writing and the command line
// follow.
//
// A default is for ever: a stored spec leaves out what is at its default, so another default would change what stored
// runs mean. New behaviour is a new key, or a new value of a key.
#pragma once

#include <algorithm>
#include <functional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "bnlab/record/run_spec.h"

namespace bnlab {

/// What a value must be beside of its type; `expectation` completes "expected …". Empty: anything.
template <class T>
struct Rule {
  std::string expectation;
  std::function<bool(const T&)> holds;
};

/// One key of a part of a spec.
template <class Part, class T>
struct SpecKey {
  using Value = T;
  const char* name;
  T Part::*member;
  Rule<T> rule;
  const char* flag;     ///< of bnlab train; "": none
  const char* meaning;  ///< for people
  bool required = false;

  /// Throws SpecError naming `path` if the rule does not hold; `given` is what the person wrote.
  void check(const T& value, const std::string& path, const std::string& given) const {
    if (rule.holds && !rule.holds(value)) throw SpecError(path, "expected " + rule.expectation + ", got " + given);
  }
};

namespace keys {

template <class Part, class T>
SpecKey<Part, T> key(const char* name, T Part::*member, Rule<T> rule, const char* flag, const char* meaning) {
  return {name, member, std::move(rule), flag, meaning};
}

template <class Part, class T>
SpecKey<Part, T> required(const char* name, T Part::*member, Rule<T> rule, const char* flag, const char* meaning) {
  return {name, member, std::move(rule), flag, meaning, true};
}

template <class T>
Rule<T> anything() {
  return {};
}

inline Rule<std::string> one_of(std::vector<std::string> words) {
  return {join_or(words),
          [words](const std::string& word) { return std::find(words.begin(), words.end(), word) != words.end(); }};
}

inline Rule<int64_t> at_least(int64_t low) {
  return {"at least " + std::to_string(low), [low](int64_t number) { return number >= low; }};
}

inline Rule<int64_t> between(int64_t low, int64_t high) {
  return {std::to_string(low) + " to " + std::to_string(high),
          [low, high](int64_t number) { return number >= low && number <= high; }};
}

inline Rule<double> above_0() {
  return {"a number above 0", [](double number) { return number > 0; }};
}

inline Rule<double> at_least_0() {
  return {"a number of at least 0", [](double number) { return number >= 0; }};
}

/// Of a key whose value may be null.
inline Rule<std::optional<double>> or_null(const std::string& expectation, std::function<bool(double)> holds) {
  return {expectation, [holds](const std::optional<double>& number) { return !number || holds(*number); }};
}

inline Rule<std::vector<int64_t>> rising_steps() {
  return {"rising steps above 0", [](const std::vector<int64_t>& steps) {
            const bool rising = std::adjacent_find(steps.begin(), steps.end(), std::greater_equal<>()) == steps.end();
            return rising && (steps.empty() || steps.front() > 0);
          }};
}

inline Rule<Json> json_object() {
  return {"a JSON object", [](const Json& json) { return json.is_object(); }};
}

inline Rule<int64_t> threads() {
  return {"0 (by rule) to 1024", [](int64_t number) { return number >= 0 && number <= 1024; }};
}

/// The keys of each part, in the order in which people read them.
inline auto of(const DataSpec*) {
  using S = DataSpec;
  return std::tuple{
      required("set", &S::set, anything<std::string>(), "", "Name of the data set"),
      required("digest", &S::digest, anything<std::string>(), "", "Digest of its content"),
      key("draw", &S::draw, at_least(0), "--draw", "Which random draw of a synthetic set"),
      key("pool", &S::pool, between(1, 4096), "--pool", "Reduce images to the means of blocks of this size"),
      key("scaling", &S::scaling, one_of({"none", "z-score", "min-max", "equalize", "equalize-image"}), "--scaling",
          "none, z-score, min-max, equalize (the histogram) or equalize-image (of each image)"),
      key("pad_to", &S::pad_to, between(0, 4096), "--pad-to", "Pad images to this size; 0: leave them as they are"),
      key("augment", &S::augment, one_of({"none", "flip-crop"}), "--augment", "none or flip-crop"),
      key("train_examples", &S::train_examples, at_least(0), "--train-examples",
          "Train on the first so many examples; 0: on all"),
  };
}

inline auto of(const NormSpec*) {
  using S = NormSpec;
  return std::tuple{
      key("kind", &S::kind, anything<std::string>(), "--norm", "Normalization"),
      key("place", &S::place, one_of({"before-activation", "after-activation"}), "--place",
          "before-activation or after-activation"),
      key("options", &S::options, anything<Options>(), "--norm-option",
          "Options of the normalization, NAME=VALUE, e.g. eps=1e-3"),
  };
}

inline auto of(const ModelSpec*) {
  using S = ModelSpec;
  return std::tuple{
      required("name", &S::name, anything<std::string>(), "--model", "Model"),
      key("options", &S::options, anything<Options>(), "--model-option", "Options of the model, NAME=VALUE"),
      key("norm", &S::norm, anything<NormSpec>(), "", "Its normalization"),
      key("init", &S::init, one_of({"glorot-uniform", "glorot-normal"}), "--init", "glorot-uniform or glorot-normal"),
      key("init_scale", &S::init_scale, above_0(), "--init-scale", "Multiplies every initial weight"),
  };
}

inline auto of(const OptimizerSpec*) {
  using S = OptimizerSpec;
  return std::tuple{
      key("name", &S::name, anything<std::string>(), "--optimizer", "Optimizer"),
      required("lr", &S::lr, above_0(), "--lr", "Learning rate"),
      key("momentum", &S::momentum,
          or_null("a number from 0 to below 1", [](double number) { return number >= 0 && number < 1; }), "--momentum",
          "Momentum, short for --optimizer-option momentum=NUMBER"),
      key("weight_decay", &S::weight_decay, at_least_0(), "--weight-decay", "Weight decay, added to the gradient"),
      key("options", &S::options, anything<Options>(), "--optimizer-option", "Options of the optimizer, NAME=VALUE"),
      key("schedule", &S::schedule, anything<std::string>(), "--schedule", "Schedule of the learning rate"),
      key("milestones", &S::milestones, rising_steps(), "--milestones",
          "Steps at which the rate is multiplied by --factor"),
      key("factor", &S::factor, above_0(), "--factor", "See --milestones"),
  };
}

inline auto of(const ProbeSpec*) {
  using S = ProbeSpec;
  return std::tuple{
      required("name", &S::name, anything<std::string>(), "", "Name of the probe"),
      key("from", &S::from, at_least(0), "", "First step that it is shown"),
      key("every", &S::every, at_least(1), "", "Steps from one look to the next"),
      key("at_end", &S::at_end, anything<bool>(), "", "Also show it the network after the last step"),
      key("parameters", &S::parameters, json_object(), "", "Its own parameters"),
  };
}

inline auto of(const TrajectorySpec*) {
  using S = TrajectorySpec;
  return std::tuple{
      key("keep", &S::keep, one_of({"none", "weights", "projection"}), "--keep",
          "Trajectory: none, weights or projection"),
      key("every", &S::every, at_least(1), "--keep-every", "Steps between kept points"),
      key("dims", &S::dims, between(1, 4096), "--keep-dims", "Random directions of a projection"),
  };
}

inline auto of(const TrainSpec*) {
  using S = TrainSpec;
  return std::tuple{
      required("data", &S::data, anything<DataSpec>(), "", "What is learned"),
      required("model", &S::model, anything<ModelSpec>(), "", "What learns it"),
      required("optimizer", &S::optimizer, anything<OptimizerSpec>(), "", "How"),
      key("batch", &S::batch, between(1, 1'000'000), "--batch", "Batch size"),
      required("steps", &S::steps, at_least(1), "--steps", "Training steps"),
      key("seed", &S::seed, at_least(0), "--seed", "Seed of everything"),
      key("threads", &S::threads, threads(), "--threads", "Threads (0: by rule from the network's size)"),
      key("ranks", &S::ranks, between(1, 1024), "--ranks",
          "Processes that share each batch; started on this machine unless srun, torchrun or mpirun has done so"),
      key("rank_statistics", &S::rank_statistics, one_of({"synchronized", "local"}), "--rank-statistics",
          "With several ranks, batch normalization over all their examples (synchronized) or each one's own (local)"),
      key("precision", &S::precision, one_of({"f32"}), "", "Type of the numbers"),
      key("memory_format", &S::memory_format, one_of({"channels-last", "contiguous"}), "--memory-format",
          "channels-last or contiguous"),
      key("divergence_loss", &S::divergence_loss,
          or_null("a number above 0, or null for \"only when not finite\"", [](double number) { return number > 0; }),
          "--divergence-loss", "Loss above which the run has diverged; null: only when it is not finite"),
      key("probes", &S::probes, anything<std::vector<ProbeSpec>>(), "", "What is measured"),
      key("probe_budget", &S::probe_budget,
          or_null("a share above 0 and at most 1, e.g. 0.05, or null for none",
                  [](double share) { return share > 0 && share <= 1; }),
          "", "Most that probes may cost"),
      key("trajectory", &S::trajectory, anything<TrajectorySpec>(), "", "What is kept of the path of the weights"),
  };
}

inline auto of(const AnalysisSpec*) {
  using S = AnalysisSpec;
  return std::tuple{
      required("analysis", &S::analysis, anything<std::string>(), "", "Name of the analysis"),
      key("parameters", &S::parameters, json_object(), "", "Its parameters"),
      key("inputs", &S::inputs, anything<std::vector<std::string>>(), "", "Ids of the runs that it works on"),
      key("seed", &S::seed, at_least(0), "", "Seed of what it draws"),
      key("threads", &S::threads, threads(), "", "Threads"),
  };
}

}  // namespace keys

/// A struct whose keys are declared here.
template <class T>
concept SpecPart = requires {
  keys::of(static_cast<const T*>(nullptr));
};

/// Calls `visit(key)` for each key of the part.
template <SpecPart Part, class Visit>
void for_each_key(const Visit& visit) {
  std::apply([&](const auto&... key) { (visit(key), ...); }, keys::of(static_cast<const Part*>(nullptr)));
}

}  // namespace bnlab
