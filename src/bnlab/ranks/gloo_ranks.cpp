#include "bnlab/ranks/gloo_ranks.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <fmt/format.h>
#include <sched.h>

#include <algorithm>
#include <csignal>
#include <functional>
#include <mutex>
#include <stdexcept>
#include <string_view>
#include <thread>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <utility>
#include <vector>

#include "bnlab/ranks/meeting.h"
#include "bnlab/ranks/within.h"

namespace bnlab {
namespace {

using std::chrono::milliseconds;

constexpr char kGoOn[] = "look at what the other ranks say; the same command goes on from the last checkpoint";

/// What Gloo says, in plain words.
std::string explain(std::string_view message, milliseconds timeout) {
  const auto says = [&](std::string_view part) { return message.find(part) != std::string_view::npos; };
  if (says("Timed out") || says("timed out") || says("timeout")) {
    return fmt::format("another rank did not answer in {}", in_seconds(timeout));
  }
  for (const auto* end : {"closed by peer", "reset by peer", "Broken pipe", "Connection refused", "closed", "reset"}) {
    if (says(end)) return "another rank has ended";
  }
  return fmt::format("the connection to another rank failed ({})", message.substr(0, message.find('\n')));
}

class Group : public c10d::ProcessGroupGloo {
 public:
  using ProcessGroupGloo::ProcessGroupGloo;

  /// What is under way on the other ranks then fails at once (here it goes on waiting).
  void close() {
    for (const auto& context : contexts_) {
      for (int other = 0; other < context->size; ++other) {
        if (const auto& pair = context->getPair(other)) pair->close();
      }
    }
  }

  bool idle() {
    const std::lock_guard lock(workMutex_);
    return workQueue_.empty() && std::none_of(workInProgress_.begin(), workInProgress_.end(),
                                              [](const auto& work) { return work.defined(); });
  }
};

/// Ends a group without waiting for other ranks. Its destructor would wait for what is under way; such a group stays,
/// for the rest of a program that has failed.
void leave(c10::intrusive_ptr<Group> group) {
  for (int i = 0; i < 100 && !group->idle(); ++i) {  // a thread that has just done its last work
    std::this_thread::sleep_for(milliseconds(1));
  }
  if (group->idle()) return;
  group->close();
  [[maybe_unused]] const auto* kept = group.release();
}

/// The group, and that it has failed.
class Connection {
 public:
  Connection(RankPlace place, milliseconds timeout) : place_(std::move(place)), timeout_(timeout) {
    if (place_.size == 1) return;
    const auto meeting = meet(place_, timeout);
    auto options = Group::Options::create(timeout);
    options->timeout = timeout;
    options->threads = 2;
    try {
      options->devices.push_back(Group::createDeviceForHostname(meeting.listen_address));
      group_ = c10::make_intrusive<Group>(meeting.store, static_cast<int>(place_.rank), static_cast<int>(place_.size),
                                          options);
    } catch (const std::exception& error) {
      throw RanksError(said_by(place_, fmt::format("cannot be connected from {} to the others: {}; {}",
                                                   meeting.listen_address, explain(error.what(), timeout), kGoOn)));
    }
    // None needs the store any more once all have come here. Rank 0, whose store it is, leaves it last; and who then
    // joins again does not find the old one.
    hear_from_all();
    if (place_.rank != 0) meeting.store->leave();
    hear_from_all();
    if (place_.rank == 0) meeting.store->leave();
    hear_from_all();
  }

  ~Connection() {
    if (group_) leave(std::move(group_));
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  const RankPlace& place() const { return place_; }

  using Work = c10::intrusive_ptr<c10d::Work>;

  /// Fills all (size, n), from mine (n) of each rank; bytes.
  void gather(const at::Tensor& mine, const at::Tensor& all) {
    const auto rows = all.unbind(0);
    if (place_.size > kMostToEach) {
      std::vector<at::Tensor> in{mine};
      std::vector<std::vector<at::Tensor>> out{rows};
      return wait(begin([&] { return group_->allgather(out, in); }));
    }
    // Begun in this thread, without Gloo's ring and the thread that goes round it: a third of the time for few bytes.
    std::vector<Work> under_way;
    for (const bool receive : {true, false}) {
      for (int step = 1; step < place_.size; ++step) {
        const auto other = static_cast<int>((place_.rank + step) % place_.size);
        std::vector<at::Tensor> row{receive ? rows[static_cast<std::size_t>(other)] : mine};
        under_way.push_back(begin(
            [&] { return receive ? group_->recv(row, other, kGatherTag) : group_->send(row, other, kGatherTag); }));
      }
    }
    rows[static_cast<std::size_t>(place_.rank)].copy_(mine);
    for (const auto& work : under_way) wait(work);
  }

  Work begin_sum(at::Tensor values) {
    std::vector<at::Tensor> both{std::move(values)};
    return begin([&] { return group_->allreduce(both); });
  }

  Work begin_broadcast(at::Tensor bytes) {
    std::vector<at::Tensor> both{std::move(bytes)};
    return begin([&] { return group_->broadcast(both); });
  }

  void wait(const Work& work) {
    const c10::NoGradGuard no_grad;
    if (!failure_.empty()) throw RanksError(failure_);
    try {
      work->wait();
    } catch (const std::exception& error) {
      fail(error.what());
    }
  }

 private:
  static constexpr std::int64_t kMostToEach = 8;  // ranks of which each sends to each
  static constexpr int kGatherTag = 1;

  void hear_from_all() {
    const c10::NoGradGuard no_grad;
    gather(at::zeros({1}, at::kByte), at::empty({place_.size, 1}, at::kByte));
  }

  template <class Call>
  Work begin(const Call& call) {
    const c10::NoGradGuard no_grad;
    if (!failure_.empty()) throw RanksError(failure_);
    try {
      return call();
    } catch (const std::exception& error) {
      fail(error.what());
    }
  }

  [[noreturn]] void fail(const char* message) {
    if (failure_.empty()) {
      failure_ = said_by(place_, fmt::format("{}; {}", explain(message, timeout_), kGoOn));
      group_->close();
    }
    throw RanksError(failure_);
  }

  const RankPlace place_;
  const milliseconds timeout_;
  c10::intrusive_ptr<Group> group_;  // none for a single rank
  std::string failure_;
};

void require_dense(const at::Tensor& values, const char* call) {
  if (!values.device().is_cpu() || !values.is_non_overlapping_and_dense()) {
    throw std::invalid_argument(fmt::format("{} over ranks needs dense values on the CPU: copy them first", call));
  }
}

void require_summable(at::ScalarType type) {
  constexpr at::ScalarType kinds[] = {at::kFloat, at::kDouble, at::kLong, at::kInt, at::kByte, at::kChar};
  if (std::find(std::begin(kinds), std::end(kinds), type) == std::end(kinds)) {
    throw std::invalid_argument(fmt::format("cannot sum {} over ranks: convert to float first", at::toString(type)));
  }
}

/// All values in their logical order, in memory of their own unless they already lie so.
at::Tensor in_a_row(const at::Tensor& values) {
  return values.detach().contiguous().view({-1});
}

class GlooRanks : public Ranks {
 public:
  explicit GlooRanks(std::shared_ptr<Connection> connection) : connection_(std::move(connection)) {}

  std::int64_t rank() const override { return connection_->place().rank; }
  std::int64_t size() const override { return connection_->place().size; }

  at::Tensor gather(const at::Tensor& values) override {
    const c10::NoGradGuard no_grad;
    require_dense(values, "gather");
    const auto row = in_a_row(values);
    auto sizes = values.sizes().vec();
    sizes.insert(sizes.begin(), size());
    if (size() == 1 || row.numel() == 0) return row.clone().view(sizes);
    const auto all = at::empty({size(), row.numel()}, row.options());
    connection_->gather(row.view(at::kByte), all.view(at::kByte));
    return all.view(sizes);
  }

  std::function<void()> begin_sum(at::Tensor values) override {
    const c10::NoGradGuard no_grad;
    require_dense(values, "a sum");
    require_summable(values.scalar_type());
    if (size() == 1 || values.numel() == 0) return [] {};
    const auto row = in_a_row(values);
    return [connection = connection_, work = connection_->begin_sum(row), row, values] {
      connection->wait(work);
      put(row, values);
    };
  }

  void take_from_first(at::Tensor values) override {
    const c10::NoGradGuard no_grad;
    require_dense(values, "take_from_first");
    if (size() == 1 || values.numel() == 0) return;
    const auto row = in_a_row(values);
    connection_->wait(connection_->begin_broadcast(row.view(at::kByte)));
    put(row, values);
  }

 private:
  static void put(const at::Tensor& row, const at::Tensor& values) {
    if (row.data_ptr() == values.data_ptr()) return;
    const c10::NoGradGuard no_grad;
    values.copy_(row.view(values.sizes()));
  }

  std::shared_ptr<Connection> connection_;
};

/// Linux's SCHED_BATCH for this thread and those it starts: one that wakes up waits its turn. Else it may take the core
/// of a thread that holds Gloo's lock, and Gloo asks for that lock without pause until the scheduler's next tick, 4 ms
/// later: on a machine whose cores all compute, a gather took 1 ms instead of 0.2.
void take_turns() {
  const sched_param priority{};
  if (::sched_getscheduler(0) == SCHED_OTHER) ::sched_setscheduler(0, SCHED_BATCH, &priority);
}

}  // namespace

std::shared_ptr<Ranks> join_ranks(const RankPlace& place, milliseconds timeout, const std::function<bool()>& in_vain) {
  struct sigaction before {};
  if (place.size > 1 && ::sigaction(SIGPIPE, nullptr, &before) == 0 && before.sa_handler == SIG_DFL) {
    std::signal(SIGPIPE, SIG_IGN);
  }
  if (place.size > 1) take_turns();
  const auto join = [place, timeout] { return std::make_shared<Connection>(place, timeout); };
  // What libtorch waits for without a limit: an answer of a store whose process stands still, or that is none.
  bool gave_up = false;
  auto connection = within<std::shared_ptr<Connection>>(2 * timeout + milliseconds(500), join,
                                                        [&] { return gave_up = in_vain && in_vain(); });
  if (gave_up) throw RanksError(said_by(place, "gave up waiting for the other ranks"));
  if (!connection) {
    throw RanksError(
        said_by(place, fmt::format("{}:{} did not answer within {}; see what the first rank says, and that "
                                   "nothing else listens there",
                                   place.address, place.port, in_seconds(2 * timeout))));
  }
  return std::make_shared<GlooRanks>(*connection);
}

}  // namespace bnlab
