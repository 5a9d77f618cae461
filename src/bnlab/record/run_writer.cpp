#include <fmt/format.h>

#include <cmath>
#include <thread>

#include "bnlab/record/hash.h"
#include "bnlab/record/lease_watch.h"
#include "bnlab/record/parse_json.h"
#include "bnlab/record/run_store.h"

namespace bnlab {
namespace {

constexpr char kTables[] = R"(
  CREATE TABLE IF NOT EXISTS meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS scalars(probe TEXT, layer INTEGER, name TEXT, step INTEGER, value REAL,
                                     PRIMARY KEY(probe, layer, name, step)) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS arrays(probe TEXT, layer INTEGER, name TEXT, step INTEGER, dtype TEXT, shape TEXT,
                                    data BLOB, PRIMARY KEY(probe, layer, name, step));
  CREATE TABLE IF NOT EXISTS checkpoints(generation INTEGER PRIMARY KEY, step INTEGER, sha256 TEXT,
                                         trajectory_bytes INTEGER);
  CREATE TABLE IF NOT EXISTS ends(generation INTEGER PRIMARY KEY, state TEXT, diverged_at INTEGER);
)";

constexpr char kAnew[] = "use --force to compute this run anew";

[[noreturn]] void refuse_second_process(const RunPaths& paths) {
  throw RunHeld(
      fmt::format("{}: another process is computing this run; wait for it, or stop it first", paths.folder.string()));
}

FileLock lock_run(const RunPaths& paths) {
  auto lock = FileLock::try_lock(paths.lock());
  if (!lock) refuse_second_process(paths);
  return std::move(*lock);
}

/// Of several processes that come here at once, one writes it; the others wait for that.
void write_spec_once(const RunPaths& paths, const std::string& canonical, const WriteHook& hook) {
  constexpr int kTries = 1000;
  for (int i = 0; !file_exists(paths.spec()); ++i) {
    if (const auto lock = FileLock::try_lock(paths.lock())) {
      if (!file_exists(paths.spec())) write_file_atomically(paths.spec(), canonical, hook);
    } else if (i < kTries) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    } else {
      refuse_second_process(paths);
    }
  }
}

template <class T>
void append_bytes(std::string& bytes, const T* values, size_t count) {
  bytes.append(reinterpret_cast<const char*>(values), count * sizeof(T));
}

}  // namespace

void create_run(const std::filesystem::path& folder, const RunSpec& spec, const WriteHook& hook) {
  const RunPaths paths{folder};
  const std::string canonical = canonical_json(spec);
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) throw FileError(fmt::format("{}: cannot create the folder: {}", folder.string(), error.message()));
  write_spec_once(paths, canonical, hook);
  if (read_file(paths.spec()) != canonical) {
    throw StoreError(
        fmt::format("{}: holds another run's spec; remove that folder, or choose another --out", folder.string()));
  }
}

void remove_run(const std::filesystem::path& folder) try {
  const RunPaths paths{folder};
  if (!file_exists(folder)) return;
  await_lease(folder);
  const FileLock lock = lock_run(paths);
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path() != paths.lock()) std::filesystem::remove_all(entry.path());
  }
  std::filesystem::remove_all(folder);
} catch (const std::filesystem::filesystem_error& error) {
  throw FileError(fmt::format("{}: cannot remove the run: {}", folder.string(), error.code().message()));
}

RunWriter::RunWriter(const std::filesystem::path& folder, const std::string& fingerprint, WriteHook hook)
    : paths_{folder},
      lock_(lock_run(paths_)),
      spec_(read_spec(paths_)),
      hook_(std::move(hook)),
      database_(paths_.database(), Database::Mode::kReadWrite) {
  reach();
  remove_unfinished_files(folder);
  create_tables();
  finished_ = !get_meta("state").empty();
  if (finished_) return;
  database_.execute("BEGIN");
  find_checkpoint();
  if (!finished_) note_fingerprint(fingerprint);
  end_transaction();
  if (finished_) return;
  insert_scalar_.emplace(
      database_.prepare("INSERT OR REPLACE INTO scalars(probe, layer, name, step, value) VALUES(?, ?, ?, ?, ?)"));
  insert_array_.emplace(database_.prepare(
      "INSERT OR REPLACE INTO arrays(probe, layer, name, step, dtype, shape, data) VALUES(?, ?, ?, ?, ?, ?, ?)"));
  database_.execute("BEGIN");
}

void RunWriter::end_transaction() {
  reach();
  database_.execute("COMMIT");
  reach();
}

void RunWriter::create_tables() {
  database_.execute("PRAGMA synchronous = FULL");
  database_.execute("BEGIN");
  database_.execute(kTables);
  end_transaction();
}

void RunWriter::find_checkpoint() {
  if (!file_exists(paths_.checkpoint())) {
    if (!get_meta("generation").empty()) {
      throw StoreError(
          fmt::format("{}: is gone, though run.sqlite knows of it; {}", paths_.checkpoint().string(), kAnew));
    }
    drop_beyond(0, std::nullopt);
    cut_trajectory(0);
    return;
  }
  std::string content = read_file(paths_.checkpoint());
  // The last of those with this digest: what it stored is all there, and the file is what it would have written.
  auto query = database_.prepare(
      "SELECT generation, step, trajectory_bytes FROM checkpoints WHERE sha256 = ? ORDER BY generation DESC");
  if (!query.bind(std::string_view(sha256_hex(content))).next()) {
    throw StoreError(fmt::format("{}: is damaged or belongs to another run (its digest is not in run.sqlite); {}",
                                 paths_.checkpoint().string(), kAnew));
  }
  generation_ = query.integer(0);
  const int64_t step = query.integer(1);
  const int64_t trajectory_bytes = query.integer(2);
  query.reset();
  cut_trajectory(trajectory_bytes);
  settle();
  if (finished_) return;
  drop_beyond(generation_, step);
  resume_from_ = std::move(content);
}

/// A checkpoint at `step` goes on with step `step`, so rows of that step and later ones will be written again; without
/// one, all rows.
void RunWriter::drop_beyond(int64_t generation, std::optional<int64_t> step) {
  for (const std::string table : {"scalars", "arrays"}) {
    auto statement = database_.prepare(("DELETE FROM " + table + (step ? " WHERE step >= ?" : "")).c_str());
    if (step) statement.bind(*step);
    statement.run();
  }
  for (const char* sql : {"DELETE FROM checkpoints WHERE generation > ?", "DELETE FROM ends WHERE generation > ?"}) {
    database_.prepare(sql).bind(generation).run();
  }
}

void RunWriter::cut_trajectory(int64_t bytes) {
  const auto path = paths_.trajectory();
  const auto size = file_exists(path) ? static_cast<int64_t>(size_of_file(path)) : 0;
  if (size < bytes) {
    throw StoreError(
        fmt::format("{}: has {} bytes where run.sqlite knows of {}; {}", path.string(), size, bytes, kAnew));
  }
  trajectory_bytes_ = bytes;
  if (size == bytes) return;
  reach();
  cut_file(path, static_cast<uint64_t>(bytes));
  reach();
}

/// What the checkpoint of generation_ means, once it is in its place.
void RunWriter::settle() {
  set_meta("generation", std::to_string(generation_));
  database_.prepare("DELETE FROM checkpoints WHERE generation < ?").bind(generation_).run();
  auto end = database_.prepare("SELECT state, diverged_at FROM ends WHERE generation = ?");
  if (!end.bind(generation_).next()) return;
  set_meta("state", end.text(0));
  if (end.integer(1) >= 0) set_meta("diverged_at", std::to_string(end.integer(1)));
  finished_ = true;
}

void RunWriter::note_fingerprint(const std::string& fingerprint) {
  const std::string begun_under = get_meta("fingerprint");
  if (begun_under.empty() || !resume_from_) {
    set_meta("fingerprint", fingerprint);
  } else if (begun_under != fingerprint) {
    warning_ = fmt::format("resuming a run begun under {}; this is {}: its bits may differ from an uninterrupted run's",
                           begun_under, fingerprint);
    set_meta("resumed_under", fingerprint);
  }
}

void RunWriter::set_meta(const char* key, const std::string& value) {
  database_.prepare("INSERT OR REPLACE INTO meta(key, value) VALUES(?, ?)")
      .bind(std::string_view(key), std::string_view(value))
      .run();
}

std::string RunWriter::get_meta(const char* key) {
  auto query = database_.prepare("SELECT value FROM meta WHERE key = ?");
  return query.bind(std::string_view(key)).next() ? query.text(0) : "";
}

void RunWriter::add_cost(const char* key, double spent) {
  const std::string before = get_meta(key);
  set_meta(key, fmt::format("{:.3f}", (before.empty() ? 0 : std::stod(before)) + spent));
}

void RunWriter::scalar(int64_t step, const Key& key, double value) {
  insert_scalar_->bind(std::string_view(key.probe), key.layer, std::string_view(key.name), step, value).run();
}

void RunWriter::insert_array(int64_t step, const Key& key, const char* dtype, std::vector<int64_t> shape,
                             const void* data, size_t count, size_t element_bytes) {
  if (shape.empty()) shape = {static_cast<int64_t>(count)};
  insert_array_
      ->bind(std::string_view(key.probe), key.layer, std::string_view(key.name), step, std::string_view(dtype),
             std::string_view(Json(shape).dump()), std::span(static_cast<const uint8_t*>(data), count * element_bytes))
      .run();
}

void RunWriter::array(int64_t step, const Key& key, const std::vector<float>& values, std::vector<int64_t> shape) {
  insert_array(step, key, "f32", std::move(shape), values.data(), values.size(), sizeof(float));
}
void RunWriter::array(int64_t step, const Key& key, const std::vector<double>& values, std::vector<int64_t> shape) {
  insert_array(step, key, "f64", std::move(shape), values.data(), values.size(), sizeof(double));
}
void RunWriter::array(int64_t step, const Key& key, const std::vector<int64_t>& values, std::vector<int64_t> shape) {
  insert_array(step, key, "i64", std::move(shape), values.data(), values.size(), sizeof(int64_t));
}

void RunWriter::trajectory_frame(int64_t step, const std::vector<float>& values) {
  std::string bytes;
  if (trajectory_bytes_ == 0) {
    const uint64_t header[2] = {kTrajectoryMagic, values.size()};
    append_bytes(bytes, header, 2);
  }
  append_bytes(bytes, &step, 1);
  append_bytes(bytes, values.data(), values.size());
  reach();
  append_to_file(paths_.trajectory(), bytes, hook_);
  reach();
  trajectory_bytes_ += static_cast<int64_t>(bytes.size());
}

void RunWriter::commit() {
  const auto now = std::chrono::steady_clock::now();
  const double cpu_now = cpu_seconds();
  add_cost("seconds", std::chrono::duration<double>(now - counted_until_).count());
  add_cost("cpu_seconds", cpu_now - cpu_counted_until_);
  counted_until_ = now;
  cpu_counted_until_ = cpu_now;
  end_transaction();
  database_.execute("BEGIN");
}

void RunWriter::store_checkpoint(int64_t step, std::string_view content, const std::optional<int64_t>& diverged_at) {
  if (trajectory_bytes_ > 0) {
    sync_file(paths_.trajectory());
    reach();
  }
  ++generation_;
  database_.prepare("INSERT INTO checkpoints VALUES(?, ?, ?, ?)")
      .bind(generation_, step, std::string_view(sha256_hex(content)), trajectory_bytes_)
      .run();
  if (diverged_at) {
    const std::string_view state = *diverged_at >= 0 ? "diverged" : "finished";
    database_.prepare("INSERT INTO ends VALUES(?, ?, ?)").bind(generation_, state, *diverged_at).run();
  }
  commit();
  write_file_atomically(paths_.checkpoint(), content, hook_);
  settle();
  commit();
}

void RunWriter::checkpoint(int64_t step, std::string_view content) {
  store_checkpoint(step, content, std::nullopt);
}

void RunWriter::finish(int64_t step, std::string_view content, int64_t diverged_at) {
  store_checkpoint(step, content, diverged_at);
}

}  // namespace bnlab
