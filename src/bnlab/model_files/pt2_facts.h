// .pt2: the batch normalization of an exported program.
#pragma once

#include "bnlab/model_files/reader_list.h"

namespace bnlab::model_files {

/// Throws ModelFileError; also where the graph has an operator of batch normalization that is not known here.
doctor::Facts pt2_facts(const ModelBytes& file, const ReadChoice& choice);

}  // namespace bnlab::model_files
