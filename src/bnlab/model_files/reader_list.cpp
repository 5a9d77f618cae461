#include "bnlab/model_files/reader_list.h"

#include <fmt/format.h>

#include "bnlab/model_files/model_error.h"
#include "bnlab/model_files/onnx_facts.h"
#include "bnlab/model_files/pt2_archive.h"
#include "bnlab/model_files/pt2_facts.h"
#include "bnlab/model_files/safetensors.h"
#include "bnlab/model_files/torch_file.h"
#include "bnlab/record/json_fields.h"

namespace bnlab::model_files {
namespace {

StateDict state_of_safetensors(const ModelBytes& file, const ReadChoice& choice) {
  if (!choice.key.empty())
    throw ModelFileError("is safetensors, which holds one state dict and no keys; leave --key out");
  return safetensors_state(file);
}

StateDict state_of_zip(const ModelBytes& file, const ReadChoice& choice) {
  return torch_zip_state(file, choice.key);
}

StateDict state_of_legacy(const ModelBytes& file, const ReadChoice& choice) {
  return torch_legacy_state(file, choice.key);
}

/// A format that holds a state dict and nothing else.
template <StateDict (*state)(const ModelBytes&, const ReadChoice&)>
doctor::Facts facts_by(const ModelBytes& file, const ReadChoice& choice) {
  return facts_of_state(state(file, choice), file.name);
}

// Formats inside a ZIP archive go before .pth, which is the most general of them.
constexpr FileReader kReaders[] = {
    {"safetensors", claims_safetensors, facts_by<state_of_safetensors>, state_of_safetensors},
    {".pt2 (torch.export)", is_pt2, pt2_facts, nullptr},
    {"ONNX", claims_onnx, onnx_facts, nullptr},
    {"torch.save", claims_torch_zip, facts_by<state_of_zip>, state_of_zip},
    {"torch.save before PyTorch 1.6", claims_torch_legacy, facts_by<state_of_legacy>, state_of_legacy},
};

}  // namespace

std::span<const FileReader> reader_list() {
  return kReaders;
}

const FileReader& reader_of(const ModelBytes& file) {
  std::vector<std::string> formats;
  for (const FileReader& reader : reader_list()) {
    if (reader.claims(file)) return reader;
    formats.push_back(reader.format);
  }
  throw ModelFileError(fmt::format("is none of the formats that are read: {}", join_or(formats)));
}

}  // namespace bnlab::model_files
