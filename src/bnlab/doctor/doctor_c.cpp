#include "bnlab/doctor/doctor_c.h"

#include <cstdlib>
#include <cstring>
#include <string>

#include "bnlab/doctor/baseline.h"
#include "bnlab/doctor/diagnosis.h"
#include "bnlab/doctor/views.h"
#include "bnlab/record/parse_json.h"

namespace bnlab::doctor {
namespace {

char* copy_of(const std::string& text) noexcept {
  auto* const copy = static_cast<char*>(std::malloc(text.size() + 1));
  if (copy != nullptr) std::memcpy(copy, text.c_str(), text.size() + 1);
  return copy;
}

/// Bytes that are no UTF-8, as names may hold, are replaced.
std::string dumped(const Json& json, int indent = -1) {
  return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

/// make()'s JSON as a text, or the error that it threw.
template <class F>
char* answer_of(const F& make) noexcept {
  try {
    try {
      return copy_of(dumped(make()));
    } catch (const std::exception& error) {
      return copy_of(dumped({{"error", error.what()}}));
    }
  } catch (...) {
    return nullptr;
  }
}

Json parsed(const char* text, const char* what) {
  if (text == nullptr) throw JsonError(what, "is not given");
  return parse_json(text, what);
}

std::string written(const Json& report, const std::string& format) {
  if (format == "text") return report_text(report);
  if (format == "sarif") return dumped(report_sarif(report), 2);
  if (format == "baseline") return dumped(baseline_of(report), 2);
  throw SpecError("format", "expected text, sarif or baseline, got " + format);
}

}  // namespace
}  // namespace bnlab::doctor

char* bnlab_doctor_examine(const char* facts) {
  using namespace bnlab::doctor;
  return answer_of([&] {
    const Facts read = read_facts(parsed(facts, "facts"));
    return bnlab::Json{{"report", report_json(read, diagnose(read))}};
  });
}

char* bnlab_doctor_write(const char* report, const char* format) {
  using namespace bnlab::doctor;
  return answer_of([&] {
    return bnlab::Json{{"text", written(parsed(report, "report"), format == nullptr ? "" : format)}};
  });
}

char* bnlab_doctor_accept(const char* report, const char* baseline) {
  using namespace bnlab::doctor;
  return answer_of([&] {
    return bnlab::Json{{"report", accept(parsed(report, "report"), parsed(baseline, "baseline"))}};
  });
}

void bnlab_doctor_free(char* text) {
  std::free(text);
}
