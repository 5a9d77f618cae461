// bnlab doctor: what is wrong with the batch normalization in a model's file, or between two of them.
#include <fmt/format.h>

#include "bnlab/cli/commands.h"
#include "bnlab/cli/output.h"
#include "bnlab/cli/stop_at_once.h"
#include "bnlab/doctor/baseline.h"
#include "bnlab/doctor/conventions.h"
#include "bnlab/doctor/diagnosis.h"
#include "bnlab/doctor/views.h"
#include "bnlab/model_files/pair_files.h"
#include "bnlab/record/files.h"
#include "bnlab/record/parse_json.h"
#include "bnlab/torchscript/torchscript.h"

namespace bnlab {
namespace {

struct DoctorOptions {
  std::string file, compare, key, format = "text", out, baseline, write_baseline, convention;
};

/// A file has no report object whose methods would repair it.
Json without_repairs(Json report) {
  for (Json& finding : report["findings"]) finding["repair"] = "";
  return report;
}

doctor::Facts facts_of(const DoctorOptions& options) {
  try {
    if (!torchscript::is_torchscript(options.file)) return model_files::read_model_file(options.file, {options.key});
    if (!options.key.empty()) throw model_files::ModelFileError("is TorchScript, which holds no keys; leave --key out");
    return torchscript::script_facts(options.file);
  } catch (const model_files::ModelFileError& error) {
    throw std::runtime_error(options.file + ": " + error.what());
  }
}

std::string written(const Json& report, const std::string& format) {
  if (format == "text") return doctor::report_text(report);
  const Json json = format == "sarif" ? doctor::report_sarif(report) : report;
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

Json accepted_by_baseline(Json report, const std::string& path) {
  if (path.empty()) return report;
  try {
    return doctor::accept(std::move(report), parse_json(read_file(path), path));
  } catch (const SpecError& error) {
    throw std::runtime_error(fmt::format("{}: is no baseline ({}); --write-baseline makes one", path, error.what()));
  }
}

void put_out(const std::string& text, const std::string& path) {
  if (path.empty()) {
    write_output(text);
  } else {
    write_whole_file(path, text);
  }
}

bool is_serious(const Json& report) {
  for (const Json& finding : report.at("findings")) {
    if (finding.at("severity") != "note") return true;
  }
  return false;
}

int examine_file(const DoctorOptions& options) {
  stop_at_once_on_signals();
  Json report;
  if (options.compare.empty()) {
    const doctor::Facts facts = facts_of(options);
    if (options.format == "facts") {
      put_out(doctor::facts_of_file_json(facts).dump(1, ' ', false, Json::error_handler_t::replace) + "\n",
              options.out);
      return kExitDone;
    }
    report = without_repairs(doctor::report_json(facts, doctor::diagnose(facts)));
  } else {
    const doctor::PairFacts pair = model_files::read_pair(options.file, options.compare, {options.key});
    report = doctor::pair_report_json(pair, doctor::compare(pair));
  }
  const Json shown = accepted_by_baseline(report, options.baseline);
  put_out(written(shown, options.format), options.out);
  if (!options.write_baseline.empty()) {
    write_whole_file(options.write_baseline, doctor::baseline_of(report).dump(2) + "\n");
    return kExitDone;
  }
  return is_serious(shown) ? kExitFindings : kExitDone;
}

int run_doctor(const DoctorOptions& options, bool wants_conventions) {
  if (wants_conventions) {
    if (!options.file.empty()) throw std::invalid_argument("--convention prints a table; it takes no FILE");
    write_output(doctor::conventions_text(options.convention));
    return kExitDone;
  }
  if (options.file.empty())
    throw std::invalid_argument("bnlab doctor needs a FILE: a .pth, .pt, .pt2, ONNX or safetensors file");
  if (options.format == "facts" && !options.compare.empty()) {
    throw std::invalid_argument("--format facts is of one file; leave --compare out");
  }
  return examine_file(options);
}

}  // namespace

void add_doctor(CLI::App& app, Invocation& invocation) {
  auto options = std::make_shared<DoctorOptions>();
  CLI::App* command =
      app.add_subcommand("doctor", "What is wrong with the batch normalization in a model's file (docs/doctor.md)");
  command->add_option(
      "FILE", options->file,
      "A model's file: safetensors, torch.save's (.pth, .pt), .pt2, ONNX (nothing in these is run) or TorchScript");
  command->add_option("--format", options->format, "text, json, sarif, or facts: what was read, as JSON")
      ->check(CLI::IsMember({"text", "json", "sarif", "facts"}))
      ->capture_default_str();
  command->add_option("--out", options->out, "File for the report; standard output without it");
  command->add_option("--baseline", options->baseline, "File with known findings, which are not named again");
  command->add_option("--write-baseline", options->write_baseline, "Accept what is found now: write it to that file");
  command->add_option("--compare", options->compare,
                      "A second file, of the same model after training, a fold or a port");
  command->add_option("--key", options->key, "Which state dict of a checkpoint, e.g. ema; without it the largest");
  CLI::Option* convention =
      command->add_option("--convention", options->convention, "What each library (or this one) stores and means by it")
          ->expected(0, 1);
  command->footer(
      "Exit status: 0 nothing but notes, 3 warnings or errors, 2 wrong usage, 1 a file that cannot be read.\n"
      "Example:\n  bnlab doctor model.pth\n  bnlab doctor before.pth --compare after.safetensors --format json\n"
      "  bnlab doctor --convention Keras");
  command->callback(
      [options, convention, &invocation] { invocation.exit_status = run_doctor(*options, convention->count() > 0); });
}

}  // namespace bnlab
