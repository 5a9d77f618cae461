#include "bnlab/ranks/host_address.h"

#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

namespace bnlab {
namespace {

class Socket {
 public:
  Socket(int family, int type) : handle_(::socket(family, type | SOCK_CLOEXEC, 0)) {}
  ~Socket() {
    if (handle_ >= 0) ::close(handle_);
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  int handle() const { return handle_; }

 private:
  int handle_;
};

using AddressList = std::unique_ptr<addrinfo, void (*)(addrinfo*)>;

AddressList resolve(const std::string& host, std::int64_t port, int type) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = type;
  addrinfo* list = nullptr;
  if (::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &list) != 0) list = nullptr;
  return {list, [](addrinfo* some) {
            if (some != nullptr) ::freeaddrinfo(some);
          }};
}

std::string as_number(const sockaddr* address, socklen_t length) {
  char text[NI_MAXHOST];
  if (::getnameinfo(address, length, text, sizeof text, nullptr, 0, NI_NUMERICHOST) != 0) return "";
  return text;
}

bool connects(const addrinfo& to, std::chrono::milliseconds timeout) {
  const Socket socket(to.ai_family, SOCK_STREAM | SOCK_NONBLOCK);
  if (socket.handle() < 0) return false;
  if (::connect(socket.handle(), to.ai_addr, to.ai_addrlen) == 0) return true;
  if (errno != EINPROGRESS) return false;
  pollfd wanted{socket.handle(), POLLOUT, 0};
  if (::poll(&wanted, 1, static_cast<int>(timeout.count())) != 1) return false;
  int error = 0;
  socklen_t length = sizeof error;
  return ::getsockopt(socket.handle(), SOL_SOCKET, SO_ERROR, &error, &length) == 0 && error == 0;
}

}  // namespace

std::optional<Route> find_route(const std::string& host, std::int64_t port) {
  const AddressList list = resolve(host, port, SOCK_DGRAM);
  for (const addrinfo* to = list.get(); to != nullptr; to = to->ai_next) {
    const Socket socket(to->ai_family, SOCK_DGRAM);
    if (socket.handle() < 0 || ::connect(socket.handle(), to->ai_addr, to->ai_addrlen) != 0) continue;
    sockaddr_storage own{};
    socklen_t length = sizeof own;
    if (::getsockname(socket.handle(), reinterpret_cast<sockaddr*>(&own), &length) != 0) continue;
    Route route{as_number(reinterpret_cast<sockaddr*>(&own), length), as_number(to->ai_addr, to->ai_addrlen)};
    if (!route.from.empty() && !route.to.empty()) return route;
  }
  return std::nullopt;
}

bool is_loopback(const std::string& address) {
  return address.rfind("127.", 0) == 0 || address == "::1";
}

std::string choose_listen_address(const std::vector<Route>& routes, std::int64_t rank) {
  const Route& own = routes.at(static_cast<std::size_t>(rank));
  if (!is_loopback(own.from)) return own.from;
  for (const auto& route : routes) {
    if (!is_loopback(route.to)) return route.to;
  }
  return own.from;
}

bool answers(const std::string& address, std::int64_t port, std::chrono::milliseconds timeout) {
  const AddressList list = resolve(address, port, SOCK_STREAM);
  for (const addrinfo* to = list.get(); to != nullptr; to = to->ai_next) {
    if (connects(*to, timeout)) return true;
  }
  return false;
}

bool port_is_taken(std::int64_t port) {
  const Socket socket(AF_INET, SOCK_STREAM);
  if (socket.handle() < 0) return false;
  const int yes = 1;  // as the store does: a connection that ended a moment ago does not count
  ::setsockopt(socket.handle(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  sockaddr_in any{};
  any.sin_family = AF_INET;
  any.sin_port = htons(static_cast<std::uint16_t>(port));
  return ::bind(socket.handle(), reinterpret_cast<const sockaddr*>(&any), sizeof any) != 0 && errno == EADDRINUSE;
}

}  // namespace bnlab
