// The run store: one folder a run, written by one process at a time, never holding a half-written state.
//
// - spec.json: the canonical spec; its hash is the run's id and the folder's name
// - run.sqlite: scalars (probe, step, layer, name, value), arrays (the same, with dtype, shape, data), state,
// checkpoints, ends
// - checkpoint.pt: all state at the last checkpoint's step; after the end, the final state
// - trajectory.bin: optional; weights or projections at chosen steps
// - lock: empty; locked by whoever writes
//
// Checkpoint protocol. (1) All rows up to the step, the digest of the coming checkpoint, the length of the trajectory
// and, if it is the last one, how the run ends are committed to run.sqlite. (2) The checkpoint is written to a new
// file, synced, renamed: that is the moment at which it counts. (3) Its generation and, with the last one, the run's
// state are stored in run.sqlite. A kill between any two steps leaves a checkpoint.pt whose digest run.sqlite knows;
// whoever opens the run next reads from it which generation it is. If that one ended the run, (3) is made up for and
// nothing is dropped; else everything recorded beyond its step is.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bnlab/record/cpu_time.h"
#include "bnlab/record/file_lock.h"
#include "bnlab/record/files.h"
#include "bnlab/record/run_spec.h"
#include "bnlab/record/sqlite.h"

namespace bnlab {

/// A run folder that is locked, damaged or does not fit its spec. what() says what to do.
class StoreError : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct RunPaths {
  std::filesystem::path folder;
  std::filesystem::path spec() const { return folder / "spec.json"; }
  std::filesystem::path database() const { return folder / "run.sqlite"; }
  std::filesystem::path checkpoint() const { return folder / "checkpoint.pt"; }
  std::filesystem::path trajectory() const { return folder / "trajectory.bin"; }
  std::filesystem::path lock() const { return folder / "lock"; }
};

enum class RunState { kMissing, kUnfinished, kFinished, kDiverged };
std::string to_string(RunState state);

/// One scalar quantity over steps. Values may be NaN or infinite.
struct Series {
  std::vector<int64_t> steps;
  std::vector<double> values;
};

/// One array at one step: little-endian elements in row-major order of `shape`; dtype "f32", "f64" or "i64".
struct ArrayRecord {
  int64_t step = 0;
  std::string dtype;
  std::vector<int64_t> shape;
  std::vector<uint8_t> bytes;
  std::vector<double> as_doubles() const;
};

/// Where in a run a value belongs; layer 0 is the whole network, layers count from 1.
struct Key {
  std::string probe;
  int64_t layer = 0;
  std::string name;
};

/// Reads a run at any time, also while it is being written.
class RunReader {
 public:
  /// Throws FileError, StoreError, SpecError or DatabaseError if the folder holds no readable run.
  explicit RunReader(const std::filesystem::path& folder);

  const RunSpec& spec() const { return spec_; }
  const RunPaths& paths() const { return paths_; }
  /// False if the writer was killed before it had made the tables; it will make them. Only state() may be asked then.
  bool begun();
  RunState state();
  int64_t diverged_at();                ///< the step whose loss met the divergence criterion; -1 if none
  double seconds();                     ///< time spent computing, over all resumptions, as of the last commit
  std::optional<double> cpu_seconds();  ///< the same on processors, all threads; absent in runs of older versions
  std::string meta(const char* key);    ///< "" if absent; e.g. "fingerprint"
  Series scalars(const Key& key);
  std::optional<double> scalar_at(const Key& key, int64_t step);
  /// Which scalars there are, and how many of each.
  std::vector<std::pair<Key, int64_t>> series();
  std::vector<ArrayRecord> arrays(const Key& key);
  /// Every row of both tables, in key order: what two runs of the same spec must have in common, to the bit.
  std::string dump_rows();

 private:
  RunPaths paths_;
  RunSpec spec_;
  Database database_;
};

/// The run's spec. Throws FileError, SpecError, or StoreError if it is no JSON.
RunSpec read_spec(const RunPaths& paths);

/// RunReader(folder).state(), or kMissing if there is no run. Throws like RunReader if there is one that is damaged.
RunState run_state(const std::filesystem::path& folder);

/// Whether the run has ended and can be read.
bool run_ended(const std::filesystem::path& folder);

/// Creates the folder of `spec` with its spec.json if it is not there yet, also if several processes do so at once.
/// Throws FileError, or StoreError if it holds another spec.
void create_run(const std::filesystem::path& folder, const RunSpec& spec, const WriteHook& hook = {});

/// Removes the run, if it is there. Throws FileError, or StoreError if another process is at work on it.
void remove_run(const std::filesystem::path& folder);

/// The one writer of a run; holds the run's lock.
class RunWriter {
 public:
  /// Opens a created run and drops everything recorded beyond its last checkpoint. `hook` is called between any two
  /// changes of what is on the disk.
  /// Throws StoreError if another process is at work on it, or checkpoint.pt or trajectory.bin is not this run's;
  /// FileError, SpecError, DatabaseError.
  RunWriter(const std::filesystem::path& folder, const std::string& fingerprint, WriteHook hook = {});

  const RunSpec& spec() const { return spec_; }
  bool finished() const { return finished_; }
  /// The content of the checkpoint to go on from; absent at the first start.
  const std::optional<std::string>& resume_from() const { return resume_from_; }
  /// A sentence if the run was begun under another fingerprint (then its bits may differ), else "".
  const std::string& warning() const { return warning_; }

  /// Records one value. A row of the same step and key is replaced.
  void scalar(int64_t step, const Key& key, double value);
  void array(int64_t step, const Key& key, const std::vector<float>& values, std::vector<int64_t> shape = {});
  void array(int64_t step, const Key& key, const std::vector<double>& values, std::vector<int64_t> shape = {});
  void array(int64_t step, const Key& key, const std::vector<int64_t>& values, std::vector<int64_t> shape = {});

  /// Appends one frame of `values` to trajectory.bin (header: magic, values a frame; a frame: step, values).
  void trajectory_frame(int64_t step, const std::vector<float>& values);

  /// Facts about the run that are no results (costs, the machine); they may differ between two runs of one spec.
  void set_meta(const char* key, const std::string& value);
  std::string get_meta(const char* key);

  /// Makes all rows so far visible to readers; survives a kill, but a resume drops what lies beyond the checkpoint.
  void commit();

  /// The checkpoint protocol above. `content` is the whole checkpoint for going on at `step`.
  void checkpoint(int64_t step, std::string_view content);

  /// Checkpoints and ends the run, in one event; diverged_at = -1 if it did not diverge.
  void finish(int64_t step, std::string_view content, int64_t diverged_at);

 private:
  void reach() const {
    if (hook_) hook_();
  }
  void end_transaction();
  void create_tables();
  void find_checkpoint();
  void drop_beyond(int64_t generation, std::optional<int64_t> step);
  void cut_trajectory(int64_t bytes);
  void settle();
  void note_fingerprint(const std::string& fingerprint);
  void add_cost(const char* key, double spent);
  void insert_array(int64_t step, const Key& key, const char* dtype, std::vector<int64_t> shape, const void* data,
                    size_t count, size_t element_bytes);
  void store_checkpoint(int64_t step, std::string_view content, const std::optional<int64_t>& diverged_at);

  RunPaths paths_;
  FileLock lock_;
  RunSpec spec_;
  WriteHook hook_;
  Database database_;
  std::optional<Statement> insert_scalar_, insert_array_;
  bool finished_ = false;
  int64_t generation_ = 0;
  int64_t trajectory_bytes_ = 0;
  std::optional<std::string> resume_from_;
  std::string warning_;
  std::chrono::steady_clock::time_point counted_until_ = std::chrono::steady_clock::now();
  double cpu_counted_until_ = bnlab::cpu_seconds();
};

/// Frames of trajectory.bin.
inline constexpr uint64_t kTrajectoryMagic = 0x31304a5254424e42;  // "BNBTRJ01"
struct Trajectory {
  std::vector<int64_t> steps;
  std::vector<std::vector<float>> frames;
};
/// Whole frames only: the last one may just be being written. Throws FileError, or StoreError if it is no such file.
Trajectory read_trajectory(const std::filesystem::path& file);

}  // namespace bnlab
