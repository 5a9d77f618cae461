#include "bnlab/record/run_spec.h"

#include "bnlab/record/hash.h"
#include "bnlab/record/run_spec_keys.h"

namespace bnlab {
namespace {

constexpr int64_t kSchema = 1;

enum class Form { kFull, kCanonical };

}  // namespace

// Found by JsonFields through the namespace of the part.

template <SpecPart Part>
void read_value(const Json& json, const std::string& path, Part& part);

static void read_value(const Json& json, const std::string& path, std::vector<ProbeSpec>& probes) {
  if (!json.is_array()) throw SpecError(path, "expected a list, got " + json.dump());
  probes.assign(json.size(), {});
  for (size_t i = 0; i < json.size(); ++i) read_value(json[i], path + "[" + std::to_string(i) + "]", probes[i]);
}

namespace {

template <class Part>
void read_keys(JsonFields& fields, Part& part) {
  for_each_key<Part>([&](const auto& key) {
    auto& value = part.*key.member;
    if (key.required) {
      fields.required(key.name, value);
    } else {
      fields.optional(key.name, value);
    }
    if (key.rule.holds) fields.check(key.rule.holds(value), key.name, key.rule.expectation);
  });
  fields.finish();
}

template <class T>
Json write_value(const T& value, Form) {
  return value;
}

Json write_value(const std::optional<double>& value, Form) {
  return value ? Json(*value) : Json();
}

Json write_value(const std::vector<ProbeSpec>& probes, Form form);

template <SpecPart Part>
Json write_value(const Part& part, Form form) {
  const Part defaults;
  Json json = Json::object();
  for_each_key<Part>([&](const auto& key) {
    const auto& value = part.*key.member;
    if (form == Form::kCanonical && !key.required && value == defaults.*key.member) return;
    json[key.name] = write_value(value, form);
  });
  return json;
}

Json write_value(const std::vector<ProbeSpec>& probes, Form form) {
  Json json = Json::array();
  for (const auto& probe : probes) json.push_back(write_value(probe, form));
  return json;
}

Json write(const RunSpec& spec, Form form) {
  Json json = std::visit([&](const auto& part) { return write_value(part, form); }, spec);
  json["kind"] = kind_of(spec);
  if (form == Form::kFull) json["schema"] = kSchema;
  return json;
}

}  // namespace

template <SpecPart Part>
void read_value(const Json& json, const std::string& path, Part& part) {
  JsonFields fields(json, path);
  read_keys(fields, part);
}

RunSpec parse_run_spec(const Json& json) {
  JsonFields fields(json, "");
  std::string kind;
  int64_t schema = kSchema;
  fields.required("kind", kind).optional("schema", schema);
  fields.check(schema == kSchema, "schema", std::to_string(kSchema) + " (the only one that this bnlab reads)");
  fields.check(kind == "train" || kind == "analysis", "kind", "train or analysis");
  RunSpec spec;
  if (kind == "analysis") spec = AnalysisSpec();
  std::visit([&](auto& part) { read_keys(fields, part); }, spec);
  return spec;
}

Json to_json(const RunSpec& spec) {
  return write(spec, Form::kFull);
}

std::string canonical_json(const RunSpec& spec) {
  return write(spec, Form::kCanonical).dump();
}

std::string run_id(const RunSpec& spec) {
  return sha256_hex(canonical_json(spec)).substr(0, 16);
}

int64_t threads_of(const RunSpec& spec) {
  return std::visit([](const auto& s) { return s.threads; }, spec);
}

int64_t processors_of(const RunSpec& spec) {
  const auto* train = std::get_if<TrainSpec>(&spec);
  return threads_of(spec) * (train ? train->ranks : 1);
}

std::string kind_of(const RunSpec& spec) {
  return std::holds_alternative<TrainSpec>(spec) ? "train" : "analysis";
}

}  // namespace bnlab
