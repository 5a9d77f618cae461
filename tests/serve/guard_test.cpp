#include "bnlab/serve/guard.h"

#include <gtest/gtest.h>

namespace bnlab {
namespace {

bool allowed(const std::string& host) {
  return refusal({host, {}, {}, false}, "desk").empty();
}

TEST(Guard, AnswersToAddressesLocalhostAndItsOwnName) {
  for (const char* host : {"127.0.0.1", "127.0.0.1:8765", "localhost", "LocalHost:9000", "192.168.1.7:80", "[::1]",
                           "[::1]:8765", "desk", "Desk:8765"}) {
    EXPECT_TRUE(allowed(host)) << host;
  }
}

TEST(Guard, RefusesEveryOtherName) {
  for (const char* host :
       {"", "evil.example", "evil.example:8765", "localhost.evil.example", "127.0.0.1.evil.example",
        "desk.evil.example", "127.0.0.1:port", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:99999", "[::1", "[evil]:1",
        "[::1]x", "::1", "0x7f.1", "2130706433", "localhost:80:80", " localhost"}) {
    EXPECT_FALSE(allowed(host)) << host;
  }
  EXPECT_FALSE(refusal({std::nullopt, {}, {}, false}, "desk").empty());
  EXPECT_FALSE(refusal({"", {}, {}, false}, "").empty());
}

TEST(Guard, RefusesPagesFromElsewhere) {
  const auto from = [](std::optional<std::string> origin, std::optional<std::string> site, bool page) {
    return refusal({"localhost:8765", origin, site, page}, "desk").empty();
  };
  EXPECT_TRUE(from("http://localhost:8765", "same-origin", false));
  EXPECT_TRUE(from(std::nullopt, "none", false));
  EXPECT_FALSE(from("http://localhost:8766", std::nullopt, false));
  EXPECT_FALSE(from("https://localhost:8765", std::nullopt, false));
  EXPECT_FALSE(from("http://evil.example", "cross-site", true));
  EXPECT_FALSE(from("null", std::nullopt, false));
  EXPECT_FALSE(from(std::nullopt, "cross-site", false));
  EXPECT_FALSE(from(std::nullopt, "same-site", false));
  EXPECT_TRUE(from(std::nullopt, "cross-site", true)) << "a link may lead to the page";
}

TEST(Guard, TokensDifferAndAreComparedWhole) {
  const std::string a = random_token(), b = random_token();
  EXPECT_EQ(a.size(), 32u);
  EXPECT_NE(a, b);
  EXPECT_TRUE(same_secret(a, a));
  EXPECT_FALSE(same_secret(a, b));
  EXPECT_FALSE(same_secret(a, a.substr(0, 31)));
  EXPECT_FALSE(same_secret("", a));
  EXPECT_FALSE(same_secret(a + "x", a));
}

TEST(Guard, FindsACookieByItsWholeName) {
  EXPECT_EQ(cookie_value("a=1; bnlab-token=x; c=3", "bnlab-token"), "x");
  EXPECT_EQ(cookie_value("bnlab-token=x=y", "bnlab-token"), "x=y");
  EXPECT_EQ(cookie_value("not-bnlab-token=x", "bnlab-token"), "");
  EXPECT_EQ(cookie_value("", "bnlab-token"), "");
  EXPECT_EQ(cookie_value(";;=;bnlab-token", "bnlab-token"), "");
}

}  // namespace
}  // namespace bnlab
