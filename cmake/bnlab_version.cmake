# generated/bnlab/version.h: the project's version and the commit it was built from (renewed at each build, touched only
# when it changes).

add_custom_target(bnlab_version_header
  COMMAND ${CMAKE_COMMAND} -DOUT=${CMAKE_BINARY_DIR}/generated/bnlab/version.h -DVERSION=${PROJECT_VERSION}
          -DSOURCE=${CMAKE_SOURCE_DIR} -P ${CMAKE_SOURCE_DIR}/cmake/write_version.cmake
  BYPRODUCTS ${CMAKE_BINARY_DIR}/generated/bnlab/version.h
  COMMENT "" VERBATIM)
add_dependencies(bnlab_flags bnlab_version_header)
