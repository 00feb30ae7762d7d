# The tests, found by folder:
#
#   tests/unit/*.c        Criterion, one program against the internal libraries
#   tests/unit_llvm/*.c   Criterion, one program that has codegen/llvm and LLVM as well
#   tests/plain/*.c       a program with its own main each, against the internal libraries
#   tests/embed/*.c       a program with its own main each, against libgmx.so and gmx.h only
#   tests/lang/**.gmx     run by tests/run_programs.c, which says how they state what is expected
find_package(PkgConfig REQUIRED)
pkg_check_modules(CRITERION REQUIRED IMPORTED_TARGET criterion)

set(root ${PROJECT_SOURCE_DIR})
set(test_environment "ASAN_OPTIONS=detect_leaks=1" "UBSAN_OPTIONS=print_stacktrace=1" "LC_ALL=C.UTF-8"
    "GMX_BUILD_DIR=${PROJECT_BINARY_DIR}" "GMX_SOURCE_DIR=${root}")

# Registers a test that runs with the source root as its working directory.
function(gmx_test name)
  add_test(NAME ${name} COMMAND ${ARGN} WORKING_DIRECTORY ${root})
  set_tests_properties(${name} PROPERTIES ENVIRONMENT "${test_environment}" TIMEOUT 250)
endfunction()

file(GLOB unit_sources CONFIGURE_DEPENDS ${root}/tests/unit/*.c)
if(unit_sources)
  add_executable(unit_tests ${unit_sources})
  target_link_libraries(unit_tests PRIVATE ${internal_libraries} PkgConfig::CRITERION)
  gmx_test(unit unit_tests -j2)
endif()

file(GLOB unit_llvm_sources CONFIGURE_DEPENDS ${root}/tests/unit_llvm/*.c)
if(unit_llvm_sources AND TARGET gmx_llvm)
  add_executable(unit_llvm_tests ${unit_llvm_sources} $<TARGET_OBJECTS:gmx_llvm>)
  target_link_libraries(unit_llvm_tests PRIVATE ${internal_libraries} PkgConfig::CRITERION
                        ${llvm_libdir}/libLLVM-19.so)
  target_include_directories(unit_llvm_tests SYSTEM PRIVATE ${llvm_include})
  gmx_test(unit_llvm unit_llvm_tests -j2)
endif()

file(GLOB plain_sources CONFIGURE_DEPENDS ${root}/tests/plain/*.c)
foreach(source ${plain_sources})
  get_filename_component(name ${source} NAME_WE)
  add_executable(plain_${name} ${source})
  target_link_libraries(plain_${name} PRIVATE ${internal_libraries})
  gmx_test(plain_${name} plain_${name})
endforeach()
