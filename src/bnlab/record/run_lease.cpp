#include "bnlab/record/run_lease.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <random>

#include "bnlab/record/files.h"
#include "bnlab/record/json_fields.h"

namespace bnlab {
namespace {

constexpr size_t kLeaseBytes = 1024;  // always, so that a beat replaces all of it in one write

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::string host_name() {
  if (const std::string node = environment("SLURMD_NODENAME"); !node.empty()) return node.substr(0, 200);
  char name[200] = "";
  ::gethostname(name, sizeof name - 1);
  return name;
}

std::string slurm_job() {
  const std::string array = environment("SLURM_ARRAY_JOB_ID");
  if (!array.empty()) return array + "_" + environment("SLURM_ARRAY_TASK_ID");
  return environment("SLURM_JOB_ID");
}

std::string random_token() {
  std::random_device device;
  return fmt::format("{:08x}{:08x}{:08x}{:08x}", device(), device(), device(), device());
}

std::string text_of(const LeaseRecord& record) {
  const Json json = {{"token", record.token},   {"host", record.owner.host},   {"boot", record.owner.boot},
                     {"pid", record.owner.pid}, {"job", record.owner.job},     {"generation", record.generation},
                     {"beat", record.beat},     {"fraction", record.fraction}, {"released", record.released}};
  std::string text = json.dump(-1, ' ', true, Json::error_handler_t::replace);
  text.resize(kLeaseBytes - 1, ' ');
  return text + "\n";
}

LeaseRecord record_of(const Json& json) {
  LeaseRecord record;
  record.token = json.at("token");
  record.owner = {json.at("host"), json.at("boot"), json.at("job"), json.at("pid")};
  record.generation = json.at("generation");
  record.beat = json.at("beat");
  record.fraction = json.at("fraction");
  record.released = json.at("released");
  return record;
}

[[noreturn]] void refuse(const std::filesystem::path& file, const std::optional<LeaseRecord>& record) {
  throw RunHeld(fmt::format(
      "{}: another process is computing this run ({}); wait for it, or stop it first", file.parent_path().string(),
      record ? record->holder() : "which cannot be told from the file lease: if it stays so, remove that file"));
}

/// link(2), whose answer may get lost on its way from a file server: the count of names tells. False if `to` exists.
bool link_exclusively(const std::filesystem::path& from, const std::filesystem::path& to) {
  if (::link(from.c_str(), to.c_str()) == 0) return true;
  const int error = errno;
  struct stat status {};
  if (::stat(from.c_str(), &status) == 0 && status.st_nlink == 2) return true;
  if (error == EEXIST || error == ENOENT) return false;
  throw FileError(fmt::format("{}: cannot make it: {}", to.string(), std::strerror(error)));
}

}  // namespace

LeaseOwner LeaseOwner::this_process() {
  LeaseOwner owner{host_name(), "", slurm_job().substr(0, 100), ::getpid()};
  std::ifstream("/proc/sys/kernel/random/boot_id") >> owner.boot;
  return owner;
}

bool LeaseOwner::same_machine(const LeaseOwner& other) const {
  return !boot.empty() && boot == other.boot && host == other.host;
}

std::string LeaseRecord::holder() const {
  return fmt::format("{}, process {}{}{}", owner.host, owner.pid, owner.job.empty() ? "" : ", Slurm job ", owner.job);
}

std::optional<LeaseRecord> read_lease(const std::filesystem::path& file) {
  const int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0 && (errno == ENOENT || errno == ESTALE)) return std::nullopt;
  if (fd < 0) throw FileError(fmt::format("{}: cannot read it: {}", file.string(), std::strerror(errno)));
  std::string text(kLeaseBytes, ' ');
  const ssize_t count = ::pread(fd, text.data(), text.size(), 0);
  ::close(fd);
  if (count != static_cast<ssize_t>(kLeaseBytes)) return std::nullopt;
  try {
    return record_of(Json::parse(text));
  } catch (const Json::exception&) {
    return std::nullopt;
  }
}

std::filesystem::path lease_of(const std::filesystem::path& folder) {
  return folder / "lease";
}

std::filesystem::path successor_of(const std::filesystem::path& file, const std::string& token) {
  return file.string() + ".after-" + token;
}

RunLease::RunLease(const std::filesystem::path& file, const std::string& abandoned, const LeaseOwner& owner,
                   std::chrono::milliseconds beat)
    : file_(file), record_{random_token(), owner} {
  try {
    take(abandoned);
  } catch (...) {
    if (fd_ >= 0) ::close(fd_);
    throw;
  }
  beating_ = std::thread([this, beat] { beat_until_told(beat); });
}

RunLease::~RunLease() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  told_.notify_all();
  beating_.join();
  record_.released = true;
  write();
  ::close(fd_);
}

void RunLease::take(const std::string& abandoned) {
  std::optional<LeaseRecord> before = read_lease(file_);
  const bool gone = before && (before->released || before->owner.same_machine(record_.owner) ||
                               (!abandoned.empty() && before->token == abandoned));
  if ((before && !gone) || (!before && file_exists(file_))) refuse(file_, before);
  if (before) record_.generation = before->generation + 1;
  // Removed by whoever opens the run next, if this process is killed here (remove_unfinished_files).
  const std::filesystem::path mine = fmt::format("{}.{}.new", file_.string(), record_.token);
  fd_ = ::open(mine.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  if (fd_ < 0) throw FileError(fmt::format("{}: cannot write it: {}", mine.string(), std::strerror(errno)));
  write();
  try {
    if (before)
      take_over(mine, *before);
    else if (!link_exclusively(mine, file_))
      refuse(file_, read_lease(file_));
  } catch (...) {
    ::unlink(mine.c_str());
    throw;
  }
  ::unlink(mine.c_str());
}

void RunLease::take_over(const std::filesystem::path& mine, const LeaseRecord& before) {
  const auto successor = successor_of(file_, before.token);
  if (const auto other = read_lease(successor); other && other->owner.same_machine(record_.owner)) {
    ::unlink(successor.c_str());  // of a taker that was killed between its link and its rename
  }
  if (!link_exclusively(mine, successor)) refuse(file_, read_lease(successor));
  const auto now = read_lease(file_);
  if (!now || now->token != before.token || now->beat != before.beat) {
    ::unlink(successor.c_str());  // it lives
    refuse(file_, now);
  }
  ::rename(successor.c_str(), file_.c_str());  // whether it was this process's file that was renamed, its token tells
  const auto taken = read_lease(file_);
  if (!taken || taken->token != record_.token) refuse(file_, taken);
}

// An error changes nothing: whether the lease is still held is asked by require(), which is what counts.
void RunLease::write() {
  const std::string text = text_of(record_);
  if (::pwrite(fd_, text.data(), text.size(), 0) > 0) ::fsync(fd_);
}

void RunLease::beat_until_told(std::chrono::milliseconds beat) {
  std::unique_lock lock(mutex_);
  while (!told_.wait_for(lock, beat, [this] { return ending_; })) {
    ++record_.beat;
    record_.fraction = fraction_;
    write();
  }
}

void RunLease::require() const {
  constexpr int kTries = 5;  // this process may itself be in the middle of a beat
  for (int i = 0; i < kTries; ++i) {
    const auto record = read_lease(file_);
    if (record && record->token == record_.token) return;
    if (record) {
      throw LeaseLost(fmt::format("{}: was taken over by {}, to which this process seemed gone",
                                  file_.parent_path().string(), record->holder()));
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  throw LeaseLost(fmt::format("{}: is gone or damaged: somebody has removed this run", file_.string()));
}

}  // namespace bnlab
