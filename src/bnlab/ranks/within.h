// A limit of time for calls that have none.
#pragma once

#include <chrono>
#include <future>
#include <memory>
#include <optional>
#include <thread>
#include <utility>

namespace bnlab {

/// What `call` returns or throws, or nothing if it takes longer than `limit` or `in_vain` says so, which is asked ten
/// times a second. It then goes on in a thread of its own, and whatever it holds with it, until its own limits.
template <class Result, class Call, class InVain>
std::optional<Result> within(std::chrono::milliseconds limit, Call call, const InVain& in_vain) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  std::packaged_task<Result()> task(std::move(call));
  auto result = task.get_future();
  std::thread thread(std::move(task));
  while (result.wait_for(std::chrono::milliseconds(100)) != std::future_status::ready) {
    if (std::chrono::steady_clock::now() < deadline && !in_vain()) continue;
    thread.detach();
    return std::nullopt;
  }
  thread.join();
  return result.get();
}

}  // namespace bnlab
