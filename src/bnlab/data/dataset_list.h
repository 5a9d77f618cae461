// The data sets that bnlab knows, and what is published about their files. dataset_list.cpp is the only place that
// lists them.
#pragma once
#include <span>
#include <string_view>
#include <vector>

#include "bnlab/data/checksum.h"

namespace bnlab {

/// A file as its publisher describes it.
struct PublishedFile {
  std::string_view name;
  std::string_view md5;  ///< of the file; empty if not published
  HashKind content_kind;
  std::string_view content_hash;  ///< of its decompressed content
};

enum class DataFormat { kIdx, kCifar, kSynthetic };

struct KnownDataset {
  std::string_view name;   ///< as in `--data`
  std::string_view title;  ///< for people
  DataFormat format;
  std::string_view folder_variable;            ///< environment variable that names the folder; empty if there is none
  std::vector<std::string_view> usual_places;  ///< looked at in this order where neither path nor variable is given
  std::string_view hint;                       ///< how to get the files
  std::vector<std::string_view> class_names;   ///< by label; empty for a synthetic set
  std::vector<PublishedFile> files;  ///< IDX: train images, train labels, test images, test labels; CIFAR: kCifarFiles
  PublishedFile archive;             ///< that holds the files; its name is empty if there is none
};

/// All of them, in the order in which they are shown.
std::span<const KnownDataset> known_datasets();

/// The known set of that name. DataError: there is none; the message lists the known names.
const KnownDataset& find_known_dataset(std::string_view name);

}  // namespace bnlab
