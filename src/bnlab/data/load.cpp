#include "bnlab/data/load.h"

#include <c10/util/Exception.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdlib>
#include <iterator>
#include <new>

#include "bnlab/data/cifar.h"
#include "bnlab/data/file_bytes.h"
#include "bnlab/data/gaussian.h"
#include "bnlab/data/idx.h"
#include "bnlab/data/linear_task.h"
#include "bnlab/data/random.h"
#include "bnlab/data/trouble.h"

namespace bnlab {
namespace fs = std::filesystem;
namespace {

bool holds(const KnownDataset& known, const fs::path& place) {
  if (known.format == DataFormat::kCifar) {
    return find_cifar(place).has_value();
  }
  for (const auto& file : known.files) {
    if (file_visible(idx_file(place, file.name))) {
      return true;
    }
  }
  return false;
}

struct Reading {
  Split train, test;
  bool published = true;  // every file's content is the published one
};

void check_fit(const Split& split, const fs::path& images, const fs::path& labels) {
  if (split.images.size(0) != split.labels.size(0)) {
    throw DataError(fmt::format("{} has {} images but {} has {} labels; get both files from the same source",
                                images.string(), split.images.size(0), labels.string(), split.labels.size(0)));
  }
}

Reading read_idx(const KnownDataset& known, const fs::path& folder) {
  Reading reading;
  std::array<fs::path, 4> paths;
  std::array<at::Tensor, 4> tensors;
  for (size_t i = 0; i < 4; ++i) {
    paths[i] = idx_file(folder, known.files[i].name);
    const Bytes content = gunzip_if_needed(read_file_bytes(paths[i]), paths[i]);
    reading.published &= hash_hex(known.files[i].content_kind, content) == known.files[i].content_hash;
    const auto classes = static_cast<int64_t>(known.class_names.size());
    tensors[i] = i % 2 == 0 ? parse_idx_images(content, paths[i]) : parse_idx_labels(content, paths[i], classes);
  }
  reading.train = {tensors[0], tensors[1]};
  reading.test = {tensors[2], tensors[3]};
  check_fit(reading.train, paths[0], paths[1]);
  check_fit(reading.test, paths[2], paths[3]);
  const auto train_shape = tensors[0].sizes().slice(1), test_shape = tensors[2].sizes().slice(1);
  if (train_shape != test_shape) {
    throw DataError(fmt::format("{} has images of {} but {} of {}; get both files from the same source",
                                paths[0].string(), fmt::join(train_shape, " x "), paths[2].string(),
                                fmt::join(test_shape, " x ")));
  }
  return reading;
}

Reading read_cifar_set(const KnownDataset& known, const fs::path& path) {
  auto splits = read_cifar(*find_cifar(path));
  Reading reading{std::move(splits.train), std::move(splits.test)};
  for (size_t i = 0; i < splits.sha1.size(); ++i) {
    reading.published &= splits.sha1[i] == known.files[i].content_hash;
  }
  return reading;
}

}  // namespace

std::vector<fs::path> places_of(const KnownDataset& known, const fs::path& chosen) {
  if (!chosen.empty()) {
    return {chosen};
  }
  if (!known.folder_variable.empty()) {
    const char* named = std::getenv(std::string(known.folder_variable).c_str());
    if (named != nullptr && *named != '\0') {
      return {expand_home(named)};
    }
  }
  std::vector<fs::path> places;
  for (const auto place : known.usual_places) {
    places.push_back(expand_home(place));
  }
  return places;
}

std::optional<fs::path> find_place(const KnownDataset& known, const fs::path& chosen) {
  for (const auto& place : places_of(known, chosen)) {
    if (holds(known, place)) {
      return place;
    }
  }
  return std::nullopt;
}

std::string not_found_message(const KnownDataset& known, const fs::path& chosen) {
  std::vector<std::string> places;
  for (const auto& place : places_of(known, chosen)) {
    if (const std::string trouble = trouble_in(known, place); !trouble.empty()) {
      return fmt::format("{} cannot be used: {}; mend that, or name another place with --data {}:PATH", known.title,
                         trouble, known.name);
    }
    places.push_back(file_visible(place) ? place.string() : place.string() + " (does not exist)");
  }
  std::vector<std::string_view> names;
  for (const auto& file : known.files) {
    names.push_back(file.name);
  }
  return fmt::format("{} was not found: expected {} in {}; {}", known.title, fmt::join(names, ", "),
                     fmt::join(places, ", "), known.hint);
}

fs::path idx_file(const fs::path& folder, std::string_view published_name) {
  const fs::path compressed = folder / published_name;
  auto plain = compressed;
  plain.replace_extension();
  return !file_visible(compressed) && file_visible(plain) ? plain : compressed;
}

namespace {

/// Draw 0 is the set as its own maker makes it.
Dataset make_synthetic(std::string_view name, int64_t draw) {
  LinearTaskSpec linear;
  GaussianSpec gaussian;
  if (draw != 0) {
    linear.seed = mix(linear.seed, "draw", draw);
    gaussian.seed = mix(gaussian.seed, "draw", draw);
  }
  return name == "linear" ? make_linear_task(linear) : make_gaussian(gaussian);
}

Dataset read_dataset(const KnownDataset& known, const DataChoice& choice) {
  if (known.format == DataFormat::kSynthetic) {
    return make_synthetic(known.name, choice.draw);
  }
  const auto place = find_place(known, choice.path);
  if (!place) {
    throw DataError(not_found_message(known, choice.path));
  }
  auto reading = known.format == DataFormat::kCifar ? read_cifar_set(known, *place) : read_idx(known, *place);
  Dataset dataset;
  dataset.name = known.name;
  dataset.title = std::string(known.title) + (reading.published ? "" : " (not the official files)");
  dataset.class_names.assign(known.class_names.begin(), known.class_names.end());
  dataset.train = std::move(reading.train);
  dataset.test = std::move(reading.test);
  dataset.digest = content_digest(dataset.train, dataset.test);
  return dataset;
}

/// libtorch's complaint about memory, "… you tried to allocate N bytes. …"; rethrows any other.
std::string memory_wanted() {
  try {
    throw;
  } catch (const std::bad_alloc&) {
    return "";
  } catch (const c10::Error& error) {
    const std::string text = error.what_without_backtrace(), words = "you tried to allocate ";
    const size_t at = text.find(words);
    if (at == text.npos) throw;
    const size_t first = at + words.size();
    return fmt::format(" ({} bytes more were needed)", text.substr(first, text.find(' ', first) - first));
  }
}

}  // namespace

Dataset load_dataset(const DataChoice& choice) {
  const auto& known = find_known_dataset(choice.name);
  try {
    return read_dataset(known, choice);
  } catch (const DataError&) {
    throw;
  } catch (const std::exception&) {
    const std::string wanted = memory_wanted();
    throw DataError(fmt::format("{} does not fit into memory{}; free some, or raise ulimit -v", known.title, wanted));
  }
}

}  // namespace bnlab
