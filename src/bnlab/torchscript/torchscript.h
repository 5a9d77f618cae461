// TorchScript files: facts for the doctor, and repairs that are measured. No libtorch header is needed to use this one.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "bnlab/doctor/facts.h"

namespace bnlab::torchscript {

/// Whether the file is a ZIP archive with TorchScript's code and constants. Throws nothing.
bool is_torchscript(const std::filesystem::path& path);

/// Of an archive without code, such as bnlab's own checkpoints: what a state dict tells. Throws
/// model_files::ModelFileError.
doctor::Facts script_facts(const std::filesystem::path& path);

/// What a repair did.
struct ScriptRepair {
  std::vector<std::string> layers;      ///< that it changed
  std::vector<std::string> left;        ///< that it left alone, each with the reason
  std::optional<double> output_change;  ///< largest |after - before| of outputs over their standard deviation
  std::string file;                     ///< the repaired model, to be written
};

struct ScriptData {
  std::filesystem::path path;  ///< a file of torch.save() or safetensors with the tensor "inputs" (N,...)
  std::int64_t batch = 64;     ///< samples at a time
};

/// Running statistics become those of the data, exact in each layer with exact ones before it: means, and variances
/// over n - 1 values, in double. One pass over the data for each layer. Throws ModelFileError.
ScriptRepair recalibrate_script(const std::filesystem::path& path, const ScriptData& data);

/// Layers normalize by their running statistics: training=False, also where a traced graph has True as a constant.
ScriptRepair freeze_script(const std::filesystem::path& path);

/// Batch normalization goes into the convolution in front of it. Throws ModelFileError if nothing can be folded, or
/// outputs change by more than 1e-3 standard deviations.
ScriptRepair fold_script(const std::filesystem::path& path, const ScriptData& data);

}  // namespace bnlab::torchscript
