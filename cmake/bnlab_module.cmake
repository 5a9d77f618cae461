# bnlab_module(NAME [LINKS target...] [UNITY] [BRIEF])
#
# The static library bnlab_NAME of every .cpp under src/bnlab/NAME. Most of what a file costs to compile is libtorch's
# headers (10 s of a processor for torch/nn/module.h, 3 for ATen/core/Tensor.h). UNITY compiles the module's files
# together, so that they are read once: for modules whose files give different names to what they keep to themselves
# (-DBNLAB_UNITY=OFF compiles each by itself, which shows what includes are missing). A precompiled header helps less:
# every file instantiates again what it holds, 6 s. BRIEF optimizes little: for modules that compute little.

add_library(bnlab_flags INTERFACE)
target_include_directories(bnlab_flags INTERFACE ${CMAKE_SOURCE_DIR}/src ${CMAKE_BINARY_DIR}/generated)
target_compile_options(bnlab_flags INTERFACE -Wall -Wextra -Wno-unknown-pragmas)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # False alarms about std::string's own code (GCC bugs 105329 and 105651).
  target_compile_options(bnlab_flags INTERFACE -Wno-restrict -Wno-stringop-overflow)
elseif(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # ... about std::vector<bool>, which libtorch's autograd functions use (GCC bug 110498), and about references that a
  # function takes out of one of its arguments.
  target_compile_options(bnlab_flags INTERFACE -Wno-array-bounds -Wno-stringop-overflow -Wno-dangling-reference)
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
# The library for Python finds OpenMP through libtorch, which may have one under another name (pip's has). With one of its own
# it would have threads of its own, whose number torch.set_num_threads() does not know.
target_link_libraries(bnlab_libtorch INTERFACE ${TORCH_LIBRARIES}
                                               $<$<NOT:$<STREQUAL:$<TARGET_PROPERTY:NAME>,bnlab_torch>>:OpenMP::OpenMP_CXX>)

# Optimizes little, which takes a quarter off the time to compile what is mostly JSON and text.
function(bnlab_optimize_little target)
  target_compile_options(${target} PRIVATE $<$<CONFIG:Release>:-O1>)
endfunction()

# Compiles `target`'s files together.
function(bnlab_compile_together target)
  if(BNLAB_UNITY)
    set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 0)
  endif()
endfunction()

function(bnlab_module name)
  cmake_parse_arguments(arg "UNITY;BRIEF" "" "LINKS" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/bnlab/${name}/*.cpp)
  add_library(bnlab_${name} STATIC ${sources})
  target_link_libraries(bnlab_${name} PUBLIC $<BUILD_INTERFACE:bnlab_flags> ${arg_LINKS})
  if(arg_UNITY)
    bnlab_compile_together(bnlab_${name})
  endif()
  if(arg_BRIEF)
    bnlab_optimize_little(bnlab_${name})
  endif()
endfunction()
