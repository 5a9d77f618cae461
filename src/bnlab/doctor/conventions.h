// What libraries store of a batch normalization, and what their settings mean: the table that ports are checked by.
#pragma once

#include <span>
#include <string>

namespace bnlab::doctor {

struct Convention {
  const char* library;
  const char* momentum;  ///< what it weighs, and its default
  const char* eps;       ///< its default
  const char* variance;  ///< biased or unbiased, of what is stored
  const char* names;     ///< gamma, beta, mean, variance
  const char* remark;    ///< what else differs; may be empty
  const char* source;    ///< where all of this is said
};

std::span<const Convention> conventions();

/// The table as Markdown, or the one library in lines. name: any part of a library's name, whatever the case; empty for
/// all. Throws std::invalid_argument that names those there are.
std::string conventions_text(const std::string& name);

}  // namespace bnlab::doctor
