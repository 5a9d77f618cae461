#include "bnlab/serve/server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <httplib.h>

#include <memory>

#include "tests/serve/running_server.h"
#include "tests/serve/written_run.h"

namespace bnlab {
namespace {

using testing::AtWork;
using ::testing::HasSubstr;
using testing::make_run;
using ::testing::Not;
using testing::NotingStarter;
using testing::RawConnection;
using testing::RunningServer;
using ::testing::StartsWith;
using testing::training;
using Clock = std::chrono::steady_clock;

struct Answer {
  int status = 0;
  Json json;
  std::string body;
  httplib::Headers headers;
};

Answer answer_of(const httplib::Result& result) {
  if (!result) return {};
  return {result->status, Json::parse(result->body, nullptr, false), result->body, result->headers};
}

Answer get(const RunningServer& server, const std::string& path, const httplib::Headers& headers = {}) {
  return answer_of(httplib::Client("127.0.0.1", server.port()).Get(path, headers));
}

Answer post(const RunningServer& server, const std::string& path, const std::string& body,
            const std::string& type = "application/json", const httplib::Headers& headers = {}) {
  return answer_of(httplib::Client("127.0.0.1", server.port()).Post(path, headers, body, type));
}

/// Waits until the server's next look has found what the test has made.
Json run_once_seen(const RunningServer& server, const std::string& id, const std::string& state) {
  for (const auto end = Clock::now() + std::chrono::seconds(20); Clock::now() < end;) {
    const Answer answer = get(server, "/api/runs/" + id);
    if (answer.status == 200 && answer.json["state"] == state) return answer.json;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  return nullptr;
}

TEST(Server, GivesThePageAndForbidsItWhatItNeedNotDo) {
  const RunningServer server;
  const Answer page = get(server, "/", {{"Accept-Encoding", "br, gzip"}});
  EXPECT_EQ(page.status, 200);
  EXPECT_THAT(page.body, HasSubstr("a page"));
  const auto header = [&](const char* name) {
    const auto found = page.headers.find(name);
    return found == page.headers.end() ? "" : found->second;
  };
  EXPECT_EQ(header("X-Content-Type-Options"), "nosniff");
  EXPECT_EQ(header("Referrer-Policy"), "no-referrer");
  EXPECT_EQ(header("Cross-Origin-Resource-Policy"), "same-origin");
  // printf 'run()' | openssl dgst -sha256 -binary | base64
  EXPECT_THAT(header("Content-Security-Policy"),
              HasSubstr("script-src 'sha256-AvyuiL0SD1mVY3NNxR+V2uo+lhk6RMFrytWmRt6CrJQ=';"));
  EXPECT_THAT(header("Content-Security-Policy"), HasSubstr("frame-ancestors 'none'"));
  EXPECT_EQ(header("Access-Control-Allow-Origin"), "");
}

TEST(Server, TellsOfRunsAndTheReport) {
  const RunningServer server;
  EXPECT_EQ(get(server, "/api/report").body, "null") << "an error would stand in the browser's console";
  EXPECT_EQ(get(server, "/api/runs").json["runs"], Json::array());
  const std::string id = make_run(server.root(), training(1));
  AtWork work(server.root(), id);
  work.go_to(10);
  const Json run = run_once_seen(server, id, "running");
  ASSERT_FALSE(run.is_null());
  EXPECT_EQ(run["step"], 9);
  EXPECT_EQ(get(server, "/api/runs").json["progress"]["running"], 1);
  EXPECT_FALSE(get(server, "/api/runs").json["may_start"]);
  EXPECT_EQ(get(server, "/api/runs/" + id + "/series?probe=train&layer=0&name=loss&most=2").json["each"], 5);
  EXPECT_EQ(get(server, "/api/runs/" + id + "/log").json["log"], "");
  write_file_atomically(server.root() / "report.json", R"({"runs": [], "x": "ä"})");
  EXPECT_EQ(get(server, "/api/report").body, R"({"runs": [], "x": "ä"})");
}

TEST(Server, RefusesWhatIsNotThere) {
  const RunningServer server;
  for (const char* path :
       {"/nothing", "/api", "/api/runs/0000000000000000", "/api/runs/short", "/api/runs/0000000000000000/log",
        "/api/runs/..%2f..%2fetc%2fpasswd", "/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd",
        "/api/runs/0000000000000000/../../../request.json", "/report.json", "//etc/passwd"}) {
    const Answer answer = get(server, path);
    EXPECT_EQ(answer.status, 404) << path;
    EXPECT_TRUE(answer.json.contains("error")) << path << answer.body;
  }
  const std::string id = make_run(server.root(), training(1));
  for (const char* query : {"most=0", "most=many", "most=5001", "most=-1", "layer=-1", "from=1x", "layer="}) {
    EXPECT_EQ(get(server, "/api/runs/" + id + "/series?probe=train&name=loss&" + query).status, 400) << query;
  }
}

TEST(Server, AnswersNobodyWithoutTheToken) {
  const RunningServer server("secret");
  for (const char* path : {"/", "/api/runs", "/api/report", "/api/events", "/api/runs/0000000000000000", "/nothing"}) {
    EXPECT_EQ(get(server, path).status, 401) << path;
    EXPECT_EQ(get(server, path, {{"Cookie", "bnlab-token=wrong"}}).status, 401) << path;
    EXPECT_EQ(get(server, path, {{"Authorization", "Bearer secret2"}}).status, 401) << path;
  }
  EXPECT_EQ(get(server, "/?token=wrong").status, 401);
  EXPECT_EQ(get(server, "/api/runs?token=secret").status, 401) << "the page's own address only";
  EXPECT_EQ(get(server, "/api/runs", {{"Authorization", "Bearer secret"}}).status, 200);
  const Answer entrance = get(server, "/?token=secret");
  EXPECT_EQ(entrance.status, 303);
  const std::string cookie = entrance.headers.find("Set-Cookie")->second;
  EXPECT_EQ(cookie, "bnlab-token=secret; Path=/; HttpOnly; SameSite=Strict");
  EXPECT_EQ(get(server, "/api/runs", {{"Cookie", "other=1; bnlab-token=secret"}}).status, 200);
}

TEST(Server, AnswersNoPageFromElsewhere) {
  NotingStarter starter;
  const RunningServer server("", &starter);
  const std::string id = make_run(server.root(), training(1));
  const std::string change = Json{{"base", id}, {"changes", {{"seed", 2}}}}.dump();
  const httplib::Headers elsewhere[] = {{{"Host", "evil.example"}},
                                        {{"Origin", "http://evil.example"}},
                                        {{"Sec-Fetch-Site", "cross-site"}},
                                        {{"Origin", "null"}}};
  for (const auto& headers : elsewhere) {
    EXPECT_EQ(get(server, "/api/runs", headers).status, 403);
    EXPECT_EQ(get(server, "/api/events", headers).status, 403);
    EXPECT_EQ(post(server, "/api/runs", change, "application/json", headers).status, 403);
  }
  EXPECT_EQ(starter.going_on(), "");
  const std::string own = "http://" + server.host();
  EXPECT_EQ(get(server, "/api/runs", {{"Origin", own}, {"Sec-Fetch-Site", "same-origin"}}).status, 200);
  httplib::Client client("127.0.0.1", server.port());
  EXPECT_EQ(client.Options("/api/runs")->status, 404) << "no page from elsewhere is given leave";
}

TEST(Server, StartsOneRunAtATimeWhereItMay) {
  NotingStarter starter;
  const RunningServer server("", &starter);
  const std::string id = make_run(server.root(), training(1));
  const std::string change = Json{{"base", id}, {"changes", {{"seed", 2}}}}.dump();
  EXPECT_TRUE(get(server, "/api/runs").json["may_start"]);
  const Answer plan = post(server, "/api/plan", change);
  EXPECT_EQ(plan.status, 200);
  EXPECT_EQ(plan.json["id"], run_id(training(2)));
  EXPECT_EQ(plan.json["cost_seconds"], 12);
  EXPECT_FALSE(plan.json["exists"]);
  EXPECT_EQ(starter.going_on(), "") << "a plan starts nothing";
  EXPECT_EQ(post(server, "/api/runs", change).json["id"], run_id(training(2)));
  EXPECT_EQ(starter.going_on(), run_id(training(2)));
  EXPECT_EQ(post(server, "/api/runs", change).status, 409);
  httplib::Client client("127.0.0.1", server.port());
  EXPECT_EQ(client.Delete("/api/runs/" + id)->status, 404) << "it was not started here";
  EXPECT_EQ(client.Delete("/api/runs/" + run_id(training(2)))->status, 200);
  EXPECT_EQ(starter.going_on(), "");
}

TEST(Server, RefusesChangesThatCannotBe) {
  NotingStarter starter;
  const RunningServer server("", &starter);
  const std::string id = make_run(server.root(), training(1));
  const auto status = [&](const std::string& body) { return post(server, "/api/runs", body).status; };
  EXPECT_EQ(status("not JSON"), 400);
  EXPECT_EQ(status(R"({"changes": {"seed": 1}})"), 422);
  EXPECT_EQ(status(R"({"base": "../../etc", "changes": {"seed": 1}})"), 404);
  EXPECT_EQ(status(Json{{"base", id}, {"changes", {{"threads", 64}}}}.dump()), 422);
  EXPECT_EQ(status(Json{{"base", id}, {"changes", {{"batch", 0}}}}.dump()), 422);
  EXPECT_EQ(status(Json{{"base", id}, {"changes", {{"batch", 2}}}, {"and", 1}}.dump()), 422);
  EXPECT_EQ(status("{\"base\": \"" + id + "\", \"changes\": {\"seed\": 1}, \"changes\": {\"seed\": 2}}"), 400);
  EXPECT_EQ(status(std::string(200, '[')), 400);
  EXPECT_EQ(post(server, "/api/runs", "seed=1", "application/x-www-form-urlencoded").status, 415);
  EXPECT_EQ(post(server, "/api/runs", std::string(100'000, ' ')).status, 413);
  EXPECT_EQ(starter.going_on(), "");
}

TEST(Server, StartsNothingUnlessToldThatItMay) {
  const RunningServer server;
  const std::string id = make_run(server.root(), training(1));
  const std::string change = Json{{"base", id}, {"changes", {{"seed", 2}}}}.dump();
  EXPECT_EQ(post(server, "/api/plan", change).status, 403);
  EXPECT_EQ(post(server, "/api/runs", change).status, 403);
  EXPECT_EQ(httplib::Client("127.0.0.1", server.port()).Delete("/api/runs/" + id)->status, 403);
}

std::string events_request(const RunningServer& server) {
  return "GET /api/events HTTP/1.1\r\nHost: " + server.host() + "\r\n\r\n";
}

TEST(Server, EventsTellWhatChangesAndThatTheServerEnds) {
  RunningServer server;
  RawConnection events(server.port());
  events.send(events_request(server));
  EXPECT_THAT(events.read_until("event: hello"), HasSubstr("Content-Type: text/event-stream"));
  const std::string id = make_run(server.root(), training(1));
  AtWork work(server.root(), id);
  work.go_to(3);
  EXPECT_THAT(events.read_until("event: points"), HasSubstr("\"state\":\"running\""));
  EXPECT_THAT(events.read_until("\"steps\":[0,1,2]"), HasSubstr("\"steps\":[0,1,2]"));
  write_file_atomically(server.root() / "report.json", R"({"runs": []})");
  EXPECT_THAT(events.read_until("event: report"), HasSubstr("event: report"));
  work.go_to(4);
  work.finish();
  EXPECT_THAT(events.read_until("\"finished\""), HasSubstr("\"finished\""));
  server.end();
  EXPECT_THAT(events.read_all(), ::testing::EndsWith("event: bye\ndata: {}\n\n\r\n0\r\n\r\n")) << "and a whole answer";
}

TEST(Server, SurvivesRequestsThatAreNone) {
  const RunningServer server;
  const std::string host = "Host: " + server.host() + "\r\n";
  const std::string requests[] = {
      "\r\n\r\n",
      std::string(100'000, 'x'),
      std::string("\0\xff\x16\x03\x01", 5) + "\r\n\r\n",
      "GET / HTTP/1.1\r\n\r\n",
      "GET /" + std::string(20'000, 'a') + " HTTP/1.1\r\n" + host + "\r\n",
      "GET / HTTP/9.9\r\n" + host + "\r\n",
      "BREW /api/runs HTTP/1.1\r\n" + host + "\r\n",
      "GET / HTTP/1.1\r\n" + host + "X: " + std::string(20'000, 'a') + "\r\n\r\n",
      "POST /api/runs HTTP/1.1\r\n" + host + "Content-Length: -1\r\n\r\n",
      "POST /api/runs HTTP/1.1\r\n" + host + "Content-Length: 99999999999999999999\r\n\r\n",
      "POST /api/runs HTTP/1.1\r\n" + host + "Content-Length: 1000\r\n\r\nshort",
      "POST /api/runs HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\nzz\r\n",
      "GET /api/runs HTTP/1.1\r\n" + host + "Range: bytes=5-1\r\n\r\n",
      "GET /%zz%00 HTTP/1.1\r\n" + host + "\r\n",
      "GET /api/runs?%00=%ff HTTP/1.1\r\n" + host + "\r\n",
  };
  for (const auto& request : requests) {
    RawConnection(server.port()).send(request);  // and goes away
    RawConnection stays(server.port());
    stays.send(request);
    EXPECT_EQ(get(server, "/api/runs").status, 200) << request.substr(0, 60);
  }
  RawConnection without_host(server.port());
  without_host.send("GET / HTTP/1.1\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(without_host.read_all(), StartsWith("HTTP/1.1 403"));
}

TEST(Server, FiftyPagesAndFiftySlowRequestsAtOnce) {
  const RunningServer server;
  std::vector<std::unique_ptr<RawConnection>> slow, pages;
  for (int i = 0; i < 50; ++i) {
    slow.push_back(std::make_unique<RawConnection>(server.port()));
    slow.back()->send("GET /api/runs HTTP/1.1\r\nHost: ");
    pages.push_back(std::make_unique<RawConnection>(server.port()));
    pages.back()->send(events_request(server));
  }
  for (const auto& page : pages) ASSERT_THAT(page->read_until("event: hello"), HasSubstr("event: hello"));
  const auto start = Clock::now();
  for (int i = 0; i < 50; ++i) ASSERT_EQ(get(server, "/api/runs").status, 200);
  EXPECT_LT(Clock::now() - start, std::chrono::seconds(4)) << "slow requests must not hold up the others";
  const std::string id = make_run(server.root(), training(1));
  for (const auto& page : pages) ASSERT_THAT(page->read_until(id), HasSubstr(id));
}

TEST(Server, ALimitedNumberOfPagesHearsEvents) {
  const RunningServer server;
  std::vector<std::unique_ptr<RawConnection>> pages;
  for (int i = 0; i < 100; ++i) {
    pages.push_back(std::make_unique<RawConnection>(server.port()));
    pages.back()->send(events_request(server));
    ASSERT_THAT(pages.back()->read_until("hello"), HasSubstr("event: hello"));
  }
  EXPECT_EQ(get(server, "/api/events").status, 503);
  EXPECT_EQ(get(server, "/api/runs").status, 200);
}

TEST(Server, SurvivesThatItsFolderGoesAway) {
  const RunningServer server;
  const std::string id = make_run(server.root(), training(1));
  ASSERT_FALSE(run_once_seen(server, id, "waiting").is_null());
  std::filesystem::remove_all(server.root());
  std::this_thread::sleep_for(std::chrono::milliseconds(1500));
  EXPECT_EQ(get(server, "/api/runs").json["runs"], Json::array());
  EXPECT_EQ(get(server, "/api/runs/" + id).status, 404);
}

TEST(Server, SharesItsPortWithNoOther) {
  const RunningServer server;
  const testing::TempFolder temp;
  WatchedFolder folder(temp.path(), {});
  EXPECT_THROW(Server({"127.0.0.1", server.port(), "", ""}, folder, nullptr), std::runtime_error);
  EXPECT_THROW(Server({"203.0.113.1", 0, "", ""}, folder, nullptr), std::runtime_error) << "no address of this machine";
}

}  // namespace
}  // namespace bnlab
