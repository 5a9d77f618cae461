#include "bnlab/cli/cluster_hello.h"

#include <fmt/format.h>

#include <stdexcept>
#include <system_error>

#include "bnlab/kernels/instruction_set.h"
#include "bnlab/record/files.h"
#include "bnlab/record/hash.h"
#include "bnlab/record/parse_json.h"
#include "bnlab/record/run_lease.h"
#include "bnlab/version.h"

namespace bnlab {
namespace {

std::filesystem::path submitter_file(const OutFolder& out) {
  return cluster_folder(out) / "submitter.json";
}

bool is_hello(const std::filesystem::path& file) {
  return file.filename().string().rfind("hello-", 0) == 0 && file.extension() == ".json";
}

Json this_process(const std::string& program, const DataFacts& facts) {
  const LeaseOwner owner = LeaseOwner::this_process();
  return {{"host", owner.host},
          {"pid", owner.pid},
          {"job", owner.job},
          {"program", fmt::format("{} ({})", kVersion, kCommit)},
          {"binary", sha256_hex(read_file(program))},
          {"isa", kernels::instruction_set()},
          {"data", facts.digest},
          {"refused", ""},
          {"warning", ""}};
}

/// Why `element` must not work for `submitter`, "" if it may.
std::string refusal(const Json& element, const Json& submitter) {
  if (element.at("program") != submitter.at("program")) {
    return fmt::format("this is bnlab {}, but {} was the one that submitted; install one version on all machines",
                       element["program"].get<std::string>(), submitter["program"].get<std::string>());
  }
  if (element.at("data") != submitter.at("data")) {
    return fmt::format("the data here have the digest {:.12}, the submitter's {:.12}; give all machines the same files",
                       element["data"].get<std::string>(), submitter["data"].get<std::string>());
  }
  return "";
}

std::string warning(const Json& element, const Json& submitter) {
  if (element.at("isa") != submitter.at("isa")) {
    return fmt::format(
        "it uses {} instructions, the submitter {}: runs computed there may differ in their last bits; set "
        "BNLAB_FORCE_ISA "
        "to what all machines have, for all of them",
        element["isa"].get<std::string>(), submitter["isa"].get<std::string>());
  }
  if (element.at("binary") != submitter.at("binary")) {
    return "its program file is another build of the same version: runs computed there may differ in their last bits";
  }
  return "";
}

}  // namespace

void say_what_submits(const OutFolder& out, const std::string& program, const DataFacts& facts) {
  std::filesystem::create_directories(cluster_folder(out));
  for (const auto& entry : std::filesystem::directory_iterator(cluster_folder(out))) {
    std::error_code ignored;
    if (is_hello(entry.path())) std::filesystem::remove(entry.path(), ignored);
  }
  write_file_atomically(submitter_file(out), this_process(program, facts).dump(2) + "\n");
}

void say_hello(const OutFolder& out, const std::string& program, const DataFacts& facts) {
  if (!file_exists(submitter_file(out))) return;
  const Json submitter = parse_json(read_file(submitter_file(out)), submitter_file(out).string());
  Json element = this_process(program, facts);
  const std::string refused = refusal(element, submitter);
  element["refused"] = refused;
  element["warning"] = warning(element, submitter);
  const auto name = fmt::format("hello-{}-{}.json", element["host"].get<std::string>(), element["pid"].get<int64_t>());
  write_file_atomically(cluster_folder(out) / name, element.dump(2) + "\n");
  if (!refused.empty()) throw std::runtime_error(refused);
}

std::vector<std::string> HelloReader::news() {
  std::vector<std::string> sentences;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(cluster_folder(out_), error)) {
    if (!is_hello(entry.path()) || !read_.insert(entry.path().filename()).second) continue;
    const Json hello = parse_json(read_file(entry.path()), entry.path().string());
    const std::string host = hello.at("host");
    const std::string refused = hello.at("refused"), warned = hello.at("warning");
    if (!refused.empty()) sentences.push_back(fmt::format("refused: {} takes no runs: {}", host, refused));
    if (refused.empty() && !warned.empty()) sentences.push_back(fmt::format("warning: {}: {}", host, warned));
  }
  return sentences;
}

}  // namespace bnlab
