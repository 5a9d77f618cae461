// .pt2, what torch.export.save() writes: a ZIP archive with the graph as JSON and the tensors beside it.
//
// Two layouts, by torch/export/__init__.py, torch/export/pt2_archive/_package.py and torch/_export/serde/schema.py:
//   up to PyTorch 2.7   serialized_exported_program.json, serialized_state_dict.pt (of torch.save)
//   later               ROOT/archive_format, ROOT/models/NAME.json, and either ROOT/data/weights/NAME.pt (of
//   torch.save)
//                       or ROOT/data/weights/NAME_weights_config.json with a file of raw bytes for each storage
#pragma once

#include <memory>
#include <string>

#include "bnlab/model_files/model_bytes.h"
#include "bnlab/model_files/reader_list.h"
#include "bnlab/record/json_fields.h"

namespace bnlab::model_files {

struct InnerFile {
  std::string bytes;
  ModelBytes file;
};

struct Pt2Model {
  Json program;                     ///< ExportedProgram of schema.py
  StateDict state;                  ///< parameters and buffers that are stored
  std::shared_ptr<InnerFile> held;  ///< what `state` views, if it was a file within the file
};

bool is_pt2(const ModelBytes& file);

/// choice.key: the model's name where there are several. The file must outlive the result. Throws ModelFileError.
Pt2Model open_pt2(const ModelBytes& file, const ReadChoice& choice);

}  // namespace bnlab::model_files
