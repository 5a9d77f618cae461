#include "bnlab/doctor/comparisons.h"

#include "bnlab/doctor/fact_reader.h"

namespace bnlab::doctor {
namespace {

void read_number(Reader& reader, const std::string& key, double& value) {
  Json json;
  reader.fields().required(key, json);
  value = number_of(json, reader.fields().path(key));
}

FoldedFacts read_folded(const Json& json, const std::string& path) {
  FoldedFacts folded;
  Reader reader(json, path);
  reader.fields().required("name", folded.name);
  reader.value_or_none("error", folded.error);
  reader.list("range", folded.range);
  reader.fields().finish();
  return folded;
}

std::string read_name(const Json& json, const std::string& path) {
  std::string name;
  read_value(json, path, name);
  return name;
}

}  // namespace

MomentFacts read_moments(const Json& json, const std::string& path, std::size_t channels) {
  MomentFacts moments;
  Reader reader(json, path);
  reader.list("mean", moments.mean, channels);
  reader.list("var", moments.var, channels);
  reader.fields().finish();
  return moments;
}

RealFacts read_real(const Json& json, const std::string& path, std::size_t channels) {
  RealFacts real;
  Reader reader(json, path);
  reader.fields().required("share", real.share);
  reader.list("mean", real.mean, channels);
  reader.list("var_biased", real.var_biased, channels);
  reader.fields().finish();
  return real;
}

MixFacts read_mix(const Json& json, const std::string& path, std::size_t channels) {
  MixFacts mix;
  Reader reader(json, path);
  reader.fields().required("freedom", mix.freedom).check(mix.freedom >= 1, "freedom", "a number of at least 1");
  reader.list("share", mix.share, channels);
  reader.list("spread", mix.spread, channels);
  reader.fields().finish();
  return mix;
}

PrecisionFacts read_precision(const Json& json, const std::string& path) {
  PrecisionFacts precision;
  Reader reader(json, path);
  reader.fields().required("channels_last", precision.channels_last);
  read_number(reader, "ratio", precision.ratio);
  read_number(reader, "error_contiguous", precision.error_contiguous);
  read_number(reader, "error_channels_last", precision.error_channels_last);
  reader.fields().finish();
  return precision;
}

AveragingFacts read_averaging(const Json& json, const std::string& path) {
  AveragingFacts averaging;
  Reader reader(json, path);
  reader.fields().required("by", averaging.by);
  reader.value_or_none("updates", averaging.updates);
  reader.value_or_none("use_buffers", averaging.use_buffers);
  reader.value_or_none("distance", averaging.distance);
  reader.fields().finish();
  return averaging;
}

PaddingFacts read_padding(const Json& json, const std::string& path) {
  PaddingFacts padding;
  Reader reader(json, path);
  reader.list_or_none("real", padding.real);
  read_list(reader.fields(), "unmatched", padding.unmatched, read_name);
  reader.fields().finish();
  return padding;
}

SourcesFacts read_sources(const Json& json, const std::string& path) {
  SourcesFacts sources;
  Reader reader(json, path);
  read_list(reader.fields(), "names", sources.names, read_name);
  reader.list_or_none("mixed", sources.mixed);
  reader.list_or_none("apart", sources.apart, sources.mixed.size());
  reader.fields().finish();
  return sources;
}

FormatFacts read_formats(const Json& json, const std::string& path) {
  FormatFacts formats;
  Reader reader(json, path);
  reader.list("contiguous", formats.contiguous);
  reader.list("channels_last", formats.channels_last, formats.contiguous.size());
  reader.fields().finish();
  return formats;
}

ReferenceFacts read_reference(const Json& json, const std::string& path) {
  ReferenceFacts reference;
  Reader reader(json, path);
  read_number(reader, "output_error", reference.output_error);
  reader.value_or_none("error_in_double", reference.error_in_double);
  reader.list_or_none("own", reference.own);
  reader.list_or_none("reference", reference.reference, reference.own.size());
  read_list(reader.fields(), "folded", reference.folded, read_folded);
  reader.fields().finish();
  return reference;
}

RankFacts read_ranks(const Json& json, const std::string& path) {
  RankFacts ranks;
  Reader reader(json, path);
  reader.fields().required("count", ranks.count).check(ranks.count >= 1, "count", "a number of at least 1");
  reader.value_or_none("own", ranks.own);
  reader.list_or_none("merged", ranks.merged);
  reader.fields().finish();
  return ranks;
}

MateFacts read_mates(const Json& json, const std::string& path) {
  MateFacts mates;
  Reader reader(json, path);
  reader.list("among_mates", mates.among_mates);
  reader.list("among_all", mates.among_all, mates.among_mates.size());
  reader.fields().finish();
  return mates;
}

}  // namespace bnlab::doctor
