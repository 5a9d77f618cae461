// bnlab data: where data sets are looked for, and whether their files are what they should be.
#include <fmt/format.h>

#include "bnlab/cli/commands.h"
#include "bnlab/cli/output.h"
#include "bnlab/data/check.h"
#include "bnlab/record/json_fields.h"

namespace bnlab {
namespace {

Json to_json(const DatasetListing& listing) {
  Json looked_in = Json::array();
  for (const auto& place : listing.looked_in) looked_in.push_back(place.string());
  return {{"name", listing.name},       {"title", listing.title},
          {"looked_in", looked_in},     {"found", listing.found.empty() ? Json() : Json(listing.found.string())},
          {"trouble", listing.trouble}, {"hint", listing.hint}};
}

Json to_json(const FileCheck& file) {
  return {{"name", file.name},
          {"path", file.path.string()},
          {"state", to_string(file.state)},
          {"bytes", file.bytes},
          {"md5", file.md5},
          {"expected_md5", file.expected_md5},
          {"content_hash", file.content_hash},
          {"expected_content_hash", file.expected_content_hash},
          {"content_hash_kind", file.content_hash_kind},
          {"message", file.message}};
}

Json to_json(const DatasetCheck& check) {
  Json files = Json::array();
  for (const auto& file : check.files) files.push_back(to_json(file));
  return {{"name", check.name},
          {"title", check.title},
          {"place", check.place.string()},
          {"state", to_string(check.state)},
          {"digest", check.digest},
          {"message", check.message},
          {"files", files}};
}

void list(bool json) {
  Json all = Json::array();
  for (const auto& listing : list_datasets()) {
    all.push_back(to_json(listing));
    if (json) continue;
    fmt::print("{}  {}\n", listing.name, listing.title);
    if (listing.looked_in.empty()) {
      fmt::print("  made when asked for; it has no files\n");
    } else if (!listing.found.empty()) {
      fmt::print("  found in {}\n", listing.found.string());
    } else {
      fmt::print("  not found; {}\n", listing.trouble.empty() ? listing.hint : listing.trouble);
      for (const auto& place : listing.looked_in) fmt::print("    looked in {}\n", place.string());
    }
  }
  if (json) print_json(all);
}

int check(const std::string& chosen, bool json) {
  const DatasetCheck result = check_dataset(parse_data_choice(chosen));
  if (json) {
    print_json(to_json(result));
  } else {
    fmt::print("{}: {}\n", result.title.empty() ? result.name : result.title, result.message);
    for (const auto& file : result.files) {
      fmt::print("  {:<8} {:<28} {:>11} bytes{}  {}\n", to_string(file.state), file.name, file.bytes,
                 file.md5.empty() ? "" : "  md5 " + file.md5, file.message);
    }
  }
  return result.state == FileState::kFound || result.state == FileState::kDiffers ? kExitDone : kExitFailed;
}

}  // namespace

void add_data(CLI::App& app, Invocation& invocation) {
  struct Options {
    std::string data = "fashion-mnist";
    bool json = false;
  };
  auto options = std::make_shared<Options>();
  CLI::App* command =
      app.add_subcommand("data", "Data sets: where they are looked for, and whether their files are right");
  command->require_subcommand(1);
  command->footer("Example:\n  bnlab data list\n  bnlab data check cifar10:DIR");
  CLI::App* list_command = command->add_subcommand("list", "The known data sets and where they are looked for");
  list_command->add_flag("--json", options->json, "For programs");
  list_command->footer("Example:\n  bnlab data list --json");
  list_command->callback([options] { list(options->json); });
  CLI::App* check_command = command->add_subcommand("check", "Read a data set's files and compare sizes and checksums");
  check_command->add_option("DATA", options->data, "NAME or NAME:PATH")->capture_default_str();
  check_command->add_flag("--json", options->json, "For programs");
  check_command->footer("Example:\n  bnlab data check cifar10:cifar-10-binary.tar.gz");
  check_command->callback([options, &invocation] { invocation.exit_status = check(options->data, options->json); });
}

}  // namespace bnlab
