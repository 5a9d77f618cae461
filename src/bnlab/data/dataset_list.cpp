#include "bnlab/data/dataset_list.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <string>

#include "bnlab/data/data_error.h"

namespace bnlab {
namespace {

// MD5 of the published files: the README of zalandoresearch/fashion-mnist. Debian compressed them again, so what
// identifies the data is the SHA-256 of the decompressed content, which several projects that read the published files
// list alike.
KnownDataset fashion_mnist() {
  return {
      .name = "fashion-mnist",
      .title = "Fashion-MNIST",
      .format = DataFormat::kIdx,
      .folder_variable = "",
      .usual_places = {"/usr/share/datasets/fashion-mnist"},
      .hint = "install the Debian package dataset-fashion-mnist, or name the folder: --data fashion-mnist:DIR",
      .class_names = {"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag",
                      "Ankle boot"},
      .files = {{"train-images-idx3-ubyte.gz", "8d4fb7e6c68d591d4c3dfef9ec88bf0d", HashKind::kSha256,
                 "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888"},
                {"train-labels-idx1-ubyte.gz", "25c81989df183df01b3e8a0aad5dffbe", HashKind::kSha256,
                 "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"},
                {"t10k-images-idx3-ubyte.gz", "bef4ecab320f06d8554ea6380940ec79", HashKind::kSha256,
                 "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b"},
                {"t10k-labels-idx1-ubyte.gz", "bb300cfdad3c16e7a12a480ee83cd310", HashKind::kSha256,
                 "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"}},
      .archive = {},
  };
}

// MD5 of the published files: torchvision's datasets/mnist.py; SHA-256 of the content as for Fashion-MNIST.
KnownDataset mnist() {
  return {
      .name = "mnist",
      .title = "MNIST",
      .format = DataFormat::kIdx,
      .folder_variable = "",
      .usual_places = {"data/mnist", "~/.cache/bnlab/mnist"},
      .hint = "name the folder that holds the four files: --data mnist:DIR",
      .class_names = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"},
      .files = {{"train-images-idx3-ubyte.gz", "f68b3c2dcbeaaa9fbdd348bbdeb94873", HashKind::kSha256,
                 "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"},
                {"train-labels-idx1-ubyte.gz", "d53e105ee54ea40749a09fcbcd1e9432", HashKind::kSha256,
                 "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"},
                {"t10k-images-idx3-ubyte.gz", "9fb629c4189551a2d022fa330f9573f3", HashKind::kSha256,
                 "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"},
                {"t10k-labels-idx1-ubyte.gz", "ec29112dd5afa0611ce80d1b7f02629c", HashKind::kSha256,
                 "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"}},
      .archive = {},
  };
}

// MD5 of the archive: https://www.cs.toronto.edu/~kriz/cifar.html. SHA-1 of its members: Apache MXNet's
// gluon/data/vision/datasets.py.
KnownDataset cifar10() {
  return {
      .name = "cifar10",
      .title = "CIFAR-10",
      .format = DataFormat::kCifar,
      .folder_variable = "BNLAB_CIFAR10_DIR",
      .usual_places = {"data", "data/cifar10", "~/.cache/bnlab", "~/.cache/bnlab/cifar10"},
      .hint =
          "get cifar-10-binary.tar.gz from https://www.cs.toronto.edu/~kriz/cifar.html and name it or the folder it "
          "was "
          "unpacked in: --data cifar10:PATH, or BNLAB_CIFAR10_DIR",
      .class_names = {"airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"},
      .files = {{"data_batch_1.bin", "", HashKind::kSha1, "aadd24acce27caa71bf4b10992e9e7b2d74c2540"},
                {"data_batch_2.bin", "", HashKind::kSha1, "c0ba65cce70568cd57b4e03e9ac8d2a5367c1795"},
                {"data_batch_3.bin", "", HashKind::kSha1, "1dd00a74ab1d17a6e7d73e185b69dbf31242f295"},
                {"data_batch_4.bin", "", HashKind::kSha1, "aab85764eb3584312d3c7f65fd2fd016e36a258e"},
                {"data_batch_5.bin", "", HashKind::kSha1, "26e2849e66a845b7f1e4614ae70f4889ae604628"},
                {"test_batch.bin", "", HashKind::kSha1, "67eb016db431130d61cd03c7ad570b013799c88c"}},
      .archive = {"cifar-10-binary.tar.gz", "c32a1d4ab5d03f1284b67883e8d87530", HashKind::kMd5, ""},
  };
}

KnownDataset synthetic(std::string_view name, std::string_view title) {
  return {
      .name = name,
      .title = title,
      .format = DataFormat::kSynthetic,
      .folder_variable = "",
      .usual_places = {},
      .hint = "needs no files",
      .class_names = {},
      .files = {},
      .archive = {},
  };
}

}  // namespace

std::span<const KnownDataset> known_datasets() {
  static const std::vector<KnownDataset> list = {fashion_mnist(), mnist(), cifar10(),
                                                 synthetic("gaussian", "synthetic Gaussian classes"),
                                                 synthetic("linear", "a random linear map, a regression")};
  return list;
}

const KnownDataset& find_known_dataset(std::string_view name) {
  std::vector<std::string_view> names;
  for (const auto& known : known_datasets()) {
    if (known.name == name) {
      return known;
    }
    names.push_back(known.name);
  }
  throw DataError(
      fmt::format("--data: there is no data set \"{}\"; the known ones are {}", name, fmt::join(names, ", ")));
}

}  // namespace bnlab
