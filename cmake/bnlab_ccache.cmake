# Compiles through ccache where it is installed.

find_program(BNLAB_CCACHE ccache DOC "ccache, which makes repeated builds fast")
if(BNLAB_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${BNLAB_CCACHE})
endif()
