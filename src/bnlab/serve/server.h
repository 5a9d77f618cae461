// The live page over HTTP (docs/serve.md): it reads one output folder, and starts runs if it may.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "bnlab/serve/run_starter.h"
#include "bnlab/serve/watched_folder.h"

namespace bnlab {

struct ServerOptions {
  std::string host = "127.0.0.1";  ///< address to listen on
  int port = 0;                    ///< 0: any that is free
  std::string token;               ///< what every request has to know; "": nothing
  std::string page;                ///< of web/, with {"live": true} as its data
};

class Server {
 public:
  /// Listens from now on. `folder` and `starter` (nullptr: no runs are started) outlive the server.
  /// Throws std::runtime_error, one sentence, if it cannot listen there.
  Server(const ServerOptions& options, WatchedFolder& folder, RunStarter* starter);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  int port() const;

  /// Answers requests, and looks at the folder about every second, until `stop` is set; then tells all pages.
  void run(const std::atomic<bool>& stop);

 private:
  class Implementation;
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace bnlab
