// Addresses of this host and of the first rank's.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace bnlab {

/// Both ends of the way to a host, as numbers ("10.0.0.2", "::1").
struct Route {
  std::string from;  ///< this host's address that the way starts at
  std::string to;
};

/// The way that a packet to `host` would take; none is sent. Nothing if the name cannot be resolved or there is no way.
std::optional<Route> find_route(const std::string& host, std::int64_t port);

bool is_loopback(const std::string& address);

/// The address at which a rank listens for the others. `routes`: from each rank to the host of rank 0. A rank on that
/// host may reach it by loopback (Debian's /etc/hosts has "127.0.1.1 HOSTNAME"), where ranks of other hosts cannot
/// reach it in turn: it then takes the address that these know.
std::string choose_listen_address(const std::vector<Route>& routes, std::int64_t rank);

/// Whether something listens there; gives up after `timeout`.
bool answers(const std::string& address, std::int64_t port, std::chrono::milliseconds timeout);

/// Whether a socket of this host already has the port.
bool port_is_taken(std::int64_t port);

}  // namespace bnlab
