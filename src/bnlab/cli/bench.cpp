// bnlab bench: our operators and kernels against PyTorch's and oneDNN's, as a table and as OUT/bench.json.
#include "bnlab/bench/bench.h"

#include <fmt/format.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <thread>

#include "bnlab/bench/element_type.h"
#include "bnlab/bench/exactness.h"
#include "bnlab/bench/summary.h"
#include "bnlab/bench/table.h"
#include "bnlab/cli/commands.h"
#include "bnlab/cli/common.h"
#include "bnlab/cli/output.h"
#include "bnlab/launch/progress_display.h"
#include "bnlab/record/files.h"

namespace bnlab {
namespace {

struct BenchArguments {
  std::string shapes_file, only, type = "f32", isa, json, out = "bnlab-out";
  int threads = 0, rounds = 0;
  bool quick = false, exactness = false, wants_json = false;
};

/// OpenMP binds threads to cores only if it is told so before the program starts; it does it better than the program
/// could, since it starts and ends threads behind its back. So this process begins anew with the right environment.
void have_threads_bound(const std::string& program) {
  if (::getenv("OMP_PROC_BIND") != nullptr) return;
  ::setenv("OMP_PROC_BIND", "true", 1);
  ::setenv("OMP_PLACES", "cores", 0);
  std::string line = read_file("/proc/self/cmdline");
  std::vector<char*> arguments;
  for (std::size_t at = 0; at < line.size(); at += std::char_traits<char>::length(&line[at]) + 1) {
    arguments.push_back(&line[at]);
  }
  arguments.push_back(nullptr);
  ::execv(program.c_str(), arguments.data());  // returns only if it failed: then the bench itself binds them
}

std::vector<bench::NamedShape> chosen_shapes(const BenchArguments& arguments) {
  std::vector<bench::NamedShape> shapes;
  if (!arguments.shapes_file.empty()) {
    shapes = bench::parse_shapes(read_file(arguments.shapes_file),
                                 std::filesystem::path(arguments.shapes_file).stem().string(), arguments.shapes_file);
  } else {
    shapes = arguments.quick ? bench::quick_shapes() : bench::shared_shapes();
  }
  std::string known;
  for (const auto& shape : shapes) known += "\n  " + shape.full_name();
  std::erase_if(shapes, [&](const auto& shape) { return shape.full_name().find(arguments.only) == std::string::npos; });
  if (shapes.empty()) {
    throw std::invalid_argument(
        fmt::format("--only: no shape's name contains \"{}\"; the names are{}", arguments.only, known));
  }
  return shapes;
}

void run(const BenchArguments& arguments) {
  bench::BenchOptions options;
  options.shapes = chosen_shapes(arguments);
  options.element = arguments.type;
  options.instruction_set = arguments.isa;
  options.threads = arguments.threads > 0 ? arguments.threads
                                          : static_cast<int>(std::clamp(std::thread::hardware_concurrency(), 1u, 2u));
  options.rounds = arguments.rounds > 0 ? arguments.rounds : arguments.quick ? bench::kQuickRounds : bench::kRounds;
  const OutFolder out{arguments.out};
  std::filesystem::create_directories(out.path);
  bench::Results results;
  {
    ProgressDisplay display;
    options.progress = [&](double done, const std::string& what) { display.update(done, what); };
    options.warn = [&](const std::string& sentence) { display.print("warning: " + sentence); };
    results = bench::run_bench(options);
  }
  const std::string json = bench::to_json(results).dump(1) + "\n";
  write_file_atomically(out.bench(), json);
  const bool json_on_stdout = arguments.wants_json && (arguments.json.empty() || arguments.json == "-");
  if (json_on_stdout) {
    write_output(json);
  } else if (arguments.wants_json) {
    write_file_atomically(arguments.json, json);
  }
  const std::string table = fmt::format("{}Every measurement is in {}\n",
                                        bench::table(results, bench::compare(results)), out.bench().string());
  json_on_stdout ? say(table) : write_output(table);
}

}  // namespace

void add_bench(CLI::App& app, Invocation& invocation) {
  auto options = std::make_shared<BenchArguments>();
  CLI::App* command = app.add_subcommand("bench", "Time BN against PyTorch, oneDNN and the limit of memory");
  command->add_option("--shapes", options->shapes_file, "A file of shapes, NAME N C H W a line (default: built in)")
      ->check(CLI::ExistingFile);
  command->add_option("--only", options->only, "Only shapes whose name contains this, e.g. resnet-50/stem");
  command->add_flag("--quick", options->quick, "A few shapes, a few rounds: a first look in about a minute");
  command->add_flag("--exactness", options->exactness,
                    "No timing: the largest error of y for badly scaled channels, ours and the peers'");
  command->add_option("--type", options->type, "Of the elements: " + bench::element_type_names())
      ->capture_default_str();
  command->add_option("--isa", options->isa, "Instruction set of our kernels (default: the best here)");
  command->add_option("--threads", options->threads, "Threads, each bound to a core (default: 2)")
      ->check(CLI::Range(1, 4096));
  command->add_option("--rounds", options->rounds, fmt::format("Timings of each (default: {})", bench::kRounds))
      ->check(CLI::Range(1, 10000));
  CLI::Option* json = command->add_option("--json", options->json, "JSON to a file, or to standard output (-)")
                          ->expected(0, 1)
                          ->type_name("[FILE]");
  command->add_option("--out", options->out, "Folder; the results go to OUT/bench.json")->capture_default_str();
  command->footer(
      "Example:\n  bnlab bench --only vgg-a\n"
      "Afterwards bnlab reproduce and bnlab report show the results of OUT in their report.");
  command->callback([options, json, &invocation] {
    options->wants_json = json->count() > 0;
    (void)bench::element_type(options->type);
    if (options->exactness) {
      fmt::print("Largest |y - ideal y| in float, by the mean of the channels over their standard deviation\n\n{}",
                 bench::exactness_table(bench::measure_exactness()));
      return;
    }
    have_threads_bound(invocation.program);
    run(*options);
  });
}

}  // namespace bnlab
