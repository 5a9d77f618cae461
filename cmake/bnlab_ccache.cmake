# Compiles through ccache where it is installed. Precompiled headers need the two sloppiness flags and -fpch-preprocess.

find_program(BNLAB_CCACHE ccache DOC "ccache, which makes repeated builds fast")
if(BNLAB_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros ${BNLAB_CCACHE})
  add_compile_options($<$<COMPILE_LANG_AND_ID:CXX,GNU>:-fpch-preprocess>)
endif()
