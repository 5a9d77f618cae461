// bnlab report: draw the report of a folder again from its stored runs.
#include "bnlab/report/report.h"

#include <fmt/format.h>

#include "bnlab/cli/bench_section.h"
#include "bnlab/cli/commands.h"
#include "bnlab/cli/common.h"
#include "bnlab/cli/output.h"

namespace bnlab {

void add_report(CLI::App& app, Invocation&) {
  struct Options {
    std::string folder;
    bool json = false;
  };
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("report", "Write the report of a folder again from its stored runs");
  command->add_option("DIR", options->folder, "The --out of bnlab reproduce")->required();
  command->add_flag("--json", options->json, "Print report.json on standard output");
  command->footer("Example:\n  bnlab report bnlab-out");
  command->callback([options] {
    const OutFolder out{options->folder};
    Json report = make_report(plan_experiments(load_request(out)), out.runs());
    add_bench_section(out, report);
    write_report(report, out.path);
    if (options->json) {
      print_json(report);
    } else {
      fmt::print("The report is at {}\n", std::filesystem::absolute(out.path / "report.html").string());
    }
  });
}

}  // namespace bnlab
