# What `cmake --install build` puts where; gmx finds libgmx-llvm.so and libgmxrt.a beside libgmx.so.
include(CMakePackageConfigHelpers)

if(TARGET libgmx AND EXISTS ${PROJECT_SOURCE_DIR}/runtime/api/gmx.h)
  set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/gmx)
  install(TARGETS libgmx EXPORT gmxTargets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
          INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
  install(FILES runtime/api/gmx.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
  set_target_properties(libgmx PROPERTIES EXPORT_NAME gmx)
  install(EXPORT gmxTargets NAMESPACE gmx:: DESTINATION ${package_folder})

  configure_package_config_file(runtime/api/gmxConfig.cmake.in ${PROJECT_BINARY_DIR}/gmxConfig.cmake
                                INSTALL_DESTINATION ${package_folder})
  write_basic_package_version_file(${PROJECT_BINARY_DIR}/gmxConfigVersion.cmake COMPATIBILITY SameMajorVersion)
  install(FILES ${PROJECT_BINARY_DIR}/gmxConfig.cmake ${PROJECT_BINARY_DIR}/gmxConfigVersion.cmake
          DESTINATION ${package_folder})
  configure_file(runtime/api/gmx.pc.in ${PROJECT_BINARY_DIR}/gmx.pc @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/gmx.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

  if(TARGET libgmx-llvm)
    install(TARGETS libgmx-llvm LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
  endif()
  if(rt_sources)
    install(TARGETS gmx_rt ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
  endif()
  foreach(tool gmx gmxc)
    if(TARGET ${tool})
      install(TARGETS ${tool} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
    endif()
  endforeach()
endif()
