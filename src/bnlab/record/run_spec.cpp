#include "bnlab/record/run_spec.h"

#include <algorithm>
#include <cmath>

#include "bnlab/record/hash.h"

namespace bnlab {
namespace {

constexpr int64_t kSchema = 1;

void require_one_of(JsonFields& fields, const char* key, const std::string& value,
                    const std::vector<std::string>& known) {
  fields.check(std::find(known.begin(), known.end(), value) != known.end(), key, join_or(known));
}

DataSpec parse_data(const Json& json, const std::string& where) {
  DataSpec data;
  JsonFields fields(json, where);
  fields.required("set", data.set).required("digest", data.digest).optional("scaling", data.scaling);
  fields.optional("pad_to", data.pad_to).optional("augment", data.augment);
  require_one_of(fields, "scaling", data.scaling, {"none", "z-score"});
  require_one_of(fields, "augment", data.augment, {"none", "flip-crop"});
  fields.optional("pool", data.pool).optional("draw", data.draw);
  fields.check(data.pad_to >= 0 && data.pad_to <= 4096, "pad_to", "0 to 4096");
  fields.check(data.pool >= 1 && data.pool <= 4096, "pool", "1 to 4096");
  fields.check(data.draw >= 0, "draw", "at least 0");
  fields.finish();
  return data;
}

NormSpec parse_norm(const Json& json, const std::string& where) {
  NormSpec norm;
  JsonFields fields(json, where);
  fields.optional("kind", norm.kind).optional("place", norm.place).optional("options", norm.options);
  require_one_of(fields, "place", norm.place, {"before-activation", "after-activation"});
  fields.finish();
  return norm;
}

ModelSpec parse_model(const Json& json, const std::string& where) {
  ModelSpec model;
  Json norm = Json::object();
  JsonFields fields(json, where);
  fields.required("name", model.name).optional("options", model.options).optional("norm", norm);
  fields.optional("init", model.init);
  require_one_of(fields, "init", model.init, {"glorot-uniform", "glorot-normal"});
  fields.finish();
  model.norm = parse_norm(norm, where + ".norm");
  return model;
}

OptimizerSpec parse_optimizer(const Json& json, const std::string& where) {
  OptimizerSpec optimizer;
  JsonFields fields(json, where);
  fields.optional("name", optimizer.name).required("lr", optimizer.lr).optional("momentum", optimizer.momentum);
  fields.optional("weight_decay", optimizer.weight_decay).optional("milestones", optimizer.milestones);
  fields.optional("factor", optimizer.factor);
  require_one_of(fields, "name", optimizer.name, {"sgd"});
  fields.check(optimizer.lr > 0, "lr", "a number above 0");
  fields.check(optimizer.momentum >= 0 && optimizer.momentum < 1, "momentum", "a number from 0 to below 1");
  fields.check(optimizer.weight_decay >= 0, "weight_decay", "a number of at least 0");
  fields.check(optimizer.factor > 0, "factor", "a number above 0");
  const auto& steps = optimizer.milestones;
  const bool rising = std::adjacent_find(steps.begin(), steps.end(), std::greater_equal<>()) == steps.end();
  fields.check(rising && (steps.empty() || steps.front() > 0), "milestones", "rising steps above 0");
  fields.finish();
  return optimizer;
}

ProbeSpec parse_probe(const Json& json, const std::string& where) {
  ProbeSpec probe;
  JsonFields fields(json, where);
  fields.required("name", probe.name).optional("from", probe.from).optional("every", probe.every);
  fields.optional("at_end", probe.at_end).optional("parameters", probe.parameters);
  fields.check(probe.from >= 0, "from", "a step of at least 0");
  fields.check(probe.every >= 1, "every", "at least 1");
  fields.check(probe.parameters.is_object(), "parameters", "a JSON object");
  fields.finish();
  return probe;
}

TrajectorySpec parse_trajectory(const Json& json, const std::string& where) {
  TrajectorySpec trajectory;
  JsonFields fields(json, where);
  fields.optional("keep", trajectory.keep).optional("every", trajectory.every).optional("dims", trajectory.dims);
  require_one_of(fields, "keep", trajectory.keep, {"none", "weights", "projection"});
  fields.check(trajectory.every >= 1, "every", "at least 1");
  fields.check(trajectory.dims >= 1 && trajectory.dims <= 4096, "dims", "1 to 4096");
  fields.finish();
  return trajectory;
}

TrainSpec parse_train(JsonFields& fields) {
  TrainSpec train;
  Json data, model, optimizer, probes = Json::array(), trajectory = Json::object(), divergence = *train.divergence_loss;
  Json budget;
  fields.required("data", data).required("model", model).required("optimizer", optimizer);
  fields.optional("batch", train.batch).required("steps", train.steps).optional("seed", train.seed);
  fields.optional("threads", train.threads).optional("precision", train.precision);
  fields.optional("memory_format", train.memory_format).optional("divergence_loss", divergence);
  fields.optional("probes", probes).optional("probe_budget", budget).optional("trajectory", trajectory);
  fields.check(train.batch >= 1 && train.batch <= 1'000'000, "batch", "1 to 1000000");
  fields.check(train.steps >= 1, "steps", "at least 1");
  fields.check(train.seed >= 0, "seed", "at least 0");
  fields.check(train.threads >= 0 && train.threads <= 1024, "threads", "0 (by rule) to 1024");
  require_one_of(fields, "precision", train.precision, {"f32"});
  require_one_of(fields, "memory_format", train.memory_format, {"channels-last", "contiguous"});
  fields.check(divergence.is_null() || (divergence.is_number() && divergence.get<double>() > 0), "divergence_loss",
               "a number above 0, or null for \"only when not finite\"");
  fields.check(probes.is_array(), "probes", "a list");
  fields.check(budget.is_null() || (budget.is_number() && budget.get<double>() > 0), "probe_budget",
               "a share above 0, e.g. 0.05, or null for none");
  fields.finish();
  train.data = parse_data(data, "data");
  train.model = parse_model(model, "model");
  train.optimizer = parse_optimizer(optimizer, "optimizer");
  if (!budget.is_null()) train.probe_budget = budget.get<double>();
  train.divergence_loss = divergence.is_null() ? std::nullopt : std::optional(divergence.get<double>());
  for (size_t i = 0; i < probes.size(); ++i) {
    train.probes.push_back(parse_probe(probes[i], "probes[" + std::to_string(i) + "]"));
  }
  train.trajectory = parse_trajectory(trajectory, "trajectory");
  return train;
}

AnalysisSpec parse_analysis(JsonFields& fields) {
  AnalysisSpec analysis;
  fields.required("analysis", analysis.analysis).optional("parameters", analysis.parameters);
  fields.optional("inputs", analysis.inputs).optional("seed", analysis.seed).optional("threads", analysis.threads);
  fields.check(analysis.parameters.is_object(), "parameters", "a JSON object");
  fields.check(analysis.seed >= 0, "seed", "at least 0");
  fields.check(analysis.threads >= 0 && analysis.threads <= 1024, "threads", "0 (by rule) to 1024");
  fields.finish();
  return analysis;
}

Json to_json(const ProbeSpec& probe) {
  return {{"name", probe.name},
          {"from", probe.from},
          {"every", probe.every},
          {"at_end", probe.at_end},
          {"parameters", probe.parameters}};
}

Json train_to_json(const TrainSpec& train) {
  const auto& [data, model, optimizer] = std::tie(train.data, train.model, train.optimizer);
  Json probes = Json::array();
  for (const auto& probe : train.probes) probes.push_back(to_json(probe));
  return {
      {"data",
       {{"set", data.set},
        {"digest", data.digest},
        {"scaling", data.scaling},
        {"pad_to", data.pad_to},
        {"augment", data.augment},
        {"pool", data.pool},
        {"draw", data.draw}}},
      {"model",
       {{"name", model.name},
        {"options", model.options},
        {"init", model.init},
        {"norm", {{"kind", model.norm.kind}, {"place", model.norm.place}, {"options", model.norm.options}}}}},
      {"optimizer",
       {{"name", optimizer.name},
        {"lr", optimizer.lr},
        {"momentum", optimizer.momentum},
        {"weight_decay", optimizer.weight_decay},
        {"milestones", optimizer.milestones},
        {"factor", optimizer.factor}}},
      {"batch", train.batch},
      {"steps", train.steps},
      {"seed", train.seed},
      {"threads", train.threads},
      {"precision", train.precision},
      {"memory_format", train.memory_format},
      {"divergence_loss", train.divergence_loss ? Json(*train.divergence_loss) : Json()},
      {"probes", probes},
      {"probe_budget", train.probe_budget ? Json(*train.probe_budget) : Json()},
      {"trajectory",
       {{"keep", train.trajectory.keep}, {"every", train.trajectory.every}, {"dims", train.trajectory.dims}}},
  };
}

Json analysis_to_json(const AnalysisSpec& analysis) {
  return {{"analysis", analysis.analysis},
          {"parameters", analysis.parameters},
          {"inputs", analysis.inputs},
          {"seed", analysis.seed},
          {"threads", analysis.threads}};
}

}  // namespace

RunSpec parse_run_spec(const Json& json) {
  JsonFields fields(json, "");
  std::string kind;
  int64_t schema = kSchema;
  fields.required("kind", kind).optional("schema", schema);
  fields.check(schema == kSchema, "schema", std::to_string(kSchema) + " (the only one that this bnlab reads)");
  require_one_of(fields, "kind", kind, {"train", "analysis"});
  if (kind == "train") return parse_train(fields);
  return parse_analysis(fields);
}

Json to_json(const RunSpec& spec) {
  Json json = std::holds_alternative<TrainSpec>(spec) ? train_to_json(std::get<TrainSpec>(spec))
                                                      : analysis_to_json(std::get<AnalysisSpec>(spec));
  json["kind"] = kind_of(spec);
  json["schema"] = kSchema;
  return json;
}

std::string canonical_json(const RunSpec& spec) {
  return to_json(spec).dump();
}

std::string run_id(const RunSpec& spec) {
  return sha256_hex(canonical_json(spec)).substr(0, 16);
}

int64_t threads_of(const RunSpec& spec) {
  return std::visit([](const auto& s) { return s.threads; }, spec);
}

std::string kind_of(const RunSpec& spec) {
  return std::holds_alternative<TrainSpec>(spec) ? "train" : "analysis";
}

}  // namespace bnlab
