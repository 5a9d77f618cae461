// The live page beside other work: `bnlab serve` in a process of its own, which cannot disturb that work.
#pragma once

#include <string>

#include "bnlab/cli/common.h"
#include "bnlab/launch/worker_process.h"

namespace bnlab {

class LivePage {
 public:
  /// `program`: this executable; `port` as for bnlab serve, -1 for its default. The page ends with the calling thread.
  /// Throws std::runtime_error, one sentence, if it cannot be opened.
  LivePage(const std::string& program, const OutFolder& out, int port);
  ~LivePage();  ///< after it has told all browsers what there is at the end

  const std::string& address() const { return address_; }

 private:
  WorkerProcess process_;
  std::string address_;
};

}  // namespace bnlab
