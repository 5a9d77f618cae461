#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cmath>
#include <cstring>
#include <fstream>

#include "bnlab/record/hash.h"
#include "bnlab/record/parse_json.h"
#include "bnlab/record/run_store.h"

namespace bnlab {
namespace {

constexpr uint64_t kTrajectoryMagic = 0x31304a5254424e42;  // "BNBTRJ01"

constexpr char kTables[] = R"(
  CREATE TABLE IF NOT EXISTS meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS scalars(probe TEXT, layer INTEGER, name TEXT, step INTEGER, value REAL,
                                     PRIMARY KEY(probe, layer, name, step)) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS arrays(probe TEXT, layer INTEGER, name TEXT, step INTEGER, dtype TEXT, shape TEXT,
                                    data BLOB, PRIMARY KEY(probe, layer, name, step));
  CREATE TABLE IF NOT EXISTS checkpoints(generation INTEGER PRIMARY KEY, step INTEGER, sha256 TEXT,
                                         trajectory_bytes INTEGER);
)";

void sync_file(const std::filesystem::path& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0 || ::fsync(fd) != 0) {
    const int error = errno;
    if (fd >= 0) ::close(fd);
    throw FileError(fmt::format("{}: cannot sync it: {}", path.string(), std::strerror(error)));
  }
  ::close(fd);
}

}  // namespace

void create_run(const std::filesystem::path& folder, const RunSpec& spec) {
  const RunPaths paths{folder};
  const std::string canonical = canonical_json(spec);
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) throw FileError(fmt::format("{}: cannot create the folder: {}", folder.string(), error.message()));
  if (!std::filesystem::exists(paths.spec())) {
    write_file_atomically(paths.spec(), canonical);
  } else if (read_file(paths.spec()) != canonical) {
    throw StoreError(
        fmt::format("{}: holds another run's spec; remove that folder, or choose another --out", folder.string()));
  }
}

RunWriter::RunWriter(const std::filesystem::path& folder, const std::string& fingerprint, WriteHook hook)
    : paths_{folder},
      spec_(parse_run_spec(parse_json(read_file(paths_.spec()), paths_.spec().string()))),
      hook_(std::move(hook)) {
  lock();
  database_ = std::make_unique<Database>(paths_.database(), Database::Mode::kReadWrite);
  create_tables();
  finished_ = !get_meta("state").empty();
  if (finished_) return;
  find_checkpoint();
  note_fingerprint(fingerprint);
  insert_scalar_ = std::make_unique<Statement>(
      database_->prepare("INSERT OR REPLACE INTO scalars(probe, layer, name, step, value) VALUES(?, ?, ?, ?, ?)"));
  insert_array_ = std::make_unique<Statement>(database_->prepare(
      "INSERT OR REPLACE INTO arrays(probe, layer, name, step, dtype, shape, data) VALUES(?, ?, ?, ?, ?, ?, ?)"));
  database_->execute("BEGIN");
}

RunWriter::~RunWriter() {
  insert_scalar_.reset();
  insert_array_.reset();
  database_.reset();
  if (lock_ >= 0) ::close(lock_);
}

void RunWriter::lock() {
  lock_ = ::open(paths_.spec().c_str(), O_RDONLY | O_CLOEXEC);
  if (lock_ < 0 || ::flock(lock_, LOCK_EX | LOCK_NB) != 0) {
    if (lock_ >= 0) ::close(lock_);
    lock_ = -1;
    throw StoreError(fmt::format("{}: another process is computing this run; wait for it, or stop it first",
                                 paths_.folder.string()));
  }
}

void RunWriter::create_tables() {
  database_->execute("PRAGMA synchronous = FULL");
  database_->execute(("BEGIN;" + std::string(kTables) + "COMMIT;").c_str());
}

void RunWriter::find_checkpoint() {
  if (!std::filesystem::exists(paths_.checkpoint())) {
    if (!get_meta("generation").empty()) {
      throw StoreError(fmt::format("{}: is gone, though run.sqlite knows of it; use --force to compute this run anew",
                                   paths_.checkpoint().string()));
    }
    drop_beyond(-1, 0);
    return;
  }
  std::string content = read_file(paths_.checkpoint());
  auto query = database_->prepare("SELECT generation, step, trajectory_bytes FROM checkpoints WHERE sha256 = ?");
  if (!query.bind(std::string_view(sha256_hex(content))).next()) {
    throw StoreError(
        fmt::format("{}: is damaged or belongs to another run (its digest is not in run.sqlite); use --force to "
                    "compute this run anew",
                    paths_.checkpoint().string()));
  }
  generation_ = query.integer(0);
  const int64_t step = query.integer(1);
  const int64_t trajectory_bytes = query.integer(2);
  query.reset();
  resume_from_ = std::move(content);
  drop_beyond(step, trajectory_bytes);
}

// A checkpoint at `step` goes on with step `step`, so rows of that step and later ones will be written again.
void RunWriter::drop_beyond(int64_t step, int64_t trajectory_bytes) {
  database_->execute("BEGIN");
  for (const char* sql : {"DELETE FROM scalars WHERE step >= ?", "DELETE FROM arrays WHERE step >= ?",
                          "DELETE FROM checkpoints WHERE step > ?"}) {
    database_->prepare(sql).bind(step).run();
  }
  database_->execute("COMMIT");
  trajectory_bytes_ = trajectory_bytes;
  if (std::filesystem::exists(paths_.trajectory())) {
    std::filesystem::resize_file(paths_.trajectory(), static_cast<uintmax_t>(trajectory_bytes));
  }
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
  database_->prepare("INSERT OR REPLACE INTO meta(key, value) VALUES(?, ?)")
      .bind(std::string_view(key), std::string_view(value))
      .run();
}

std::string RunWriter::get_meta(const char* key) {
  auto query = database_->prepare("SELECT value FROM meta WHERE key = ?");
  return query.bind(std::string_view(key)).next() ? query.text(0) : "";
}

void RunWriter::add_seconds() {
  const auto now = std::chrono::steady_clock::now();
  const std::string before = get_meta("seconds");
  const double spent = std::chrono::duration<double>(now - counted_until_).count();
  set_meta("seconds", fmt::format("{:.3f}", (before.empty() ? 0 : std::stod(before)) + spent));
  counted_until_ = now;
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
  std::ofstream file(paths_.trajectory(), std::ios::binary | std::ios::app);
  const auto put = [&](const void* data, size_t bytes) {
    file.write(static_cast<const char*>(data), static_cast<std::streamsize>(bytes));
    trajectory_bytes_ += static_cast<int64_t>(bytes);
  };
  if (trajectory_bytes_ == 0) {
    const uint64_t header[2] = {kTrajectoryMagic, values.size()};
    put(header, sizeof header);
  }
  put(&step, sizeof step);
  put(values.data(), values.size() * sizeof(float));
  if (!file.flush()) throw FileError(paths_.trajectory().string() + ": cannot write it; is the disk full?");
}

void RunWriter::commit() {
  add_seconds();
  database_->execute("COMMIT");
  database_->execute("BEGIN");
}

void RunWriter::store_checkpoint(int64_t step, std::string_view content, const std::optional<int64_t>& diverged_at) {
  if (trajectory_bytes_ > 0) sync_file(paths_.trajectory());
  ++generation_;
  database_->prepare("INSERT OR REPLACE INTO checkpoints VALUES(?, ?, ?, ?)")
      .bind(generation_, step, std::string_view(sha256_hex(content)), trajectory_bytes_)
      .run();
  commit();
  write_file_atomically(paths_.checkpoint(), content, hook_);
  set_meta("generation", std::to_string(generation_));
  database_->prepare("DELETE FROM checkpoints WHERE generation < ?").bind(generation_).run();
  if (diverged_at) {
    set_meta("state", *diverged_at >= 0 ? "diverged" : "finished");
    if (*diverged_at >= 0) set_meta("diverged_at", std::to_string(*diverged_at));
    finished_ = true;
  }
  commit();
}

void RunWriter::checkpoint(int64_t step, std::string_view content) {
  store_checkpoint(step, content, std::nullopt);
}

void RunWriter::finish(int64_t step, std::string_view content, int64_t diverged_at) {
  store_checkpoint(step, content, diverged_at);
}

}  // namespace bnlab
