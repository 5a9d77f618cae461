// The part that all probes share: their name and schedule.
#pragma once

#include "bnlab/train/step_observer.h"

namespace bnlab {

class Probe : public StepObserver {
 public:
  explicit Probe(ProbeSpec spec) : spec_(std::move(spec)) {}
  const std::string& name() const override { return spec_.name; }
  bool wants(int64_t step) const override { return spec_.wants(step); }
  bool wants_end() const override { return spec_.at_end; }

 protected:
  ProbeSpec spec_;
};

}  // namespace bnlab
