// The page is web/explain.html, built to one HTML file and embedded by cmake/bnlab_viewer.cmake.
#include "bnlab/report/page.h"

#include <string_view>

#include "bnlab/explain/views.h"

extern "C" {
extern const char bnlab_explain_page_begin[];
extern const char bnlab_explain_page_end[];
}

namespace bnlab {

std::string trace_page(const Trace& trace) {
  const std::string_view page(bnlab_explain_page_begin, bnlab_explain_page_end);
  const std::string json = trace_json(trace).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  return page_with_data(page, R"(<script type="application/json" id="bnlab-trace">)", json);
}

}  // namespace bnlab
