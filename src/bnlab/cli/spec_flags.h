// The flags that make up a train spec: one for each key that declares a flag (record/run_spec_keys.h), and those of
// `bnlab train` alone: --width, --probe, --probe-budget.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <vector>

#include "bnlab/runs/data_facts.h"

namespace bnlab {

/// In the place of a probe: those that default_probes() names.
constexpr char kDefaultProbes[] = "default";

class SpecFlags {
 public:
  /// Adds the flags to `command`; none of them goes with `spec_file`. Wrong values throw SpecError naming the flag.
  void add_to(CLI::App& command, CLI::Option* spec_file);

  /// What was given, over the command's own defaults. What neither of them names is left to the kinds.
  Json spec(const DataFacts& facts) const;

 private:
  void add_width(CLI::App& command);
  void add_probes(CLI::App& command);
  void set_default_width(Json& spec) const;

  Json given_ = Json::object();
  std::optional<double> width_;
  std::vector<std::string> probes_;
  std::string probe_budget_;
};

/// Reads `text` as a finite number of at least 0. Throws SpecError naming the flag.
double parse_seconds(const std::string& flag, const std::string& text);

}  // namespace bnlab
