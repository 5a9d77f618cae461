// CIFAR-10's official binary layout: five training files and a test file of 10,000 records, each of 1 label byte and
// 3072 pixel bytes (red, green, blue planes of 32 x 32); in a folder, or as members of a tar archive
// (cifar-10-binary.tar.gz). Source: Krizhevsky 2009 and https://www.cs.toronto.edu/~kriz/cifar.html, "Binary version".
#pragma once
#include <array>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>

#include "bnlab/data/dataset.h"

namespace bnlab {

/// The six files: training in order, then test.
inline constexpr std::array<const char*, 6> kCifarFiles = {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin",
                                                           "data_batch_4.bin", "data_batch_5.bin", "test_batch.bin"};

/// Where the six files are: a folder, or an archive that has them.
struct CifarPlace {
  std::filesystem::path path;
  bool archive = false;
};

/// The place that `path` means: a folder that holds one of the six files, or has them in cifar-10-batches-bin, or holds
/// cifar-10-binary.tar.gz; or an archive itself. Nothing if there is no such thing.
std::optional<CifarPlace> find_cifar(const std::filesystem::path& path);

/// Hands each of the six files that the place has to `visit`: its index in kCifarFiles, its content, and its name for
/// messages. The files of a folder come in order, those of an archive as they lie in it. DataError: an unreadable file,
/// no archive.
using CifarVisitor = std::function<void(size_t file, std::span<const unsigned char> content, const std::string& name)>;
void visit_cifar_files(const CifarPlace& place, const CifarVisitor& visit);

/// Unpacks one file's records into images (records,3,32,32) uint8 and labels (records) int64, both contiguous.
/// DataError: a length other than records * 3073, or a label above 9.
void parse_cifar_records(std::span<const unsigned char> content, const std::string& name, const at::Tensor& images,
                         const at::Tensor& labels);

struct CifarSplits {
  Split train, test;
  std::array<std::string, 6> sha1;  ///< of each file's content
};

/// All six files of a place. DataError as above, or if a file is missing.
CifarSplits read_cifar(const CifarPlace& place, int64_t records_per_file = 10000);

}  // namespace bnlab
