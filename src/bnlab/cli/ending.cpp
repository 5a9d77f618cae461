#include "bnlab/cli/ending.h"

#include <c10/util/Exception.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <charconv>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <new>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <system_error>

#include "bnlab/cli/commands.h"
#include "bnlab/cli/common.h"
#include "bnlab/cli/output.h"
#include "bnlab/record/json_fields.h"

namespace bnlab {
namespace {

/// The number behind `words`, if they are in the text.
std::optional<uint64_t> number_behind(std::string_view text, std::string_view words) {
  const size_t at = text.find(words);
  if (at == text.npos) return std::nullopt;
  uint64_t number = 0;
  const char* first = text.data() + at + words.size();
  const auto end = std::from_chars(first, text.data() + text.size(), number);
  return end.ec == std::errc() ? std::optional(number) : std::nullopt;
}

/// How many bytes an allocator did not get: libtorch's CPU allocator, or that of bnlab's operators.
std::optional<uint64_t> missing_bytes(std::string_view text) {
  const auto bytes = number_behind(text, "you tried to allocate ");
  return bytes ? bytes : number_behind(text, "the system has no ");
}

std::string out_of_memory(std::optional<uint64_t> bytes) {
  rlimit limit{};
  const bool limited = ::getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY;
  return fmt::format(
      "memory ran out{}{}; make the run smaller, with a smaller --batch or --width or fewer examples for the probes, "
      "or "
      "free some memory",
      bytes ? fmt::format(" when {} more bytes were needed for tensors", *bytes) : "",
      limited ? fmt::format(" (this process may use {} KiB, see ulimit -v)", limit.rlim_cur / 1024) : "");
}

std::string without_backtrace(std::string_view text) {
  for (const std::string_view mark : {"\nException raised from ", " (Exception raised from ", "\nframe #0:"}) {
    text = text.substr(0, text.find(mark));
  }
  return std::string(text);
}

std::string sentence_of(const std::filesystem::filesystem_error& error) {
  const std::string path = error.path1().string();
  return fmt::format("{}{}", path.empty() ? "a file operation failed: " : path + ": ", error.code().message());
}

[[noreturn]] void end_at_once() {
  Ending ending{kExitFailed, "an error of the program itself ended it"};
  if (std::current_exception() != nullptr) {
    try {
      throw;
    } catch (...) {
      ending = ending_of_exception();
    }
  }
  say("bnlab: " + ending.sentence + "\n");
  ::_exit(ending.status);
}

}  // namespace

std::string sentence_of(const std::exception& error) {
  if (const auto* of_torch = dynamic_cast<const c10::Error*>(&error)) {
    const std::string text = of_torch->what_without_backtrace();
    if (const auto bytes = missing_bytes(text)) return out_of_memory(bytes);
    return text.substr(0, text.find('\n'));
  }
  if (dynamic_cast<const std::bad_alloc*>(&error) != nullptr) return out_of_memory(std::nullopt);
  if (const auto* of_file = dynamic_cast<const std::filesystem::filesystem_error*>(&error))
    return sentence_of(*of_file);
  return without_backtrace(error.what());
}

Ending ending_of_exception() {
  const int failed = stop_requested() ? kExitStopped : kExitFailed;
  try {
    throw;
  } catch (const SpecError& error) {
    return {kExitUsage, sentence_of(error)};
  } catch (const std::invalid_argument& error) {
    return {kExitUsage, sentence_of(error)};
  } catch (const OutputError& error) {
    return {failed, error.reader_left() ? "" : error.what()};
  } catch (const std::system_error& error) {
    if (std::ferror(stdout) == 0) return {kExitFailed, sentence_of(error)};
    const OutputError output(error.code().value());  // of fmt::print
    return {failed, output.reader_left() ? "" : output.what()};
  } catch (const std::exception& error) {
    return {kExitFailed, sentence_of(error)};
  } catch (...) {
    return {kExitFailed, "an unknown error ended the program"};
  }
}

void end_in_a_sentence_always() {
  std::set_terminate(end_at_once);
}

}  // namespace bnlab
