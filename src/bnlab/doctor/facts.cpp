#include "bnlab/doctor/facts.h"

#include <limits>

namespace bnlab::doctor {
namespace {

double number_of(const Json& json, const std::string& path) {
  if (json == "NaN") return std::numeric_limits<double>::quiet_NaN();
  if (json == "Infinity") return std::numeric_limits<double>::infinity();
  if (json == "-Infinity") return -std::numeric_limits<double>::infinity();
  if (json.is_string()) throw SpecError(path, "expected a number, NaN, Infinity or -Infinity, got " + json.dump());
  double value = 0;
  read_value(json, path, value);
  return value;
}

Numbers numbers_of(const Json& json, const std::string& path) {
  if (!json.is_array()) throw SpecError(path, "expected a list of numbers, got " + json.dump());
  Numbers values;
  values.reserve(json.size());
  for (std::size_t i = 0; i < json.size(); ++i) {
    values.push_back(number_of(json[i], path + "[" + std::to_string(i) + "]"));
  }
  return values;
}

/// Reads one object at a time; lists of channels must have one value for each.
class Reader {
 public:
  Reader(const Json& object, const std::string& where) : fields_(object, where) {}

  JsonFields& fields() { return fields_; }

  void list(const std::string& key, Numbers& values, std::optional<std::size_t> size = {}) {
    Json json;
    fields_.required(key, json);
    values = numbers_of(json, fields_.path(key));
    fields_.check(!size || values.size() == *size, key, "a list of " + std::to_string(size.value_or(0)) + " numbers");
  }
  void optional_list(const std::string& key, std::optional<Numbers>& values, std::optional<std::size_t> size = {}) {
    if (has(key)) list(key, values.emplace(), size);
  }
  void list_or_none(const std::string& key, Numbers& values, std::optional<std::size_t> size = {}) {
    if (has(key)) list(key, values, size);
  }
  /// Calls read(json, path) if the key is there and not null.
  template <class F>
  void object(const std::string& key, const F& read) {
    Json json;
    fields_.optional(key, json);
    if (!json.is_null()) read(json, fields_.path(key));
  }

 private:
  bool has(const std::string& key) {
    Json json;
    fields_.optional(key, json);
    return !json.is_null();
  }

  JsonFields fields_;
};

ProducerFacts read_producer(const Json& json, const std::string& path) {
  ProducerFacts producer;
  JsonFields fields(json, path);
  fields.required("name", producer.name).required("kind", producer.kind).required("has_bias", producer.has_bias);
  fields.finish();
  return producer;
}

InputFacts read_inputs(const Json& json, const std::string& path, std::size_t channels) {
  InputFacts inputs;
  Reader reader(json, path);
  reader.fields().required("count", inputs.count).required("batches", inputs.batches);
  reader.fields().check(inputs.count >= 1, "count", "a number of at least 1");
  reader.list("mean", inputs.mean, channels);
  reader.list("var_biased", inputs.var_biased, channels);
  reader.list("between", inputs.between, channels);
  reader.list_or_none("spread", inputs.spread, channels);
  reader.fields().finish();
  return inputs;
}

DropoutFacts read_dropout(const Json& json, const std::string& path, std::size_t channels) {
  DropoutFacts dropout;
  Reader reader(json, path);
  reader.fields().required("name", dropout.name);
  reader.list_or_none("var_on", dropout.var_on, channels);
  reader.list_or_none("var_off", dropout.var_off, channels);
  reader.fields().finish();
  return dropout;
}

StepFacts read_steps(const Json& json, const std::string& path) {
  StepFacts steps;
  JsonFields fields(json, path);
  fields.required("calls_per_step", steps.calls_per_step).required("moved", steps.moved);
  fields.finish();
  return steps;
}

LayerFacts read_layer(const Json& json, const std::string& path) {
  LayerFacts layer;
  Reader reader(json, path);
  JsonFields& fields = reader.fields();
  fields.required("name", layer.name).required("kind", layer.kind).required("dtype", layer.dtype);
  fields.required("channels", layer.channels).check(layer.channels >= 0, "channels", "a number of at least 0");
  fields.required("eps", layer.eps).required("momentum", layer.momentum);
  fields.required("affine", layer.affine).required("track_running_stats", layer.track_running_stats);
  fields.required("training", layer.training);
  fields.optional("gamma_trains", layer.gamma_trains).optional("beta_trains", layer.beta_trains);
  fields.optional("stays_frozen", layer.stays_frozen);
  const auto channels = static_cast<std::size_t>(layer.channels);
  reader.optional_list("gamma", layer.gamma, channels);
  reader.optional_list("beta", layer.beta, channels);
  reader.optional_list("running_mean", layer.running_mean, channels);
  reader.optional_list("running_var", layer.running_var, channels);
  reader.object("num_batches_tracked", [&](const Json& count, const std::string& where) {
    read_value(count, where, layer.num_batches_tracked.emplace());
  });
  reader.object("producer",
                [&](const Json& at, const std::string& where) { layer.producer = read_producer(at, where); });
  reader.object("dropout",
                [&](const Json& at, const std::string& where) { layer.dropout = read_dropout(at, where, channels); });
  fields.optional("is_output", layer.is_output).optional("calls", layer.calls);
  fields.optional("least_values", layer.least_values).optional("last_values", layer.last_values);
  reader.object("inputs",
                [&](const Json& at, const std::string& where) { layer.inputs = read_inputs(at, where, channels); });
  reader.optional_list("exact_mean", layer.exact_mean, channels);
  reader.optional_list("exact_var_biased", layer.exact_var_biased, channels);
  fields.optional("weight_decay", layer.weight_decay);
  reader.object("steps", [&](const Json& at, const std::string& where) { layer.steps = read_steps(at, where); });
  fields.finish();
  return layer;
}

LossFacts read_losses(const Json& json, const std::string& path) {
  LossFacts losses;
  Reader reader(json, path);
  reader.fields().required("kind", losses.kind).required("scale", losses.scale);
  reader.fields().check(losses.scale > 0, "scale", "a number above 0");
  reader.list("samples", losses.samples);
  const std::size_t batches = losses.samples.size();
  reader.list("running", losses.running, batches);
  reader.list_or_none("batch", losses.batch, batches);
  reader.list_or_none("exact", losses.exact, batches);
  reader.list_or_none("as_found", losses.as_found, batches);
  reader.fields().finish();
  return losses;
}

TrialFacts read_trial(const Json& json, const std::string& path) {
  TrialFacts trial;
  Reader reader(json, path);
  reader.fields().required("setting", trial.setting).required("value", trial.value);
  reader.list("running", trial.running);
  reader.fields().finish();
  return trial;
}

TrainingFacts read_training(const Json& json, const std::string& path) {
  TrainingFacts training;
  Reader reader(json, path);
  reader.fields().required("count", training.count).required("watched", training.watched);
  reader.list_or_none("loss_moved", training.loss_moved);
  reader.list_or_none("loss_kept", training.loss_kept, training.loss_moved.size());
  reader.fields().finish();
  return training;
}

NotCollected read_not_collected(const Json& json, const std::string& path) {
  NotCollected missing;
  JsonFields fields(json, path);
  fields.required("what", missing.what).required("why", missing.why);
  fields.finish();
  return missing;
}

template <class T, class F>
void read_list(JsonFields& fields, const std::string& key, std::vector<T>& values, const F& read) {
  Json json = Json::array();
  fields.optional(key, json).check(json.is_array(), key, "a list");
  for (std::size_t i = 0; i < json.size(); ++i) {
    values.push_back(read(json[i], fields.path(key) + "[" + std::to_string(i) + "]"));
  }
}

}  // namespace

std::string Facts::why_no(const std::string& what) const {
  for (const NotCollected& missing : not_collected) {
    if (missing.what == what) return missing.why;
  }
  return "it was not collected";
}

Facts read_facts(const Json& json) {
  Facts facts;
  Reader reader(json, "");
  JsonFields& fields = reader.fields();
  std::int64_t version = 0;
  fields.required("schema_version", version);
  fields.check(version == kFactsVersion, "schema_version", std::to_string(kFactsVersion));
  fields.required("model", facts.model).required("training", facts.training);
  fields.optional("batches", facts.batches);
  read_list(fields, "layers", facts.layers, read_layer);
  reader.object("losses", [&](const Json& at, const std::string& path) { facts.losses = read_losses(at, path); });
  reader.object("output_change",
                [&](const Json& at, const std::string& path) { facts.output_change = number_of(at, path); });
  read_list(fields, "trials", facts.trials, read_trial);
  reader.object("training_steps",
                [&](const Json& at, const std::string& path) { facts.training_steps = read_training(at, path); });
  read_list(fields, "not_collected", facts.not_collected, read_not_collected);
  fields.finish();
  return facts;
}

}  // namespace bnlab::doctor
