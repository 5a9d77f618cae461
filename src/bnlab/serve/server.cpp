#include "bnlab/serve/server.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <httplib.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <thread>

#include "bnlab/record/hash.h"
#include "bnlab/record/parse_json.h"
#include "bnlab/serve/changed_spec.h"
#include "bnlab/serve/event_hub.h"
#include "bnlab/serve/guard.h"
#include "bnlab/serve/page_policy.h"
#include "bnlab/serve/run_pages.h"

namespace bnlab {
namespace {

using httplib::Request;
using httplib::Response;

constexpr size_t kMostPages = 100;            // that hear events at once, each on a thread
constexpr size_t kThreads = kMostPages + 64;  // the rest: other requests, also slow ones
constexpr size_t kMostBody = 16 << 10;
constexpr int64_t kPointsByDefault = 500, kMostPoints = 5000, kPointsOfEvent = 500;
constexpr std::chrono::milliseconds kBetweenLooks{1000};
constexpr std::chrono::milliseconds kBetweenComments{10'000};
constexpr std::chrono::milliseconds kForTheLastNews{2000};  // to fetch the report that came just before the end
constexpr const char* kTokenCookie = "bnlab-token";

/// An answer other than 200, in one sentence.
class HttpError : public std::runtime_error {
 public:
  HttpError(int status, const std::string& sentence) : std::runtime_error(sentence), status_(status) {}
  int status() const { return status_; }

 private:
  int status_;
};

std::string text_of(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

/// As it is: httplib would compress a whole content with brotli's slowest setting, seconds for a report.
void give(Response& response, std::string content, const char* type) {
  const auto shared = std::make_shared<const std::string>(std::move(content));
  response.set_content_provider(shared->size(), type, [shared](size_t at, size_t length, httplib::DataSink& sink) {
    return sink.write(shared->data() + at, length);
  });
}

constexpr const char* kJson = "application/json; charset=utf-8";

void answer(Response& response, const Json& json) {
  give(response, text_of(json), kJson);
}

void refuse(Response& response, int status, const std::string& sentence) {
  response.status = status;
  response.set_content(text_of({{"error", sentence}}), kJson);
}

std::optional<std::string> header(const Request& request, const char* name) {
  return request.has_header(name) ? std::optional(request.get_header_value(name)) : std::nullopt;
}

std::string name_of_machine() {
  std::array<char, 256> name{};
  return gethostname(name.data(), name.size() - 1) == 0 ? std::string(name.data()) : "";
}

/// The number that the request gives for `name`. Throws HttpError unless it is one from `low` to `high`.
int64_t number(const Request& request, const std::string& name, int64_t absent, int64_t low, int64_t high) {
  if (!request.has_param(name)) return absent;
  const std::string text = request.get_param_value(name);
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < low || value > high) {
    throw HttpError(400, fmt::format("{}: expected a number from {} to {}", name, low, high));
  }
  return value;
}

std::string id_of(const Request& request) {
  return request.matches[1];
}

const Json& found(const Json& json) {
  if (json.is_null()) throw HttpError(404, "There is no such run.");
  return json;
}

Json points_message(const FolderChanges::Points& points) {
  // A look may find a whole run's worth: the page asks for more if it wants them.
  const Series& loss = points.loss;
  const size_t skipped = loss.steps.size() > kPointsOfEvent ? loss.steps.size() - kPointsOfEvent : 0;
  Json steps = Json::array(), values = Json::array();
  for (size_t i = skipped; i < loss.steps.size(); ++i) {
    steps.push_back(loss.steps[i]);
    values.push_back(loss.values[i]);
  }
  return {{"id", points.id}, {"steps", steps}, {"values", values}};
}

}  // namespace

class Server::Implementation {
 public:
  Implementation(const ServerOptions& options, WatchedFolder& folder, RunStarter* starter)
      : options_(options), folder_(folder), starter_(starter), policy_(page_policy(options.page)) {
    settle();
    route();
    listen();
  }

  int port() const { return port_; }

  void run(const std::atomic<bool>& stop) {
    std::thread answering([this] { http_.listen_after_bind(); });
    while (!http_.is_running()) std::this_thread::sleep_for(std::chrono::milliseconds(1));  // stop() would be lost
    auto next = std::chrono::steady_clock::now();
    while (!stop) {
      if (std::chrono::steady_clock::now() >= next) {
        look();
        next = std::chrono::steady_clock::now() + kBetweenLooks;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    look();  // what came last
    std::this_thread::sleep_until(reported_ + kForTheLastNews);
    events_.close(event_message("bye", "{}"));
    events_.wait_until_left(std::chrono::seconds(3));  // stop() would cut off what has not been sent
    http_.stop();
    answering.join();
  }

 private:
  void settle() {
    http_.new_task_queue = [] { return new httplib::ThreadPool(kThreads); };
    http_.set_payload_max_length(kMostBody);
    http_.set_keep_alive_timeout(2);  // an idle connection holds a thread
    http_.set_read_timeout(5);
    http_.set_write_timeout(5);
    // Not SO_REUSEPORT, httplib's own: a second server would share the port unseen.
    http_.set_socket_options([](auto socket) {
      const int yes = 1;
      ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
      ::fcntl(socket, F_SETFD, FD_CLOEXEC);
    });
    http_.set_pre_routing_handler(
        [this](const Request& request, Response& response) { return admit(request, response); });
    http_.set_error_handler([](const Request&, Response& response) {
      if (!response.body.empty()) return;
      const bool large = response.status == 413;
      refuse(response, response.status, large ? "The request is too large." : "There is nothing here.");
    });
    http_.set_exception_handler([](const Request&, Response& response, std::exception_ptr error) {
      try {
        std::rethrow_exception(error);
      } catch (const HttpError& refusal) {
        refuse(response, refusal.status(), refusal.what());
      } catch (const SpecError& problem) {
        refuse(response, 422, problem.what());
      } catch (const std::exception& problem) {
        refuse(response, 500, problem.what());
      }
    });
  }

  void route() {
    http_.Get("/", [this](const Request& request, Response& response) { give_page(request, response); });
    http_.Get("/api/report", [this](const Request&, Response& response) {
      const auto report = folder_.file("report.json");
      give(response, report ? read_file(*report) : "null", kJson);
    });
    http_.Get("/api/runs", [this](const Request&, Response& response) { answer(response, overview()); });
    http_.Get("/api/runs/([0-9a-f]{16})", [this](const Request& request, Response& response) {
      answer(response, found(run_details(folder_, id_of(request))));
    });
    http_.Get("/api/runs/([0-9a-f]{16})/series", [this](const Request& request, Response& response) {
      const Key key{request.get_param_value("probe"), number(request, "layer", 0, 0, 1'000'000),
                    request.get_param_value("name")};
      const auto most = static_cast<size_t>(number(request, "most", kPointsByDefault, 1, kMostPoints));
      const int64_t from = number(request, "from", -1, -1, std::numeric_limits<int64_t>::max());
      answer(response, found(run_series(folder_, id_of(request), key, most, from)));
    });
    http_.Get("/api/runs/([0-9a-f]{16})/log", [this](const Request& request, Response& response) {
      answer(response, found(run_log(folder_, id_of(request))));
    });
    http_.Get("/api/events", [this](const Request&, Response& response) { tell_events(response); });
    http_.Post("/api/plan", [this](const Request& request, Response& response) {
      const RunPlan plan = planned(request);
      answer(response, {{"id", plan.id},
                        {"title", title_of_spec(plan.spec)},
                        {"spec", Json::parse(canonical_json(plan.spec))},
                        {"cost_seconds", plan.cost_seconds},
                        {"exists", folder_.run_folder(plan.id).has_value()}});
    });
    http_.Post("/api/runs", [this](const Request& request, Response& response) {
      const RunPlan plan = planned(request);
      if (!starter_->start(plan)) throw HttpError(409, "A run that was started here is still going on.");
      answer(response, {{"id", plan.id}});
    });
    http_.Delete("/api/runs/([0-9a-f]{16})", [this](const Request& request, Response& response) {
      require_starter();
      if (!starter_->stop(id_of(request))) throw HttpError(404, "No such run that was started here is going on.");
      answer(response, Json::object());
    });
  }

  void listen() {
    const bool bound = options_.port > 0 ? http_.bind_to_port(options_.host, options_.port)
                                         : (port_ = http_.bind_to_any_port(options_.host)) > 0;
    if (!bound) {
      throw std::runtime_error(fmt::format(
          "cannot listen on {} port {}: another program may; choose one with --port, 0 for any that is free",
          options_.host, options_.port));
    }
    if (options_.port > 0) port_ = options_.port;
  }

  /// Adds what every answer has, and answers itself where the request is refused.
  httplib::Server::HandlerResponse admit(const Request& request, Response& response) {
    response.set_header("X-Content-Type-Options", "nosniff");
    response.set_header("Referrer-Policy", "no-referrer");
    response.set_header("Cross-Origin-Resource-Policy", "same-origin");
    response.set_header("Cross-Origin-Opener-Policy", "same-origin");
    response.set_header("Cache-Control", "no-store");
    response.set_header("Content-Security-Policy",
                        request.path == "/" ? policy_ : "default-src 'none'; frame-ancestors 'none'");
    const std::string reason = refusal(
        {header(request, "Host"), header(request, "Origin"), header(request, "Sec-Fetch-Site"), request.path == "/"},
        own_name_);
    if (!reason.empty()) {
      refuse(response, 403, reason);
    } else if (!knows_token(request)) {
      refuse(response, 401, "Open the address that bnlab serve has printed: it holds the token that is missing here.");
    } else {
      return httplib::Server::HandlerResponse::Unhandled;
    }
    return httplib::Server::HandlerResponse::Handled;
  }

  bool knows_token(const Request& request) const {
    if (options_.token.empty()) return true;
    if (same_secret(cookie_value(request.get_header_value("Cookie"), kTokenCookie), options_.token)) return true;
    if (same_secret(request.get_header_value("Authorization"), "Bearer " + options_.token)) return true;
    return request.path == "/" && same_secret(request.get_param_value("token"), options_.token);
  }

  void give_page(const Request& request, Response& response) {
    if (request.has_param("token")) {
      // So that the token stays in no history and in no address that somebody copies.
      if (!options_.token.empty()) {
        response.set_header("Set-Cookie",
                            fmt::format("{}={}; Path=/; HttpOnly; SameSite=Strict", kTokenCookie, options_.token));
      }
      response.set_redirect("/", 303);
      return;
    }
    give(response, options_.page, "text/html; charset=utf-8");
  }

  Json overview() const {
    Json json = folder_.overview();
    json["may_start"] = starter_ != nullptr;
    json["folder"] = folder_.root().string();
    return json;
  }

  void require_starter() const {
    if (!starter_) throw HttpError(403, "Runs are started only under bnlab serve --allow-runs.");
  }

  RunPlan planned(const Request& request) const {
    require_starter();
    if (!request.get_header_value("Content-Type").starts_with("application/json")) {
      throw HttpError(415, "The request's Content-Type must be application/json.");
    }
    try {
      const Json body = parse_json(request.body, "the request");
      std::string base;
      Json changes;
      JsonFields(body, "").required("base", base).required("changes", changes).finish();
      const auto folder = folder_.run_folder(base);
      if (!folder) throw HttpError(404, "There is no such run.");
      return starter_->plan(changed_spec(read_spec(RunPaths{*folder}), changes));
    } catch (const JsonError& error) {
      throw HttpError(400, error.what());
    }
  }

  void tell_events(Response& response) {
    const auto reader = events_.join();
    if (!reader) throw HttpError(503, "Too many pages are open.");
    // After it has joined: no change is lost in between.
    events_.send(*reader, event_message("hello", text_of(overview())));
    response.set_chunked_content_provider("text/event-stream", [reader](size_t, httplib::DataSink& sink) {
      const auto message = reader->next(kBetweenComments);
      if (!message) {
        sink.done();
        return true;
      }
      const std::string& text = message->empty() ? std::string(": still here\n\n") : *message;
      return sink.write(text.data(), text.size());
    });
  }

  void look() {
    try {
      const FolderChanges changes = folder_.look();
      if (!changes.runs.empty() || to_json(changes.progress) != said_progress_) {
        said_progress_ = to_json(changes.progress);
        Json runs = Json::array();
        for (const auto& summary : changes.runs) runs.push_back(to_json(summary));
        events_.publish(event_message("runs", text_of({{"runs", runs}, {"progress", said_progress_}})));
      }
      for (const auto& points : changes.points) {
        events_.publish(event_message("points", text_of(points_message(points))));
      }
      if (changes.report) {
        events_.publish(event_message("report", text_of({{"created", std::time(nullptr)}})));
        reported_ = std::chrono::steady_clock::now();
      }
    } catch (const std::exception&) {
      // The folder changes under us, or is gone; the next look may find it again.
    }
  }

  ServerOptions options_;
  WatchedFolder& folder_;
  RunStarter* starter_;
  std::string policy_;
  std::string own_name_ = name_of_machine();
  EventHub events_{kMostPages};
  Json said_progress_;
  std::chrono::steady_clock::time_point reported_{};  // when pages were told of the last report
  int port_ = 0;
  httplib::Server http_;
};

Server::Server(const ServerOptions& options, WatchedFolder& folder, RunStarter* starter)
    : implementation_(std::make_unique<Implementation>(options, folder, starter)) {}
Server::~Server() = default;

int Server::port() const {
  return implementation_->port();
}

void Server::run(const std::atomic<bool>& stop) {
  implementation_->run(stop);
}

}  // namespace bnlab
