#include "bnlab/cli/bench_section.h"

#include <fmt/format.h>

#include "bnlab/bench/figures.h"
#include "bnlab/cli/output.h"
#include "bnlab/record/files.h"
#include "bnlab/record/parse_json.h"

namespace bnlab {

void add_bench_section(const OutFolder& out, Json& report) {
  if (!std::filesystem::exists(out.bench())) return;
  try {
    Json with_section = report;
    bench::add_to_report(parse_json(read_file(out.bench()), "bench.json"), with_section);
    report = std::move(with_section);
  } catch (const std::exception& error) {
    say(fmt::format("note: {} is left out of the report: {}; bnlab bench with the same --out writes it anew\n",
                    out.bench().string(), error.what()));
  }
}

}  // namespace bnlab
