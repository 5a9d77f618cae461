// Slurm's own commands: sbatch, squeue. Whatever Slurm does, Slurm does.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace bnlab {

struct CommandResult {
  int status = 0;  ///< exit status; 127 if there is no such program
  std::string output, errors;
};

/// Runs a program, found by PATH, to its end. Throws std::runtime_error if no process can be made.
CommandResult run_command(const std::vector<std::string>& command);

struct SlurmJob {
  std::vector<std::string> command;    ///< what each element runs, with the argv of a program
  std::vector<std::string> arguments;  ///< more ones for sbatch: partition, time, CPUs
  int64_t elements = 1;
  std::filesystem::path folder;  ///< for the script, the elements' outputs and the job's number
};

/// The script of each element: runs the command, passes SIGTERM on to it, and asks Slurm to start the element again if
/// the command ended with status 130, its work stored, for another reason than that the job was cancelled.
std::string slurm_script(const SlurmJob& job);

/// Submits the job as one array and returns its number, which also goes to FOLDER/job.json. Throws std::runtime_error,
/// one sentence, if there is no sbatch or if it refuses.
std::string submit(const SlurmJob& job);

/// The number that FOLDER/job.json holds; "" if there is none.
std::string submitted_job(const std::filesystem::path& folder);

/// How many elements wait or run; nullopt if Slurm does not answer.
std::optional<int64_t> living_elements(const std::string& job);

/// Splits as a shell does at blanks, minding quotes: "--time=1:00 --comment='two words'". Throws std::invalid_argument
/// if a quote is not closed.
std::vector<std::string> split_arguments(const std::string& text);

}  // namespace bnlab
