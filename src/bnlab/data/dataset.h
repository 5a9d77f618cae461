// What a data set is once it is in memory.
#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "bnlab/data/data_error.h"

namespace bnlab {

/// Images and their classes, or inputs and their targets; contiguous, on the CPU.
struct Split {
  at::Tensor images;  ///< (N,C,H,W), uint8 as stored, or float32 in synthetic sets
  at::Tensor labels;  ///< (N) int64, 0 .. classes-1; of a regression, targets (N,outputs) float32

  int64_t count() const { return labels.size(0); }
};

struct Dataset {
  std::string name;                      ///< as in `--data`, e.g. "cifar10"
  std::string title;                     ///< for people; says so when the content is known not to be the published one
  std::vector<std::string> class_names;  ///< by label; empty for a regression
  Split train, test;
  std::string digest;  ///< content_digest(train, test) of the stored images: the identity of the data in a run spec
  int64_t pool = 1;    ///< images are means of pool x pool stored pixels
  std::string equalized = "";  ///< how their histogram was equalized (data/equalize.h), after padding; "": not
};

/// Number of classes, or of a regression's outputs.
int64_t outputs_of(const Dataset& dataset);

/// The first 16 hexadecimal digits of the SHA-256 of both splits' shapes, types, pixels and labels.
std::string content_digest(const Split& train, const Split& test);

}  // namespace bnlab
