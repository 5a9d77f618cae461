// Who may ask the server what. A page from elsewhere, open in the same browser, can send requests to this server: it
// must neither read nor start anything (DNS rebinding, cross-site requests).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace bnlab {

/// The headers of a request that tell where it comes from; nullopt: not sent.
struct RequestOrigin {
  std::optional<std::string> host, origin, fetch_site;
  bool is_page = false;  ///< asks for the page itself, to which a link elsewhere may lead
};

/// Why the request is refused, one sentence; "" if it is not. Host must be an address, `localhost` or `own_name`
/// (the machine's), with any port: a tunnel may change it. Origin must be that host's; Sec-Fetch-Site the server's own.
std::string refusal(const RequestOrigin& from, const std::string& own_name);

/// 32 hex digits from the system's random source. Throws std::runtime_error if there is none.
std::string random_token();

/// Whether both are equal; takes as long wherever they differ.
bool same_secret(std::string_view a, std::string_view b);

/// The value of the cookie called `name` in a Cookie header; "" if it holds none.
std::string cookie_value(std::string_view header, std::string_view name);

}  // namespace bnlab
