// A limit of time for calls that have none.
#pragma once

#include <chrono>
#include <future>
#include <memory>
#include <optional>
#include <thread>
#include <utility>

namespace bnlab {

/// What `call` returns or throws, or nothing if it takes longer than `limit`. It then goes on in a thread of its own,
/// and whatever it holds with it: for errors that end the program.
template <class Result, class Call>
std::optional<Result> within(std::chrono::milliseconds limit, Call call) {
  std::packaged_task<Result()> task(std::move(call));
  auto result = task.get_future();
  std::thread thread(std::move(task));
  if (result.wait_for(limit) != std::future_status::ready) {
    thread.detach();
    return std::nullopt;
  }
  thread.join();
  return result.get();
}

}  // namespace bnlab
