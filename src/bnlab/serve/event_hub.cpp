#include "bnlab/serve/event_hub.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

namespace bnlab {

std::optional<std::string> EventHub::Reader::next(std::chrono::milliseconds patience) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, patience, [&] { return closed_ || !waiting_.empty(); });
  if (waiting_.empty()) return closed_ ? std::nullopt : std::optional<std::string>("");
  std::string message = std::move(waiting_.front());
  waiting_.pop_front();
  bytes_ -= message.size();
  return message;
}

void EventHub::hand(Reader& reader, const std::string& message, bool is_last) {
  const std::lock_guard lock(reader.mutex_);
  if (reader.closed_) return;
  reader.waiting_.push_back(message);
  reader.bytes_ += message.size();
  if (reader.bytes_ > most_waiting_bytes_) {
    reader.waiting_.clear();
    reader.bytes_ = 0;
    is_last = true;
  }
  reader.closed_ = is_last;
  reader.changed_.notify_all();
}

std::shared_ptr<EventHub::Reader> EventHub::join() {
  const std::lock_guard lock(mutex_);
  std::erase_if(readers_, [](const auto& reader) { return reader.expired(); });
  if (closed_ || readers_.size() >= most_readers_) return nullptr;
  auto reader = std::make_shared<Reader>();
  readers_.push_back(reader);
  return reader;
}

void EventHub::publish(const std::string& message) {
  const std::lock_guard lock(mutex_);
  for (const auto& weak : readers_) {
    if (const auto reader = weak.lock()) hand(*reader, message, false);
  }
}

void EventHub::close(const std::string& last) {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  for (const auto& weak : readers_) {
    if (const auto reader = weak.lock()) hand(*reader, last, true);
  }
}

void EventHub::wait_until_left(std::chrono::milliseconds patience) {
  const auto end = std::chrono::steady_clock::now() + patience;
  const auto is_there = [](const auto& reader) { return !reader.expired(); };
  while (std::chrono::steady_clock::now() < end) {
    {
      const std::lock_guard lock(mutex_);
      if (std::none_of(readers_.begin(), readers_.end(), is_there)) return;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

std::string event_message(std::string_view name, std::string_view data) {
  return fmt::format("event: {}\ndata: {}\n\n", name, data);
}

}  // namespace bnlab
