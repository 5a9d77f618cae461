// Ranks that are threads of one process, for tests of what trains over several: run_ranks(3, [](Ranks& ranks)
// {…}). They are stricter than the real ones: a call that does not fit the other ranks' (another function, size or
// type) is an error at once, on every rank.
#pragma once

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "bnlab/nn/ranks.h"
#include "bnlab/ranks/ranks_error.h"

namespace bnlab::testing {

/// Where the threads meet. The n-th call of each rank is one meeting; whoever comes last combines what all have
/// brought.
class Meetings {
 public:
  explicit Meetings(std::int64_t size) : size_(size) {}

  std::int64_t size() const { return size_; }

  void bring(std::int64_t number, std::int64_t rank, const std::string& kind, const at::Tensor& values) {
    const c10::NoGradGuard no_grad;
    const std::lock_guard lock(mutex_);
    Meeting& meeting = meetings_[number];
    if (meeting.brought.empty()) meeting.brought.resize(static_cast<std::size_t>(size_));
    const std::string call = kind + " of " + describe(values);
    if (meeting.call.empty()) meeting.call = call;
    if (call != meeting.call && misfit_.empty()) {
      misfit_ = "call " + std::to_string(number) + ": rank " + std::to_string(rank) + " asks for " + call +
                ", another for " + meeting.call;
    }
    meeting.brought[static_cast<std::size_t>(rank)] = values;
    if (++meeting.count == size_ && misfit_.empty()) {
      meeting.result = combine(kind, meeting.brought);
      meeting.brought.clear();
    }
    changed_.notify_all();
  }

  at::Tensor take(std::int64_t number) {
    std::unique_lock lock(mutex_);
    Meeting& meeting = meetings_.at(number);
    std::string error;
    changed_.wait(lock, [&] { return meeting.result.defined() || !(error = why_never(meeting)).empty(); });
    if (!meeting.result.defined()) throw RanksError(error);
    const at::Tensor result = meeting.result.clone();
    if (++meeting.taken == size_) meetings_.erase(number);
    return result;
  }

  /// This rank makes no more calls: meetings that still want it never take place.
  void lose(std::int64_t rank) {
    const std::lock_guard lock(mutex_);
    ended_.push_back(rank);
    changed_.notify_all();
  }

 private:
  struct Meeting {
    std::string call;
    std::vector<at::Tensor> brought;
    std::int64_t count = 0;
    std::int64_t taken = 0;
    at::Tensor result;
  };

  std::string why_never(const Meeting& meeting) const {
    if (!misfit_.empty()) return misfit_;
    for (const auto rank : ended_) {
      if (!meeting.brought[static_cast<std::size_t>(rank)].defined())
        return "rank " + std::to_string(rank) + " has ended";
    }
    return "";
  }

  static std::string describe(const at::Tensor& values) {
    std::string text = at::toString(values.scalar_type());
    for (const auto size : values.sizes()) text += " " + std::to_string(size);
    return text;
  }

  static at::Tensor combine(const std::string& kind, const std::vector<at::Tensor>& brought) {
    if (kind == "gather") return at::stack(brought);
    at::Tensor result = brought.front().clone();
    if (kind == "sum") {
      for (std::size_t rank = 1; rank < brought.size(); ++rank) result.add_(brought[rank]);
    }
    return result;
  }

  const std::int64_t size_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::int64_t, Meeting> meetings_;
  std::string misfit_;  // once set, nothing works any more
  std::vector<std::int64_t> ended_;
};

class ThreadRanks : public Ranks {
 public:
  ThreadRanks(std::shared_ptr<Meetings> meetings, std::int64_t rank) : meetings_(std::move(meetings)), rank_(rank) {}

  std::int64_t rank() const override { return rank_; }
  std::int64_t size() const override { return meetings_->size(); }

  at::Tensor gather(const at::Tensor& values) override { return meetings_->take(bring("gather", values)); }

  std::function<void()> begin_sum(at::Tensor values) override {
    const std::int64_t number = bring("sum", values);
    return [meetings = meetings_, number, values] { put(values, meetings->take(number)); };
  }

  void take_from_first(at::Tensor values) override {
    const std::int64_t number = bring("take_from_first", values);
    put(values, meetings_->take(number));
  }

 private:
  std::int64_t bring(const std::string& kind, const at::Tensor& values) {
    if (!values.is_non_overlapping_and_dense()) throw std::logic_error(kind + ": the values are not dense");
    meetings_->bring(calls_, rank_, kind, values);
    return calls_++;
  }

  static void put(const at::Tensor& values, const at::Tensor& result) {
    const c10::NoGradGuard no_grad;
    values.copy_(result);
  }

  std::shared_ptr<Meetings> meetings_;
  std::int64_t rank_;
  std::int64_t calls_ = 0;
};

/// Runs `body` on `size` threads, each with its rank, and waits for all. If some throw, the others' calls that wait for
/// them throw RanksError, and what the first of them threw by itself is thrown here.
inline void run_ranks(std::int64_t size, const std::function<void(Ranks&)>& body) {
  const auto meetings = std::make_shared<Meetings>(size);
  std::mutex mutex;
  std::exception_ptr cause, consequence;
  std::vector<std::thread> threads;
  for (std::int64_t rank = 0; rank < size; ++rank) {
    threads.emplace_back([&, rank] {
      ThreadRanks ranks(meetings, rank);
      std::exception_ptr thrown;
      bool lost = false;
      try {
        body(ranks);
      } catch (const RanksError&) {
        thrown = std::current_exception();
        lost = true;
      } catch (...) {
        thrown = std::current_exception();
      }
      if (thrown) {
        const std::lock_guard lock(mutex);
        std::exception_ptr& kept = lost ? consequence : cause;
        if (!kept) kept = thrown;
      }
      meetings->lose(rank);  // after its last call: what it has brought is still combined
    });
  }
  for (auto& thread : threads) thread.join();
  if (cause) std::rethrow_exception(cause);
  if (consequence) std::rethrow_exception(consequence);
}

}  // namespace bnlab::testing

namespace bnlab_test = bnlab::testing;
