// bnlab reproduce: plan the experiments, compute the runs that are missing, write the report.
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "bnlab/cli/commands.h"
#include "bnlab/cli/common.h"
#include "bnlab/cli/output.h"
#include "bnlab/cli/plan_listing.h"
#include "bnlab/cli/reproduction.h"

namespace bnlab {
namespace {

Request request_of(const ReproduceOptions& options) {
  const Scale scale = *parse_scale(options.scale);
  const int64_t seeds = options.seeds > 0 ? options.seeds : default_seeds(scale);
  Request request{options.only, scale, options.data, {}, first_seeds(seeds, options.first_seed)};
  if (!options.probe_budget.empty()) request.probe_budget = parse_percent("--probe-budget", options.probe_budget);
  request.facts = load_facts(parse_data_choice(options.data));
  choose_thinning(request);
  return request;
}

/// What the elements of a job are to be told: what was asked for, but for what concerns the submitter alone.
std::vector<std::string> arguments_of_elements(const CLI::App& command) {
  std::vector<std::string> arguments;
  for (const char* name : {"--only", "--scale", "--data", "--seeds", "--first-seed", "--probe-budget", "--out",
                           "--workers", "--checkpoint-seconds", "--patience"}) {
    const CLI::Option* option = command.get_option(name);
    if (option->count() > 0) arguments.insert(arguments.end(), {name, option->results().back()});
  }
  return arguments;
}

}  // namespace

void add_reproduce(CLI::App& app, Invocation& invocation) {
  auto options = std::make_shared<ReproduceOptions>();
  CLI::App* command = app.add_subcommand("reproduce", "Run experiments and write the report");
  command->add_option("--only", options->only,
                      "Experiments by name, comma-separated; * stands for anything (default: all)");
  command->add_option("--scale", options->scale, "How large: smoke, quick, standard or paper")
      ->check(CLI::IsMember({"smoke", "quick", "standard", "paper"}))
      ->capture_default_str();
  command->add_option("--data", options->data, "Data set, NAME or NAME:PATH (see bnlab data list)")
      ->capture_default_str();
  command->add_option("--seeds", options->seeds, "Seeds per arm; verdicts need at least 3 (default: 5; 1 at smoke)")
      ->check(CLI::Range(1, 1000));
  command
      ->add_option("--first-seed", options->first_seed,
                   "The seeds are this one and those that follow; 1000 and up are for pilots, on which protocols are "
                   "chosen and nothing is judged")
      ->check(CLI::Range(int64_t{0}, int64_t{1'000'000'000}))
      ->capture_default_str();
  command->add_option(
      "--probe-budget", options->probe_budget,
      "Most that a run's probes may cost by estimate, in percent of its steps, e.g. 5%: the probes of all "
      "runs then see fewer steps, all the same");
  command->add_option("--out", options->out, "Folder for runs and report")->capture_default_str();
  command->add_option("--workers", options->workers, "Processes at once (0: as many as fit the cores)")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
  command->add_option("--checkpoint-seconds", options->checkpoint_seconds, "Time between checkpoints of a run")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  CLI::Option* serve = command->add_flag("--serve", options->serve, "Show the work as a live page (see bnlab serve)");
  command->add_option("--port", options->port, "Port of that page (default: the first free one from 8765 on)")
      ->check(CLI::Range(0, 65535))
      ->needs(serve);
  command
      ->add_option("--patience", options->patience,
                   "Seconds without a sign of a process on another machine until its run is taken over")
      ->check(CLI::Range(6.0, 86400.0))
      ->capture_default_str();
  CLI::Option* executor = command
                              ->add_option("--executor", options->executor,
                                           "Who computes: this machine (local), or a Slurm cluster (slurm)")
                              ->check(CLI::IsMember({"local", "slurm"}))
                              ->capture_default_str();
  command->add_option("--array", options->array, "Elements of the Slurm job: as many processes take runs at once")
      ->check(CLI::Range(1, 100'000))
      ->needs(executor)
      ->capture_default_str();
  command->add_option("--slurm-args", options->slurm_args, "More arguments for sbatch, e.g. \"--time=2:00:00 -c 8\"")
      ->needs(executor);
  command->add_flag("--detach", options->detach, "End once the Slurm job is submitted")->needs(executor);
  command->add_flag("--join", options->join)->group("");
  command->add_flag("--print-plan", options->print_plan,
                    "Print the runs, with what each is estimated to cost, as JSON and stop");
  command->add_flag("--force", options->force, "Compute finished runs again");
  command->add_flag("--json", options->json, "Print report.json on standard output");
  command->footer(
      "Example:\n  bnlab reproduce --only santurkar-fig1 --data cifar10:DIR --seeds 5 --out results\n"
      "Finished runs are kept and never computed twice; Ctrl-C stops cleanly, the same command goes on.\n"
      "The same command may be started several times, on machines that share the folder: they divide the runs\n"
      "among them (docs/cluster.md).");
  command->callback([command, options, &invocation] {
    if (options->executor == "local" &&
        (options->detach || command->count("--array") + command->count("--slurm-args") > 0)) {
      throw std::invalid_argument("--array, --slurm-args and --detach go with --executor slurm");
    }
    if (options->executor == "slurm" && options->serve) {
      throw std::invalid_argument("--serve goes with --executor local; bnlab serve shows the folder of any");
    }
    options->asked = arguments_of_elements(*command);
    if (options->print_plan) {
      print_json(plan_listing(request_of(*options)));
      return;
    }
    install_stop_handler();
    invocation.exit_status = Reproduction(*options, invocation.program, request_of(*options)).run();
  });
}

}  // namespace bnlab
