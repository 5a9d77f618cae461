// bnlab recalibrate, fold, freeze: repairs of a model's file that need no Python.
#include <fmt/format.h>

#include "bnlab/cli/commands.h"
#include "bnlab/cli/output.h"
#include "bnlab/cli/stop_at_once.h"
#include "bnlab/model_files/model_file.h"
#include "bnlab/torchscript/torchscript.h"

namespace bnlab {
namespace {

namespace fs = std::filesystem;

struct RepairOptions {
  std::string file, out, data;
  bool in_place = false;
  std::int64_t batch = 64;
};

enum class Repair { kRecalibrate, kFold, kFreeze };

/// What to do with a format that cannot be run here.
std::string refusal(const std::string& format, Repair repair) {
  const bool is_graph = format == "onnx" || format == "pt2";
  if (is_graph && repair == Repair::kFreeze) {
    return "is an export, whose graph is not written here; call model.eval() in Python and export again";
  }
  const std::string call = repair == Repair::kRecalibrate ? "bnlab.doctor(model, loader).recalibrate()"
                           : repair == Repair::kFold      ? "bnlab.doctor(model, loader).fold()"
                                                          : "bnlab.doctor(model).freeze()";
  return is_graph
             ? "is an export, whose graph is not run here; repair the model in Python, " + call + ", and export again"
             : "holds tensors without the graph that uses them; load them into the model in Python and call " + call;
}

/// Throws what the person is told of a file that is not TorchScript.
[[noreturn]] void refuse(const std::string& file, Repair repair) {
  try {
    const doctor::Facts facts = model_files::read_model_file(file);
    throw model_files::ModelFileError(refusal(facts.exported, repair));
  } catch (const model_files::ModelFileError& error) {
    throw std::runtime_error(file + ": " + error.what());
  }
}

/// Where the result goes. Throws std::invalid_argument if that would be the file that is read, unasked.
fs::path place_of(const RepairOptions& options) {
  if (options.in_place) {
    if (!options.out.empty()) throw std::invalid_argument("--in-place writes FILE itself; leave --out out");
    return options.file;
  }
  if (options.out.empty()) throw std::invalid_argument("give --out OUT for the repaired model, or --in-place");
  std::error_code error;
  if (fs::equivalent(options.file, options.out, error)) {
    throw std::invalid_argument("--out is FILE itself; say --in-place if it shall be replaced");
  }
  return options.out;
}

torchscript::ScriptRepair repaired(const RepairOptions& options, Repair repair) {
  if (!torchscript::is_torchscript(options.file)) refuse(options.file, repair);
  try {
    if (repair == Repair::kFreeze) return torchscript::freeze_script(options.file);
    const torchscript::ScriptData data = {options.data, options.batch};
    return repair == Repair::kFold ? torchscript::fold_script(options.file, data)
                                   : torchscript::recalibrate_script(options.file, data);
  } catch (const model_files::ModelFileError& error) {
    throw std::runtime_error(options.file + ": " + error.what());
  }
}

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

void run_repair(const RepairOptions& options, Repair repair, const std::string& word) {
  const fs::path place = place_of(options);
  stop_at_once_on_signals();
  const torchscript::ScriptRepair result = repaired(options, repair);
  write_whole_file(place, result.file);
  std::string text = fmt::format("{} {} layer{}: {}\n", word, result.layers.size(),
                                 result.layers.size() == 1 ? "" : "s", joined(result.layers));
  for (const std::string& left : result.left) text += "left alone: " + left + "\n";
  if (result.output_change) {
    text += fmt::format("largest difference of outputs, in deviations: {:.3g}\n", *result.output_change);
  }
  write_output(text + fmt::format("written to {}\n", place.string()));
}

CLI::App* add_repair(CLI::App& app, const std::string& name, const std::string& what, Repair repair,
                     const std::string& word) {
  auto options = std::make_shared<RepairOptions>();
  CLI::App* command = app.add_subcommand(name, what);
  command->add_option("FILE", options->file, "A TorchScript file; others are refused with what to use instead")
      ->required();
  command->add_option("--out", options->out, "File for the repaired model");
  command->add_flag("--in-place", options->in_place, "Replace FILE");
  if (repair != Repair::kFreeze) {
    command
        ->add_option("--data", options->data,
                     "Inputs as the model takes them: a tensor (N,...) named \"inputs\" in a file of safetensors or of "
                     "torch.save({\"inputs\": x}, FILE)")
        ->required();
    command->add_option("--batch", options->batch, "Samples at a time")
        ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 20))
        ->capture_default_str();
  }
  command->callback([options, repair, word] { run_repair(*options, repair, word); });
  return command;
}

}  // namespace

void add_repairs(CLI::App& app, Invocation&) {
  add_repair(app, "recalibrate", "Take the running statistics of a TorchScript model again from data",
             Repair::kRecalibrate, "recalibrated")
      ->footer("The code in FILE is run.\nExample:\n  bnlab recalibrate net.pt --data inputs.pt --out net2.pt");
  add_repair(app, "fold", "Put batch normalization into the convolutions in front of it, measured", Repair::kFold,
             "folded")
      ->footer("The code in FILE is run.\nExample:\n  bnlab fold net.pt --data inputs.pt --out folded.pt");
  add_repair(app, "freeze", "Let a TorchScript model normalize by its running statistics", Repair::kFreeze, "froze")
      ->footer("Example:\n  bnlab freeze net.pt --out net2.pt");
}

}  // namespace bnlab
