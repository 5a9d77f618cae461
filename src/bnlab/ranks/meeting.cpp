#include "bnlab/ranks/meeting.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>
#include <utility>

#include "bnlab/ranks/ranks_error.h"

namespace bnlab {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds kPause{20};

milliseconds left(Clock::time_point deadline) {
  return std::max(milliseconds(1), std::chrono::duration_cast<milliseconds>(deadline - Clock::now()));
}

std::string at(const RankPlace& place) {
  return fmt::format("{}:{}", place.address, place.port);
}

constexpr char kSamePlace[] = "see what it says, and that MASTER_ADDR and MASTER_PORT are the same for all ranks";

/// Debian's libtorch 2 has no libuv, which TCPStore otherwise asks for; that of libtorch 1 knows nothing of it.
template <class Options>
void do_without_libuv(Options& options) {
  if constexpr (requires { options.useLibUV; }) options.useLibUV = false;
}

c10::intrusive_ptr<c10d::Store> open_store(const RankPlace& place, Clock::time_point deadline, milliseconds timeout) {
  const bool server = place.rank == 0 && !place.store_is_there;
  if (server && port_is_taken(place.port)) {
    throw RanksError(
        said_by(place, fmt::format("port {} is already in use on this host; set MASTER_PORT to a free one for "
                                   "all ranks, or end what uses it",
                                   place.port)));
  }
  // TCPStore by itself would write a warning at each attempt.
  while (!server && !answers(place.address, place.port, left(deadline))) {
    if (Clock::now() + kPause >= deadline) {
      throw RanksError(said_by(
          place, fmt::format("{} was not at {} within {}; {}", place.store_is_there ? "torchrun" : "the first rank",
                             at(place), in_seconds(timeout), kSamePlace)));
    }
    std::this_thread::sleep_for(kPause);
  }
  c10d::TCPStoreOptions options;
  options.port = static_cast<std::uint16_t>(place.port);
  options.isServer = server;
  options.waitWorkers = false;
  do_without_libuv(options);
  options.timeout = std::chrono::ceil<std::chrono::seconds>(left(deadline));  // TCPStore drops parts of a second
  try {
    return c10::make_intrusive<c10d::TCPStore>(place.address, options);
  } catch (const std::exception& error) {
    const std::string line = error.what();
    throw RanksError(
        said_by(place, fmt::format("cannot meet the other ranks at {}: {}; MASTER_ADDR must be an address of "
                                   "the host of rank 0, and MASTER_PORT free there",
                                   at(place), line.substr(0, line.find('\n')))));
  }
}

std::string coming(std::int64_t rank) {
  return fmt::format("came/{}", rank);
}
std::string news(std::int64_t rank) {
  return fmt::format("news/{}", rank);
}

/// "SIZE FROM TO".
std::vector<std::uint8_t> write_news(const RankPlace& place, const Route& route) {
  const std::string text = fmt::format("{} {} {}", place.size, route.from, route.to);
  return {text.begin(), text.end()};
}

Route read_news(const RankPlace& place, std::int64_t rank, const std::vector<std::uint8_t>& bytes) {
  const std::string text(bytes.begin(), bytes.end());
  const auto first = text.find(' ');
  const auto second = text.find(' ', first + 1);
  const std::string size = text.substr(0, first);
  if (first == std::string::npos || second == std::string::npos || size != std::to_string(place.size)) {
    throw RanksError(
        said_by(place, fmt::format("rank {} says that there are {} ranks; start all by one command, with the "
                                   "same number of processes",
                                   rank, size)));
  }
  return {text.substr(first + 1, second - first - 1), text.substr(second + 1)};
}

void wait_for_all(MeetingStore& store, const RankPlace& place, Clock::time_point deadline, milliseconds timeout) {
  for (std::int64_t rank = 0; rank < place.size; ++rank) {
    while (!store.check({news(rank)})) {
      if (Clock::now() >= deadline) {
        throw RanksError(said_by(place, fmt::format("rank {} did not come to {} within {}; {}", rank, at(place),
                                                    in_seconds(timeout), kSamePlace)));
      }
      std::this_thread::sleep_for(kPause);
    }
  }
}

/// The way of each rank to the first.
std::vector<Route> exchange_routes(MeetingStore& store, const RankPlace& place, const Route& own,
                                   Clock::time_point deadline, milliseconds timeout) {
  if (store.add(coming(place.rank), 1) != 1) {
    throw RanksError(said_by(place, fmt::format("another process at {} says that it is rank {}; two runs need two "
                                                "MASTER_PORTs, and each process of a run its own rank",
                                                at(place), place.rank)));
  }
  store.set(news(place.rank), write_news(place, own));
  wait_for_all(store, place, deadline, timeout);
  std::vector<Route> routes;
  for (std::int64_t rank = 0; rank < place.size; ++rank)
    routes.push_back(read_news(place, rank, store.get(news(rank))));
  return routes;
}

/// torchrun's store outlives a group, so the next one needs other names. Rank 0's ends with the joining: the next group
/// finds a new one, and may be of other processes.
std::string prefix_of(const RankPlace& place) {
  if (!place.store_is_there) return fmt::format("bnlab/{}", place.prefix);
  static std::mutex mutex;
  static std::map<std::string, int> joined;
  const std::lock_guard lock(mutex);
  const int before = joined[fmt::format("{} {}", place.rank, place.prefix)]++;
  return fmt::format("bnlab/{}/{}", place.prefix, before);
}

}  // namespace

MeetingStore::MeetingStore(c10::intrusive_ptr<c10d::Store> store, std::string prefix, milliseconds timeout)
    : Store(timeout), store_(std::move(store)), prefix_(std::move(prefix) + "/") {}

c10d::Store& MeetingStore::store() const {
  if (!store_) throw std::logic_error("a store that was left is used");
  return *store_;
}

void MeetingStore::set(const std::string& key, const std::vector<std::uint8_t>& value) {
  store().set(prefix_ + key, value);
}

std::vector<std::uint8_t> MeetingStore::get(const std::string& key) {
  wait({key});
  return store().get(prefix_ + key);
}

std::int64_t MeetingStore::add(const std::string& key, std::int64_t value) {
  return store().add(prefix_ + key, value);
}

bool MeetingStore::deleteKey(const std::string& key) {
  return store().deleteKey(prefix_ + key);
}

bool MeetingStore::check(const std::vector<std::string>& keys) {
  std::vector<std::string> whole;
  for (const auto& key : keys) whole.push_back(prefix_ + key);
  return store().check(whole);
}

std::int64_t MeetingStore::getNumKeys() {
  return store().getNumKeys();
}

void MeetingStore::wait(const std::vector<std::string>& keys) {
  wait(keys, timeout_);
}

void MeetingStore::wait(const std::vector<std::string>& keys, const milliseconds& timeout) {
  const auto deadline = Clock::now() + std::min(timeout, timeout_);
  for (milliseconds pause{1}; !check(keys); pause = std::min(2 * pause, kPause)) {
    if (Clock::now() >= deadline) throw std::runtime_error(fmt::format("{} was not there in time", keys.front()));
    std::this_thread::sleep_for(pause);
  }
}

Meeting meet(const RankPlace& place, milliseconds timeout) {
  const auto deadline = Clock::now() + timeout;
  const auto route = find_route(place.address, place.port);
  if (!route) {
    throw RanksError(
        said_by(place, fmt::format("there is no way to MASTER_ADDR={}; set it to the address of the host of "
                                   "the first rank",
                                   place.address)));
  }
  const auto store = c10::make_intrusive<MeetingStore>(open_store(place, deadline, timeout), prefix_of(place), timeout);
  try {
    return {store, choose_listen_address(exchange_routes(*store, place, *route, deadline, timeout), place.rank)};
  } catch (const RanksError&) {
    throw;
  } catch (const std::exception&) {  // of the store
    throw RanksError(said_by(
        place, fmt::format("the first rank left {} while others were still waited for; see what it says", at(place))));
  }
}

std::string said_by(const RankPlace& place, const std::string& what) {
  return fmt::format("rank {} of {}: {}", place.rank, place.size, what);
}

std::string in_seconds(milliseconds time) {
  return fmt::format("{:g} s", static_cast<double>(time.count()) / 1000);
}

}  // namespace bnlab
