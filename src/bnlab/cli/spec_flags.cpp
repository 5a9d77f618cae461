#include "bnlab/cli/spec_flags.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "bnlab/cli/common.h"
#include "bnlab/cli/probe_flag.h"
#include "bnlab/nn/model_list.h"
#include "bnlab/record/run_spec_keys.h"
#include "bnlab/train/optimizer_list.h"

namespace bnlab {
namespace {

constexpr double kDefaultWidth = 0.25;  // of models whose width is relative: their originals take hours on a CPU
constexpr int64_t kDefaultSize = 32;    // to which smaller images are padded: some models pool five times (who asks
                                        // for smaller ones with --pool gets them)
constexpr char kWidth[] = "width";

/// What `bnlab train` asks for where a spec file would have to.
const Json& own_defaults() {
  static const Json defaults = {
      {"model", {{"name", "vgg11"}, {"norm", {{"kind", "batch"}}}}}, {"optimizer", {{"lr", 0.1}}}, {"steps", 400}};
  return defaults;
}

[[noreturn]] void refuse(const std::string& flag, const std::string& expected, const std::string& text) {
  throw SpecError(flag, "expected " + expected + ", got \"" + text + "\"");
}

/// The whole text as a finite number, if it is one.
template <class Number>
std::optional<Number> number_in(const std::string& text) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(static_cast<double>(number)))
    return {};
  return number;
}

/// Types of keys that can have a flag.
template <class Value>
constexpr bool kFitsAFlag = std::is_same_v<Value, std::string> || std::is_same_v<Value, int64_t> ||
                            std::is_same_v<Value, double> || std::is_same_v<Value, std::optional<double>> ||
                            std::is_same_v<Value, std::vector<int64_t>> || std::is_same_v<Value, Options>;

template <class Value>
Json json_of(const Value& value) {
  return value;
}

Json json_of(const std::optional<double>& value) {
  return value ? Json(*value) : Json();
}

// A flag's text as JSON of the type of its key, which the last parameter stands for.

Json read_text(const std::string&, const std::string& text, const std::string*) {
  return text;
}

Json read_text(const std::string& flag, const std::string& text, const int64_t*) {
  const auto number = number_in<int64_t>(text);
  if (!number) refuse(flag, "a whole number", text);
  return *number;
}

Json read_text(const std::string& flag, const std::string& text, const double*) {
  const auto number = number_in<double>(text);
  if (!number) refuse(flag, "a number", text);
  return *number;
}

Json read_text(const std::string& flag, const std::string& text, const std::optional<double>*) {
  if (text == "null") return {};
  return read_text(flag, text, static_cast<const double*>(nullptr));
}

Json read_text(const std::string& flag, const std::string& text, const std::vector<int64_t>*) {
  Json list = Json::array();
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(',', begin), text.size());
    const auto number = number_in<int64_t>(text.substr(begin, end - begin));
    if (!number) refuse(flag, "whole numbers with commas between them", text);
    list.push_back(*number);
    begin = end + 1;
  }
  return list;
}

/// "NAME=VALUE" each.
Json read_options(const std::string& flag, const std::vector<std::string>& texts) {
  Json options = Json::object();
  for (const std::string& text : texts) {
    const size_t equals = text.find('=');
    if (equals == std::string::npos || equals == 0 || equals + 1 == text.size()) refuse(flag, "NAME=VALUE", text);
    const std::string name = text.substr(0, equals), value = text.substr(equals + 1);
    if (options.contains(name)) throw SpecError(flag, "gives " + name + " twice; remove one");
    const auto number = number_in<double>(value);
    options[name] = number ? Json(*number) : Json(value);
  }
  return options;
}

template <class Kind>
std::string names(const std::vector<Kind>& kinds, std::string Kind::*name) {
  std::vector<std::string> all;
  for (const auto& kind : kinds) all.push_back(kind.*name);
  return join_or(all);
}

/// Those keys whose values are names of kinds; record/ does not know them.
std::string meaning_of(const std::string& flag, const std::string& meaning) {
  if (flag == "--model") return meaning + ": " + names(model_kinds(), &ModelKind::name);
  if (flag == "--norm") return meaning + ": " + names(norm_kinds(), &NormKind::kind);
  if (flag == "--optimizer") return meaning + ": " + names(optimizer_kinds(), &OptimizerKind::name);
  if (flag == "--schedule") return meaning + ": " + names(schedule_kinds(), &ScheduleKind::name);
  return meaning;
}

/// How --help shows a default; empty: not at all.
std::string text_of(const Json& value) {
  if (value.is_null() || value.empty()) return "";
  return value.is_string() ? value.get<std::string>() : value.dump();
}

/// Adds the flag of one key; what is given is put at `place` of `given`.
template <class Key>
void add_flag(CLI::App& command, Json& given, const Json::json_pointer& place, const Key& key, const Json& value) {
  using Value = typename Key::Value;
  const std::string flag = key.flag, meaning = meaning_of(flag, key.meaning);
  if constexpr (std::is_same_v<Value, Options>) {
    command.add_option_function<std::vector<std::string>>(
        flag, [=, &given](const std::vector<std::string>& texts) { given[place] = read_options(flag, texts); },
        meaning);
  } else {
    const auto set = [=, &given](const std::string& text) {
      given[place] = read_text(flag, text, static_cast<const Value*>(nullptr));
      Value read{};
      read_value(given[place], flag, read);
      key.check(read, flag, text);
    };
    command.add_option_function<std::string>(flag, set, meaning)->default_str(text_of(value));
  }
}

/// Adds the flags of a part that stands at `place` of the spec.
template <SpecPart Part>
void add_flags(CLI::App& command, Json& given, const Json::json_pointer& place) {
  const Part part_defaults;
  for_each_key<Part>([&](const auto& key) {
    using Value = typename std::decay_t<decltype(key)>::Value;
    const auto own_place = place / key.name;
    if constexpr (SpecPart<Value>) {
      add_flags<Value>(command, given, own_place);
    } else if constexpr (kFitsAFlag<Value>) {
      if (*key.flag == '\0') return;
      const bool own = own_defaults().contains(own_place);
      add_flag(command, given, own_place, key, own ? own_defaults()[own_place] : json_of(part_defaults.*key.member));
    }
  });
}

}  // namespace

double parse_seconds(const std::string& flag, const std::string& text) {
  const auto number = number_in<double>(text);
  if (!number || *number < 0) refuse(flag, "a number of at least 0", text);
  return *number;
}

void SpecFlags::add_to(CLI::App& command, CLI::Option* spec_file) {
  const auto before = command.get_options();
  add_flags<TrainSpec>(command, given_, Json::json_pointer());
  add_width(command);
  add_probes(command);
  for (CLI::Option* option : command.get_options()) {
    if (std::find(before.begin(), before.end(), option) == before.end()) option->excludes(spec_file);
  }
}

void SpecFlags::add_width(CLI::App& command) {
  const auto set = [this](const std::string& text) {
    width_ = read_text("--width", text, static_cast<const double*>(nullptr)).get<double>();
    if (!(*width_ > 0)) refuse("--width", "a number above 0", text);
  };
  command
      .add_option_function<std::string>("--width", set,
                                        "Channels relative to the original's, of models that have this option")
      ->default_str(text_of(kDefaultWidth));
}

void SpecFlags::add_probes(CLI::App& command) {
  command.add_option(
      "--probe", probes_,
      "NAME[:KEY=VALUE,…], may be repeated, e.g. accuracy:every=50,examples=1000; \"default\": activations "
      "and moment-changes of all layers at 32 to 63 steps");
  command.add_option(
      "--probe-budget", probe_budget_,
      "Most that probes may cost, in percent of the time without them, e.g. 5%: they then see fewer steps");
}

void SpecFlags::set_default_width(Json& spec) const {
  Json& options = spec["model"]["options"];
  if (width_) {
    if (options.contains(kWidth)) throw SpecError("--width", "is given as --model-option width too; remove one");
    options[kWidth] = *width_;
  } else if (!options.contains(kWidth)) {
    for (const ModelKind& kind : model_kinds()) {
      if (spec["model"]["name"] != kind.name) continue;
      for (const OptionInfo& option : kind.options) {
        if (option.name == kWidth && option.low < kDefaultWidth) options[kWidth] = kDefaultWidth;
      }
    }
  }
  if (options.is_null()) options = Json::object();
}

Json SpecFlags::spec(const DataFacts& facts) const {
  Json spec = own_defaults();
  spec.update(given_, /*merge_objects=*/true);  // not merge_patch(), to which null means to remove the key
  spec["kind"] = "train";
  spec["data"]["set"] = facts.set;
  spec["data"]["digest"] = facts.digest;
  const bool as_stored = !spec["data"].contains("pad_to") && !spec["data"].contains("pool");
  if (as_stored && facts.shape.size > 1) spec["data"]["pad_to"] = kDefaultSize;
  set_default_width(spec);
  spec["probes"] = Json::array();
  for (const auto& text : probes_) {
    spec["probes"].push_back(text == kDefaultProbes ? Json(text) : parse_probe_flag(text));
  }
  if (!probe_budget_.empty()) spec["probe_budget"] = parse_percent("--probe-budget", probe_budget_);
  return spec;
}

}  // namespace bnlab
