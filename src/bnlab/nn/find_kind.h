// Looks a name up in an explicit list of kinds.
#pragma once

#include <string>
#include <vector>

#include "bnlab/nn/options.h"

namespace bnlab {

/// The kind whose `name_member` equals `name`. Throws OptionError: "there is no <what> "x"; known: a, b".
template <class Kind>
const Kind& find_kind(const std::vector<Kind>& kinds, std::string Kind::*name_member, const std::string& name,
                      const std::string& what) {
  std::string known;
  for (const auto& kind : kinds) {
    if (kind.*name_member == name) return kind;
    known += (known.empty() ? "" : ", ") + kind.*name_member;
  }
  throw OptionError(name, "there is no " + what + " \"" + name + "\"; known: " + known);
}

}  // namespace bnlab
