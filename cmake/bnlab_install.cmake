# What cmake --install puts where, by component:
#
#   program   bin/bnlab
#   torch     lib/libbnlab_torch.so, lib/libbnlab_doctor.so
#   kernels   lib/libbnlab_kernels.a, include/bnlab/kernels/*.h and the package for find_package(bnlab)
#
# The kernels need nothing else of bnlab: cmake --install build --component kernels --prefix PREFIX.

include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(bnlab_package ${CMAKE_INSTALL_LIBDIR}/cmake/bnlab)
set(bnlab_public_headers batch_norm.h element.h instruction_set.h moments.h shape.h status.h task_runner.h)
list(TRANSFORM bnlab_public_headers PREPEND ${CMAKE_SOURCE_DIR}/src/bnlab/kernels/)

target_sources(bnlab_kernels PUBLIC FILE_SET HEADERS BASE_DIRS ${CMAKE_SOURCE_DIR}/src FILES ${bnlab_public_headers})
target_compile_features(bnlab_kernels INTERFACE cxx_std_20)
set_target_properties(bnlab_kernels PROPERTIES EXPORT_NAME kernels)

install(TARGETS bnlab COMPONENT program)
install(TARGETS bnlab_torch bnlab_doctor_c COMPONENT torch)
install(TARGETS bnlab_kernels EXPORT bnlab-targets ARCHIVE COMPONENT kernels FILE_SET HEADERS COMPONENT kernels)
install(EXPORT bnlab-targets NAMESPACE bnlab:: DESTINATION ${bnlab_package} COMPONENT kernels)

configure_package_config_file(${CMAKE_SOURCE_DIR}/cmake/bnlab-config.cmake.in
                              ${CMAKE_BINARY_DIR}/package/bnlab-config.cmake INSTALL_DESTINATION ${bnlab_package})
write_basic_package_version_file(${CMAKE_BINARY_DIR}/package/bnlab-config-version.cmake
                                 COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/package/bnlab-config.cmake ${CMAKE_BINARY_DIR}/package/bnlab-config-version.cmake
        DESTINATION ${bnlab_package} COMPONENT kernels)
