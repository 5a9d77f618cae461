# bnlab_embed_page(TARGET PAGE SYMBOL)
#
# Builds web/PAGE.html to one HTML file, in the folder BNLAB_PAGES, with npm and Vite, and puts it into TARGET, between the
# symbols bnlab_SYMBOL_begin and bnlab_SYMBOL_end. npm's packages are installed once in web/node_modules, for every build
# folder, and again when package-lock.json changes; a page is built again when anything under web/ changes.

find_program(BNLAB_NODE NAMES node nodejs DOC "Node.js, which builds bnlab's pages")
find_program(BNLAB_NPM npm DOC "npm, which installs what bnlab's pages are built with")
if(NOT BNLAB_NODE OR NOT BNLAB_NPM)
  message(FATAL_ERROR "Node.js (18 or later) or npm, which build bnlab's pages, is missing: run make setup")
endif()
execute_process(COMMAND ${BNLAB_NODE} --version OUTPUT_VARIABLE bnlab_node_version OUTPUT_STRIP_TRAILING_WHITESPACE)
string(REGEX REPLACE "^v" "" bnlab_node_version "${bnlab_node_version}")
if(NOT bnlab_node_version VERSION_GREATER_EQUAL 18)
  message(FATAL_ERROR "bnlab's pages need Node.js 18 or later, this is ${bnlab_node_version}: run make setup")
endif()

enable_language(ASM)

set(BNLAB_PAGES ${CMAKE_BINARY_DIR}/viewer)
set(bnlab_web ${CMAKE_SOURCE_DIR}/web)
set(bnlab_web_packages ${bnlab_web}/node_modules/.package-lock.json)
add_custom_command(
  OUTPUT ${bnlab_web_packages}
  COMMAND ${BNLAB_NPM} ci --loglevel=error
  COMMAND ${CMAKE_COMMAND} -E touch ${bnlab_web_packages}
  DEPENDS ${bnlab_web}/package.json ${bnlab_web}/package-lock.json
  WORKING_DIRECTORY ${bnlab_web}
  COMMENT "Installing what the pages are built with (npm ci)"
  VERBATIM)

function(bnlab_embed_page target name symbol)
  set(page ${BNLAB_PAGES}/${name}.html)
  set(assembly ${CMAKE_BINARY_DIR}/${symbol}.S)

  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${bnlab_web}/src/*.ts ${bnlab_web}/src/*.css)
  add_custom_command(
    OUTPUT ${page}
    COMMAND ${CMAKE_COMMAND} -E env BNLAB_PAGE=${name} BNLAB_VIEWER_OUT=${BNLAB_PAGES}
            ${BNLAB_NPM} run --silent --loglevel=error build -- --logLevel=warn
    DEPENDS ${bnlab_web_packages} ${sources} ${bnlab_web}/${name}.html ${bnlab_web}/one_page.js
            ${bnlab_web}/vite.config.js ${bnlab_web}/tsconfig.json
    WORKING_DIRECTORY ${bnlab_web}
    COMMENT "Building the page ${name}.html"
    VERBATIM)

  file(CONFIGURE OUTPUT ${assembly} @ONLY CONTENT [[
    .section .rodata
    .global bnlab_@symbol@_begin
    .global bnlab_@symbol@_end
bnlab_@symbol@_begin:
    .incbin "@page@"
bnlab_@symbol@_end:
    .section .note.GNU-stack, "", %progbits
]])
  set_source_files_properties(${assembly} PROPERTIES OBJECT_DEPENDS ${page})
  target_sources(${target} PRIVATE ${assembly} ${page})
endfunction()
