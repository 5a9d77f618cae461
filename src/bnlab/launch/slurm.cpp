#include "bnlab/launch/slurm.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <stdexcept>

#include "bnlab/record/files.h"
#include "bnlab/record/json_fields.h"

namespace bnlab {
namespace {

std::string read_and_close(int fd) {
  std::string text;
  char block[4096];
  for (ssize_t count; (count = ::read(fd, block, sizeof block)) != 0;) {
    if (count > 0) text.append(block, static_cast<size_t>(count));
    if (count < 0 && errno != EINTR) break;
  }
  ::close(fd);
  return text;
}

std::string quoted(const std::string& argument) {
  std::string text = "'";
  for (const char c : argument) text += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return text + "'";
}

std::string first_line(const std::string& text) {
  return text.substr(0, text.find('\n'));
}

}  // namespace

CommandResult run_command(const std::vector<std::string>& command) {
  // Errors go to a file of its own, so that neither output can fill up and block the other.
  char errors_name[] = "/tmp/bnlab-errors-XXXXXX";
  const int errors = ::mkostemp(errors_name, O_CLOEXEC);
  int ends[2];
  if (errors < 0 || ::pipe2(ends, O_CLOEXEC) != 0) {
    throw std::runtime_error(fmt::format("cannot start {}: {}", command.front(), std::strerror(errno)));
  }
  ::unlink(errors_name);
  std::vector<char*> argv;
  for (const auto& argument : command) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, errors, STDERR_FILENO);
  posix_spawnattr_t attributes;  // a group of its own: Ctrl-C in the terminal is meant for the caller alone
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  pid_t pid = -1;
  const int error = posix_spawnp(&pid, argv[0], &actions, &attributes, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  ::close(ends[1]);
  CommandResult result;
  result.output = read_and_close(ends[0]);
  int status = 127 << 8;
  while (error == 0 && ::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  ::lseek(errors, 0, SEEK_SET);
  result.errors = read_and_close(errors);
  result.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return result;
}

std::string slurm_script(const SlurmJob& job) {
  std::string command;
  for (const auto& argument : job.command) command += " " + quoted(argument);
  return fmt::format(R"script(#!/bin/sh
# Written by bnlab, which submits it as a job array. Each element takes runs until none is left.
id="${{SLURM_ARRAY_JOB_ID}}_${{SLURM_ARRAY_TASK_ID}}"
{} &
work=$!
trap 'kill -TERM $work' TERM
while :; do
  wait $work
  status=$?
  kill -0 $work 2>/dev/null || break
done
# 130: it was told to stop, near the time limit or before a preemption, and all is stored. Cancelled, it is not RUNNING.
if [ $status -eq 130 ] && [ "$(squeue -h -j "$id" -o %T)" = RUNNING ]; then
  echo "bnlab: $id goes on later"
  scontrol requeue "$id"
fi
exit $status
)script",
                     command.substr(1));
}

std::string submit(const SlurmJob& job) {
  std::filesystem::create_directories(job.folder);
  const auto script = std::filesystem::absolute(job.folder) / "job.sh";
  write_file_atomically(script, slurm_script(job));
  const auto output = std::filesystem::absolute(job.folder) / "slurm-%A_%a.log";
  std::vector<std::string> command = {"sbatch",
                                      "--parsable",
                                      "--job-name=bnlab",
                                      "--requeue",
                                      "--signal=B:TERM@60",
                                      "--open-mode=append",
                                      fmt::format("--array=0-{}", job.elements - 1),
                                      "--chdir=" + std::filesystem::current_path().string(),
                                      "--output=" + output.string()};
  command.insert(command.end(), job.arguments.begin(), job.arguments.end());
  command.push_back(script.string());
  const CommandResult result = run_command(command);
  if (result.status == 127) {
    throw std::runtime_error(
        "there is no sbatch here; run this on a machine that submits to Slurm, or without --executor slurm");
  }
  const std::string id = first_line(result.output.substr(0, result.output.find(';')));  // ID[;cluster]
  if (result.status != 0 || id.empty() || !std::all_of(id.begin(), id.end(), ::isdigit)) {
    throw std::runtime_error("sbatch refuses the job: " + first_line(result.errors));
  }
  write_file_atomically(job.folder / "job.json", Json({{"id", id}, {"elements", job.elements}}).dump() + "\n");
  return id;
}

std::string submitted_job(const std::filesystem::path& folder) {
  try {
    if (!file_exists(folder / "job.json")) return "";
    return Json::parse(read_file(folder / "job.json")).at("id").get<std::string>();
  } catch (const Json::exception&) {
    return "";
  }
}

std::optional<int64_t> living_elements(const std::string& job) {
  const CommandResult result = run_command({"squeue", "-h", "-r", "-j", job, "-o", "%T"});
  if (result.errors.find("Invalid job id") != std::string::npos) return 0;  // ended, and forgotten by Slurm
  if (result.status != 0) return std::nullopt;
  return std::count(result.output.begin(), result.output.end(), '\n');
}

std::vector<std::string> split_arguments(const std::string& text) {
  std::vector<std::string> arguments;
  std::string current;
  bool inside = false;
  char quote = 0;
  for (const char c : text) {
    if (quote != 0) {
      if (c == quote)
        quote = 0;
      else
        current += c;
    } else if (c == '\'' || c == '"') {
      quote = c;
      inside = true;
    } else if (c == ' ' || c == '\t') {
      if (inside || !current.empty()) arguments.push_back(current);
      current.clear();
      inside = false;
    } else {
      current += c;
    }
  }
  if (quote != 0) throw std::invalid_argument("--slurm-args: a quote is not closed");
  if (inside || !current.empty()) arguments.push_back(current);
  return arguments;
}

}  // namespace bnlab
