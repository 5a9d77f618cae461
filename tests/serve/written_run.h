// A run in a folder, as its writer leaves it at some step.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "bnlab/record/run_store.h"

namespace bnlab::testing {

inline RunSpec training(int64_t seed, int64_t steps = 100) {
  TrainSpec spec;
  spec.data = {"fashion-mnist", "0123456789abcdef"};
  spec.model.name = "vgg11";
  spec.model.norm.kind = "batch";
  spec.steps = steps;
  spec.seed = seed;
  spec.threads = 1;
  return spec;
}

/// A created run of `root`; returns its id.
inline std::string make_run(const std::filesystem::path& root, const RunSpec& spec) {
  create_run(root / "runs" / run_id(spec), spec);
  return run_id(spec);
}

/// Somebody at work on a run: its losses are 1/(step + 1).
class AtWork {
 public:
  AtWork(const std::filesystem::path& root, const std::string& id) : writer_(root / "runs" / id, "machine") {}
  /// Records steps until `end`, visible to others.
  void go_to(int64_t end) {
    for (; step_ < end; ++step_) writer_.scalar(step_, {"train", 0, "loss"}, 1.0 / static_cast<double>(step_ + 1));
    writer_.commit();
  }
  void finish(int64_t diverged_at = -1) { writer_.finish(step_, "state", diverged_at); }

 private:
  RunWriter writer_;
  int64_t step_ = 0;
};

}  // namespace bnlab::testing
