// Whether the processes of a cluster's job are like the one that submitted it: OUT/cluster/submitter.json against
// OUT/cluster/hello-HOST-PID.json, which each of them writes when it starts.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "bnlab/cli/common.h"

namespace bnlab {

/// OUT/cluster: what concerns a cluster's job.
inline std::filesystem::path cluster_folder(const OutFolder& out) {
  return out.path / "cluster";
}

/// Says what this process is, to be compared with; forgets the processes of earlier jobs. Throws FileError.
void say_what_submits(const OutFolder& out, const std::string& program, const DataFacts& facts);

/// Says hello, if somebody has submitted this work. Throws std::runtime_error, one sentence, if the data or the program
/// are others than the submitter's: their results would not belong together.
void say_hello(const OutFolder& out, const std::string& program, const DataFacts& facts);

/// What the submitter tells of the hellos, each once: who was refused, and where bits may differ.
class HelloReader {
 public:
  explicit HelloReader(const OutFolder& out) : out_(out) {}
  std::vector<std::string> news();

 private:
  const OutFolder& out_;
  std::set<std::string> read_;
};

}  // namespace bnlab
