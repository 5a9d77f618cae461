# bnlab_add_viewer(TARGET)
#
# Builds the report's page (web/) to one HTML file with npm and Vite and puts it into TARGET, where
# bnlab::viewer_page() finds it (src/bnlab/report/viewer_page.h). npm's packages are installed once in
# web/node_modules, for every build folder, and again when package-lock.json changes; the page is built again when
# anything under web/ changes. With BNLAB_TESTS the page is also tested in Chromium (test report_page).

find_program(BNLAB_NODE NAMES node nodejs DOC "Node.js, which builds the report's page")
find_program(BNLAB_NPM npm DOC "npm, which installs what the report's page is built with")
if(NOT BNLAB_NODE OR NOT BNLAB_NPM)
  message(FATAL_ERROR "Node.js (18 or later) or npm, which build bnlab's report page, is missing: run make setup")
endif()
execute_process(COMMAND ${BNLAB_NODE} --version OUTPUT_VARIABLE bnlab_node_version OUTPUT_STRIP_TRAILING_WHITESPACE)
string(REGEX REPLACE "^v" "" bnlab_node_version "${bnlab_node_version}")
if(NOT bnlab_node_version VERSION_GREATER_EQUAL 18)
  message(FATAL_ERROR "bnlab's report page needs Node.js 18 or later, this is ${bnlab_node_version}: run make setup")
endif()

enable_language(ASM)

function(bnlab_add_viewer target)
  set(web ${CMAKE_SOURCE_DIR}/web)
  set(packages ${web}/node_modules/.package-lock.json)
  set(page ${CMAKE_BINARY_DIR}/viewer/index.html)
  set(assembly ${CMAKE_BINARY_DIR}/viewer_page.S)

  add_custom_command(
    OUTPUT ${packages}
    COMMAND ${BNLAB_NPM} ci --loglevel=error
    COMMAND ${CMAKE_COMMAND} -E touch ${packages}
    DEPENDS ${web}/package.json ${web}/package-lock.json
    WORKING_DIRECTORY ${web}
    COMMENT "Installing what the report's page is built with (npm ci)"
    VERBATIM)

  file(GLOB sources CONFIGURE_DEPENDS ${web}/src/*.ts ${web}/src/*.css)
  add_custom_command(
    OUTPUT ${page}
    COMMAND ${CMAKE_COMMAND} -E env BNLAB_VIEWER_OUT=${CMAKE_BINARY_DIR}/viewer
            ${BNLAB_NPM} run --silent --loglevel=error build -- --logLevel=warn
    DEPENDS ${packages} ${sources} ${web}/index.html ${web}/one_page.js ${web}/vite.config.js ${web}/tsconfig.json
    WORKING_DIRECTORY ${web}
    COMMENT "Building the report's page"
    VERBATIM)

  file(CONFIGURE OUTPUT ${assembly} @ONLY CONTENT [[
    .section .rodata
    .global bnlab_viewer_page_begin
    .global bnlab_viewer_page_end
bnlab_viewer_page_begin:
    .incbin "@page@"
bnlab_viewer_page_end:
    .section .note.GNU-stack, "", %progbits
]])
  set_source_files_properties(${assembly} PROPERTIES OBJECT_DEPENDS ${page})
  target_sources(${target} PRIVATE ${assembly} ${page})

  if(BNLAB_TESTS AND NOT BNLAB_SANITIZE)  # the page holds no C++
    add_test(NAME report_page COMMAND ${BNLAB_NODE} --test ${CMAKE_SOURCE_DIR}/tests/browser/report_page.test.mjs)
    set_tests_properties(report_page PROPERTIES TIMEOUT 600 RUN_SERIAL ON ENVIRONMENT BNLAB_VIEWER_PAGE=${page})
  endif()
endfunction()
