# bnlab_module(NAME [LINKS target...] [TORCH [NO_PCH]])
#
# The static library bnlab_NAME of every .cpp under src/bnlab/NAME. TORCH adds libtorch with the shared precompiled header.
# With NO_PCH without it: for modules that include only narrow headers. The precompiled one makes every file instantiate
# what it holds, 15 s of a processor, where a file that needs ATen/core/Tensor.h takes 4.

add_library(bnlab_flags INTERFACE)
target_include_directories(bnlab_flags INTERFACE ${CMAKE_SOURCE_DIR}/src ${CMAKE_BINARY_DIR}/generated)
target_compile_options(bnlab_flags INTERFACE -Wall -Wextra -Wno-unknown-pragmas)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # False alarms about std::string's own code (GCC bugs 105329 and 105651).
  target_compile_options(bnlab_flags INTERFACE -Wno-restrict -Wno-stringop-overflow)
endif()
if(BNLAB_WERROR AND NOT BNLAB_SANITIZE)  # instrumented code brings warnings of its own
  target_compile_options(bnlab_flags INTERFACE -Werror)
endif()
if(BNLAB_SANITIZE)
  target_compile_options(bnlab_flags INTERFACE -fsanitize=${BNLAB_SANITIZE} -fno-sanitize-recover=all
                                               -fno-omit-frame-pointer)
  target_link_options(bnlab_flags INTERFACE -fsanitize=${BNLAB_SANITIZE})
endif()

# libtorch's own headers are not ours to mend: they are system headers.
add_library(bnlab_libtorch INTERFACE)
target_include_directories(bnlab_libtorch SYSTEM INTERFACE ${TORCH_INCLUDE_DIRS})
target_link_libraries(bnlab_libtorch INTERFACE ${TORCH_LIBRARIES} OpenMP::OpenMP_CXX)

# Compiled once, used by every module and test that sees libtorch.
file(WRITE ${CMAKE_BINARY_DIR}/torch_pch.cpp "")
add_library(bnlab_torch_pch OBJECT ${CMAKE_BINARY_DIR}/torch_pch.cpp)
target_link_libraries(bnlab_torch_pch PRIVATE bnlab_flags bnlab_libtorch)
target_precompile_headers(bnlab_torch_pch PRIVATE ${CMAKE_SOURCE_DIR}/cmake/torch_pch.h)

function(bnlab_use_torch target scope)
  target_link_libraries(${target} ${scope} bnlab_libtorch)
  target_precompile_headers(${target} REUSE_FROM bnlab_torch_pch)
endfunction()

function(bnlab_module name)
  cmake_parse_arguments(arg "TORCH;NO_PCH" "" "LINKS" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/bnlab/${name}/*.cpp)
  add_library(bnlab_${name} STATIC ${sources})
  target_link_libraries(bnlab_${name} PUBLIC $<BUILD_INTERFACE:bnlab_flags> ${arg_LINKS})
  if(arg_TORCH AND arg_NO_PCH)
    target_link_libraries(bnlab_${name} PUBLIC bnlab_libtorch)
  elseif(arg_TORCH)
    bnlab_use_torch(bnlab_${name} PUBLIC)
  endif()
endfunction()
