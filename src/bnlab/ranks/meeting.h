// Where the ranks of one attempt find each other: libtorch's TCPStore on the host of rank 0.
#pragma once

#include <chrono>
#include <string>
#include <torch/csrc/distributed/c10d/Store.hpp>
#include <vector>

#include "bnlab/ranks/host_address.h"
#include "bnlab/ranks/rank_place.h"

namespace bnlab {

/// A store whose connections can be given up while others still hold it: when rank 0 ends, its store ends, and libtorch
/// 1.13 would then keep one core of each other rank busy (the thread that waits for callbacks polls a closed
/// connection). No call can miss an answer and read it as that of the next one, as TCPStore's wait() does after a
/// timeout.
class MeetingStore : public c10d::Store {
 public:
  MeetingStore(c10::intrusive_ptr<c10d::Store> store, std::string prefix, std::chrono::milliseconds timeout);

  void leave() { store_.reset(); }

  void set(const std::string& key, const std::vector<std::uint8_t>& value) override;
  std::vector<std::uint8_t> get(const std::string& key) override;  ///< waits for the key
  std::int64_t add(const std::string& key, std::int64_t value) override;
  bool deleteKey(const std::string& key) override;
  bool check(const std::vector<std::string>& keys) override;
  std::int64_t getNumKeys() override;
  void wait(const std::vector<std::string>& keys) override;
  /// Throws std::runtime_error after `timeout`.
  void wait(const std::vector<std::string>& keys, const std::chrono::milliseconds& timeout) override;

 private:
  c10d::Store& store() const;

  c10::intrusive_ptr<c10d::Store> store_;
  std::string prefix_;
};

struct Meeting {
  c10::intrusive_ptr<MeetingStore> store;
  std::string listen_address;  ///< of this rank
};

/// Comes to the meeting and waits for all ranks, at most `timeout`. Throws RanksError.
Meeting meet(const RankPlace& place, std::chrono::milliseconds timeout);

/// "rank 1 of 4: WHAT".
std::string said_by(const RankPlace& place, const std::string& what);

/// "3 s", "0.5 s".
std::string in_seconds(std::chrono::milliseconds time);

}  // namespace bnlab
