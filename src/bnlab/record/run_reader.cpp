#include <fmt/format.h>

#include <cstring>
#include <fstream>

#include "bnlab/record/hash.h"
#include "bnlab/record/parse_json.h"
#include "bnlab/record/run_store.h"

namespace bnlab {
namespace {

template <class T>
void append_as_doubles(const std::vector<uint8_t>& bytes, std::vector<double>& out) {
  for (size_t at = 0; at + sizeof(T) <= bytes.size(); at += sizeof(T)) {
    T value;
    std::memcpy(&value, bytes.data() + at, sizeof(T));
    out.push_back(static_cast<double>(value));
  }
}

}  // namespace

RunSpec read_spec(const RunPaths& paths) {
  try {
    return parse_run_spec(parse_json(read_file(paths.spec()), paths.spec().string()));
  } catch (const JsonError& error) {
    throw StoreError(fmt::format("{} (remove the folder to compute this run anew)", error.what()));
  }
}

std::string to_string(RunState state) {
  switch (state) {
    case RunState::kMissing:
      return "missing";
    case RunState::kUnfinished:
      return "unfinished";
    case RunState::kFinished:
      return "finished";
    case RunState::kDiverged:
      return "diverged";
  }
  return "missing";
}

std::vector<double> ArrayRecord::as_doubles() const {
  std::vector<double> out;
  if (dtype == "f32") append_as_doubles<float>(bytes, out);
  if (dtype == "f64") append_as_doubles<double>(bytes, out);
  if (dtype == "i64") append_as_doubles<int64_t>(bytes, out);
  return out;
}

RunReader::RunReader(const std::filesystem::path& folder)
    : paths_{folder}, spec_(read_spec(paths_)), database_(paths_.database(), Database::Mode::kReadOnly) {}

std::string RunReader::meta(const char* key) {
  auto query = database_.prepare("SELECT value FROM meta WHERE key = ?");
  return query.bind(std::string_view(key)).next() ? query.text(0) : "";
}

bool RunReader::begun() {
  return database_.prepare("SELECT 1 FROM sqlite_master WHERE name = 'meta'").next();
}

RunState RunReader::state() {
  if (!begun()) return RunState::kUnfinished;
  const std::string state = meta("state");
  if (state == "finished") return RunState::kFinished;
  if (state == "diverged") return RunState::kDiverged;
  return RunState::kUnfinished;
}

int64_t RunReader::diverged_at() {
  const std::string step = meta("diverged_at");
  return step.empty() ? -1 : std::stoll(step);
}

double RunReader::seconds() {
  const std::string seconds = meta("seconds");
  return seconds.empty() ? 0 : std::stod(seconds);
}

std::optional<double> RunReader::cpu_seconds() {
  const std::string seconds = meta("cpu_seconds");
  return seconds.empty() ? std::nullopt : std::optional(std::stod(seconds));
}

Series RunReader::scalars(const Key& key) {
  auto query =
      database_.prepare("SELECT step, value FROM scalars WHERE probe = ? AND layer = ? AND name = ? ORDER BY step");
  query.bind(std::string_view(key.probe), key.layer, std::string_view(key.name));
  Series series;
  while (query.next()) {
    series.steps.push_back(query.integer(0));
    series.values.push_back(query.real(1));
  }
  return series;
}

std::vector<std::pair<Key, int64_t>> RunReader::series() {
  auto query = database_.prepare(
      "SELECT probe, layer, name, COUNT(*) FROM scalars GROUP BY probe, layer, name ORDER BY probe, layer, name");
  std::vector<std::pair<Key, int64_t>> series;
  while (query.next()) series.push_back({{query.text(0), query.integer(1), query.text(2)}, query.integer(3)});
  return series;
}

std::optional<double> RunReader::scalar_at(const Key& key, int64_t step) {
  auto query = database_.prepare("SELECT value FROM scalars WHERE probe = ? AND layer = ? AND name = ? AND step = ?");
  query.bind(std::string_view(key.probe), key.layer, std::string_view(key.name), step);
  return query.next() ? std::optional(query.real(0)) : std::nullopt;
}

std::vector<ArrayRecord> RunReader::arrays(const Key& key) {
  auto query = database_.prepare(
      "SELECT step, dtype, shape, data FROM arrays WHERE probe = ? AND layer = ? AND name = ? ORDER BY step");
  query.bind(std::string_view(key.probe), key.layer, std::string_view(key.name));
  std::vector<ArrayRecord> records;
  while (query.next()) {
    records.push_back({query.integer(0), query.text(1),
                       parse_json(query.text(2), "shape of an array").get<std::vector<int64_t>>(), query.blob(3)});
  }
  return records;
}

std::string RunReader::dump_rows() {
  std::string dump;
  auto scalars =
      database_.prepare("SELECT probe, layer, name, step, value FROM scalars ORDER BY probe, layer, name, step");
  while (scalars.next()) {
    dump += fmt::format("{} {} {} {} {:a}\n", scalars.text(0), scalars.integer(1), scalars.text(2), scalars.integer(3),
                        scalars.real(4));
  }
  auto arrays = database_.prepare(
      "SELECT probe, layer, name, step, dtype, shape, data FROM arrays ORDER BY probe, layer, name, step");
  while (arrays.next()) {
    const auto bytes = arrays.blob(6);
    dump += fmt::format("{} {} {} {} {} {} {}\n", arrays.text(0), arrays.integer(1), arrays.text(2), arrays.integer(3),
                        arrays.text(4), arrays.text(5),
                        sha256_hex({reinterpret_cast<const char*>(bytes.data()), bytes.size()}));
  }
  return dump;
}

RunState run_state(const std::filesystem::path& folder) {
  const RunPaths paths{folder};
  if (!file_exists(paths.spec())) return RunState::kMissing;
  if (!file_exists(paths.database())) return RunState::kUnfinished;
  return RunReader(folder).state();
}

bool run_ended(const std::filesystem::path& folder) try {
  const RunState state = run_state(folder);
  return state == RunState::kFinished || state == RunState::kDiverged;
} catch (const std::runtime_error&) {
  return false;
}

Trajectory read_trajectory(const std::filesystem::path& file) {
  const std::string content = read_file(file);
  Trajectory trajectory;
  uint64_t header[2] = {0, 0};
  if (content.size() < sizeof header) return trajectory;
  std::memcpy(header, content.data(), sizeof header);
  if (header[0] != kTrajectoryMagic)
    throw StoreError(file.string() + ": is no trajectory; use --force to compute this run anew");
  if (header[1] > content.size() / sizeof(float)) return trajectory;
  const size_t frame = sizeof(int64_t) + header[1] * sizeof(float);
  for (size_t at = sizeof header; at + frame <= content.size(); at += frame) {
    int64_t step;
    std::memcpy(&step, content.data() + at, sizeof step);
    trajectory.steps.push_back(step);
    auto& values = trajectory.frames.emplace_back(header[1]);
    std::memcpy(values.data(), content.data() + at + sizeof step, header[1] * sizeof(float));
  }
  return trajectory;
}

}  // namespace bnlab
