#include "bnlab/record/parse_json.h"

#include <set>

namespace bnlab {
namespace {

/// Told of everything that the parser meets, in order; knows where in the document it is.
class Watch {
 public:
  explicit Watch(const std::string& source) : source_(source) {}

  void see(Json::parse_event_t event, const Json& value) {
    switch (event) {
      case Json::parse_event_t::object_start:
      case Json::parse_event_t::array_start:
        begin_value();
        open(event == Json::parse_event_t::array_start);
        break;
      case Json::parse_event_t::key:
        see_key(value.get<std::string>());
        break;
      case Json::parse_event_t::value:
        begin_value();
        break;
      case Json::parse_event_t::object_end:
      case Json::parse_event_t::array_end:
        levels_.pop_back();
        break;
    }
  }

 private:
  struct Level {
    bool is_list = false;
    std::string place;  ///< of the value that is being read: ".key" or "[index]"
    int64_t next_index = 0;
    std::set<std::string> keys = {};
  };

  void begin_value() {
    if (levels_.empty() || !levels_.back().is_list) return;
    levels_.back().place = "[" + std::to_string(levels_.back().next_index++) + "]";
  }

  void open(bool is_list) {
    if (levels_.size() == kMostNested) {
      throw JsonError(source_, "nests objects and lists more than " + std::to_string(kMostNested) + " deep");
    }
    levels_.push_back({is_list, ""});
  }

  void see_key(const std::string& key) {
    Level& level = levels_.back();
    level.place = "." + key;
    if (!level.keys.insert(key).second) throw JsonError(source_, "gives the key " + path() + " twice; remove one");
  }

  std::string path() const {
    std::string all;
    for (const Level& level : levels_) all += level.place;
    return all.substr(all.starts_with(".") ? 1 : 0);
  }

  const std::string& source_;
  std::vector<Level> levels_;
};

/// The library's message without its own code for it.
std::string plain_message(const Json::exception& error) {
  const std::string message = error.what();
  const size_t end = message.find("] ");
  return end == std::string::npos ? message : message.substr(end + 2);
}

}  // namespace

Json parse_json(const std::string& text, const std::string& source) {
  Watch watch(source);
  try {
    return Json::parse(text, [&](int, Json::parse_event_t event, Json& value) {
      watch.see(event, value);
      return true;
    });
  } catch (const Json::exception& error) {
    throw JsonError(source, "is not JSON: " + plain_message(error));
  }
}

}  // namespace bnlab
