// Server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html) for many readers, each at its own
// pace. One that does not keep up is let go: its browser connects again and gets the whole state.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace bnlab {

class EventHub {
 public:
  /// One reader's messages that it has not taken yet.
  class Reader {
   public:
    /// The next message, waiting for it at most so long; "" if none came, nullopt if there will be none any more.
    std::optional<std::string> next(std::chrono::milliseconds patience);

   private:
    friend class EventHub;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<std::string> waiting_;
    size_t bytes_ = 0;
    bool closed_ = false;
  };

  explicit EventHub(size_t most_readers, size_t most_waiting_bytes = 8 << 20)
      : most_readers_(most_readers), most_waiting_bytes_(most_waiting_bytes) {}

  /// A new reader of what is published from now on; nullptr if there are as many as there may be. It leaves by being
  /// dropped.
  std::shared_ptr<Reader> join();
  void publish(const std::string& message);
  /// To one reader alone.
  void send(Reader& reader, const std::string& message) { hand(reader, message, false); }
  /// Sends `last` and closes; nobody joins any more.
  void close(const std::string& last);
  /// Waits until every reader has left, at most so long.
  void wait_until_left(std::chrono::milliseconds patience);

 private:
  std::mutex mutex_;
  std::vector<std::weak_ptr<Reader>> readers_;
  size_t most_readers_, most_waiting_bytes_;
  bool closed_ = false;

  void hand(Reader& reader, const std::string& message, bool is_last);
};

/// `data`, one line, as the event called `name`.
std::string event_message(std::string_view name, std::string_view data);

}  // namespace bnlab
