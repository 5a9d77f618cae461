#include "bnlab/doctor/facts.h"

#include <algorithm>
#include <limits>

#include "bnlab/doctor/fact_reader.h"

namespace bnlab::doctor {
namespace {

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

StepFacts read_steps(const Json& json, const std::string& path, std::size_t channels) {
  StepFacts steps;
  Reader reader(json, path);
  reader.fields().required("calls_per_step", steps.calls_per_step).required("moved", steps.moved);
  reader.object("mix", [&](const Json& at, const std::string& where) { steps.mix = read_mix(at, where, channels); });
  reader.fields().finish();
  return steps;
}

/// What other models, ranks, sources and settings say of the layer.
void read_comparisons(Reader& reader, LayerFacts& layer, std::size_t channels) {
  reader.fields().optional("averaged", layer.averaged);
  reader.object("donor",
                [&](const Json& at, const std::string& where) { layer.donor = read_moments(at, where, channels); });
  reader.object("real", [&](const Json& at, const std::string& where) { layer.real = read_real(at, where, channels); });
  reader.object("sources",
                [&](const Json& at, const std::string& where) { layer.sources = read_mix(at, where, channels); });
  reader.object("precision",
                [&](const Json& at, const std::string& where) { layer.precision = read_precision(at, where); });
  reader.list_or_none("ranks", layer.ranks);
}

LayerFacts read_layer(const Json& json, const std::string& path) {
  LayerFacts layer;
  Reader reader(json, path);
  JsonFields& fields = reader.fields();
  fields.required("name", layer.name).required("kind", layer.kind).required("dtype", layer.dtype);
  fields.required("channels", layer.channels).check(layer.channels >= 0, "channels", "a number of at least 0");
  fields.required("eps", layer.eps).required("momentum", layer.momentum);
  fields.optional("momentum_known", layer.momentum_known);
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
  reader.object("steps",
                [&](const Json& at, const std::string& where) { layer.steps = read_steps(at, where, channels); });
  read_comparisons(reader, layer, channels);
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

}  // namespace

std::string Facts::why_no(const std::string& what) const {
  for (const NotCollected& missing : not_collected) {
    if (missing.what == what) return missing.why;
  }
  return what != "moments" && lacks("moments") ? why_no("moments") : "it was not collected";
}

bool Facts::lacks(const std::string& what) const {
  return std::any_of(not_collected.begin(), not_collected.end(),
                     [&](const NotCollected& missing) { return missing.what == what; });
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
  fields.optional("exported", facts.exported).optional("active_dropout", facts.active_dropout);
  read_list(fields, "layers", facts.layers, read_layer);
  reader.object("losses", [&](const Json& at, const std::string& path) { facts.losses = read_losses(at, path); });
  reader.object("output_change",
                [&](const Json& at, const std::string& path) { facts.output_change = number_of(at, path); });
  read_list(fields, "trials", facts.trials, read_trial);
  reader.object("training_steps",
                [&](const Json& at, const std::string& path) { facts.training_steps = read_training(at, path); });
  fields.optional("remarks", facts.remarks);

  const auto object = [&](const char* key, const auto& read, auto& value) {
    reader.object(key, [&](const Json& at, const std::string& path) { value = read(at, path); });
  };
  object("averaging", read_averaging, facts.averaging);
  object("padding", read_padding, facts.padding);
  object("sources", read_sources, facts.sources);
  object("formats", read_formats, facts.formats);
  object("reference", read_reference, facts.reference);
  object("ranks", read_ranks, facts.ranks);
  object("mates", read_mates, facts.mates);
  read_list(fields, "not_collected", facts.not_collected, read_not_collected);
  fields.finish();
  return facts;
}

}  // namespace bnlab::doctor
