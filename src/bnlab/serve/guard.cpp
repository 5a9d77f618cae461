#include "bnlab/serve/guard.h"

#include <arpa/inet.h>
#include <sys/random.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <stdexcept>

namespace bnlab {
namespace {

bool is_port(std::string_view text) {
  int port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc() && end == text.data() + text.size() && port > 0 && port < 65536;
}

bool is_address(const std::string& name, int family) {
  std::array<unsigned char, sizeof(in6_addr)> ignored;
  return inet_pton(family, name.c_str(), ignored.data()) == 1;
}

bool same_name(std::string_view a, std::string_view b) {
  const auto same = [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), same);
}

/// "NAME", "NAME:PORT", "[V6]" or "[V6]:PORT".
bool host_is_ours(const std::string& host, const std::string& own_name) {
  if (!host.empty() && host.front() == '[') {
    const size_t end = host.find(']');
    if (end == host.npos || !is_address(host.substr(1, end - 1), AF_INET6)) return false;
    const std::string rest = host.substr(end + 1);
    return rest.empty() || (rest.front() == ':' && is_port(std::string_view(rest).substr(1)));
  }
  const size_t colon = host.find(':');
  if (colon != host.npos && !is_port(std::string_view(host).substr(colon + 1))) return false;
  const std::string name = host.substr(0, colon);
  return is_address(name, AF_INET) || same_name(name, "localhost") || (!own_name.empty() && same_name(name, own_name));
}

}  // namespace

std::string refusal(const RequestOrigin& from, const std::string& own_name) {
  if (!from.host || !host_is_ours(*from.host, own_name)) {
    return "This server answers to an IP address, localhost or the name of its machine only.";
  }
  if (from.origin && *from.origin != "http://" + *from.host) return "Pages from elsewhere may not ask this server.";
  const bool own = !from.fetch_site || *from.fetch_site == "same-origin" || *from.fetch_site == "none";
  return own || from.is_page ? "" : "Pages from elsewhere may not ask this server.";
}

std::string random_token() {
  std::array<unsigned char, 16> bytes;
  if (getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
    throw std::runtime_error("the system gives no random numbers for a token");
  }
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string token;
  for (const unsigned char byte : bytes) {
    token += kDigits[byte >> 4];
    token += kDigits[byte & 15];
  }
  return token;
}

bool same_secret(std::string_view a, std::string_view b) {
  unsigned difference = a.size() == b.size() ? 0 : 1;
  for (size_t i = 0; i < a.size() && i < b.size(); ++i) difference |= static_cast<unsigned char>(a[i] ^ b[i]);
  return difference == 0;
}

std::string cookie_value(std::string_view header, std::string_view name) {
  while (!header.empty()) {
    const size_t end = std::min(header.find(';'), header.size());
    std::string_view pair = header.substr(0, end);
    header.remove_prefix(std::min(end + 1, header.size()));
    pair.remove_prefix(std::min(pair.find_first_not_of(' '), pair.size()));
    const size_t equals = pair.find('=');
    if (equals != pair.npos && pair.substr(0, equals) == name) return std::string(pair.substr(equals + 1));
  }
  return "";
}

}  // namespace bnlab
