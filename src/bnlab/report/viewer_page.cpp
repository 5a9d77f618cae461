#include "bnlab/report/viewer_page.h"

extern "C" {
extern const char bnlab_viewer_page_begin[];
extern const char bnlab_viewer_page_end[];
}

namespace bnlab {

std::string_view viewer_page() {
  return {bnlab_viewer_page_begin, bnlab_viewer_page_end};
}

}  // namespace bnlab
