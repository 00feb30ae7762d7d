# The tests, found by folder:
#
#   tests/unit/*.c        Criterion, one program against the internal libraries
#   tests/unit_llvm/*.c   Criterion, one program that has codegen/llvm and LLVM as well
#   tests/ops/*.c         Criterion, one program: the columns of ops.def, for every row by itself
#   tests/plain/*.c       a program with its own main each, against the internal libraries
#   tests/embed/*.c       a program with its own main each, against libgmx.so and gmx.h only
#   tests/cli/            the commands: run_cli.sh, the REPL on a pseudo-terminal, and one script each for the C programs
#                         that link compiled libraries and what else takes several processes
#   tests/lang/**.gmx     run by tests/run_programs.c, which says how they state what is expected
find_package(PkgConfig REQUIRED)
pkg_check_modules(CRITERION REQUIRED IMPORTED_TARGET criterion)

set(root ${PROJECT_SOURCE_DIR})
# intercept_tls_get_addr: LeakSanitizer takes the thread-local storage of a library that dlopen loaded (LLVM) for a
# block of the wrong size and faults while it scans.
set(test_environment "ASAN_OPTIONS=detect_leaks=1:intercept_tls_get_addr=0" "UBSAN_OPTIONS=print_stacktrace=1"
    "LC_ALL=C.UTF-8"
    "XDG_CACHE_HOME=${PROJECT_BINARY_DIR}/test-cache" "GMX_BUILD_DIR=${PROJECT_BINARY_DIR}" "GMX_SOURCE_DIR=${root}")

# Registers a test that runs with the source root as its working directory.
function(gmx_test name)
  add_test(NAME ${name} COMMAND ${ARGN} WORKING_DIRECTORY ${root})
  # Criterion takes its verdict before LeakSanitizer runs, so a leak is seen in the output only.
  set_tests_properties(${name} PROPERTIES ENVIRONMENT "${test_environment}" TIMEOUT 900
                       FAIL_REGULAR_EXPRESSION "ERROR: LeakSanitizer")
endfunction()

file(GLOB unit_sources CONFIGURE_DEPENDS ${root}/tests/unit/*.c)
if(unit_sources)
  # The record of times and its file are on their own in runtime/api: tested without a session.
  add_executable(unit_tests ${unit_sources} ${root}/runtime/api/record.c)
  target_link_libraries(unit_tests PRIVATE ${internal_libraries} PkgConfig::CRITERION)
  gmx_test(unit unit_tests -j2)
endif()

file(GLOB unit_llvm_sources CONFIGURE_DEPENDS ${root}/tests/unit_llvm/*.c)
if(unit_llvm_sources AND TARGET gmx_llvm)
  add_executable(unit_llvm_tests ${unit_llvm_sources} $<TARGET_OBJECTS:gmx_llvm>)
  target_link_libraries(unit_llvm_tests PRIVATE ${internal_libraries} PkgConfig::CRITERION
                        ${llvm_shared})
  target_include_directories(unit_llvm_tests SYSTEM PRIVATE ${llvm_include})
  gmx_test(unit_llvm unit_llvm_tests -j2)
endif()

# ops.def's `c` column, compiled as C11 and as C++ (the overloads of CUDA C) and run; checked as OpenCL C.
add_executable(ops_print ${root}/tests/ops_print.c)
target_link_libraries(ops_print PRIVATE gmx_ir)
find_program(CXX_COMPILER NAMES g++ g++-12 clang++-14 REQUIRED)
find_program(CLANG NAMES clang-14 clang)
set(op_text ${generated}/tests/op_text.inc)
set(op_text_cxx ${generated}/tests/c_text_cxx.o)
file(MAKE_DIRECTORY ${generated}/tests)
add_custom_command(OUTPUT ${op_text} COMMAND ops_print > ${op_text} DEPENDS ops_print VERBATIM)
add_custom_command(
  OUTPUT ${op_text_cxx}
  COMMAND ${CXX_COMPILER} -x c++ -std=c++17 -O1 -ffp-contract=off -fwrapv -Wall -Wextra -Wno-unused-function
          -Wno-bool-operation -Wno-int-in-bool-context -I${root} -I${generated} -c ${root}/tests/ops/c_text.c
          -o ${op_text_cxx}
  DEPENDS ${op_text} tests/ops/c_text.c tests/ops/c_text.h codegen/cstyle_prelude.h VERBATIM)
file(GLOB ops_sources CONFIGURE_DEPENDS ${root}/tests/ops/*.c)
if(TARGET libgmx)
  add_executable(ops_tests ${ops_sources} ${op_text} ${op_text_cxx})
  set_source_files_properties(${root}/tests/ops/c_text.c PROPERTIES COMPILE_OPTIONS
    "-ffp-contract=off;-fwrapv;-Wno-unused-function;-Wno-bool-operation;-Wno-int-in-bool-context")
  target_link_libraries(ops_tests PRIVATE libgmx gmx_ir PkgConfig::CRITERION stdc++ m)
  gmx_test(ops ops_tests -j2)
  if(CLANG)
    gmx_test(ops_opencl ${CLANG} -x cl -cl-std=CL2.0 -Xclang -finclude-default-header -Wall -Wno-unused-function
             -Wno-bool-operation -fsyntax-only -I. -I${generated} tests/ops/c_text.cl)
  endif()
endif()

file(GLOB plain_sources CONFIGURE_DEPENDS ${root}/tests/plain/*.c)
foreach(source ${plain_sources})
  get_filename_component(name ${source} NAME_WE)
  add_executable(plain_${name} ${source})
  target_link_libraries(plain_${name} PRIVATE ${internal_libraries})
  gmx_test(plain_${name} plain_${name})
endforeach()

if(TARGET libgmx)
  file(GLOB embed_sources CONFIGURE_DEPENDS ${root}/tests/embed/*.c)
  foreach(source ${embed_sources})
    get_filename_component(name ${source} NAME_WE)
    add_executable(embed_${name} ${source})
    # What a host program sees: gmx.h and nothing else of this tree.
    set_target_properties(embed_${name} PROPERTIES INCLUDE_DIRECTORIES ${root}/runtime/api)
    target_link_libraries(embed_${name} PRIVATE libgmx Threads::Threads m)
    if(TARGET libgmx-llvm)
      add_dependencies(embed_${name} libgmx-llvm)
    endif()
    gmx_test(embed_${name} embed_${name})
  endforeach()
endif()

if(EXISTS ${root}/runtime/api/gmx.h)
  gmx_test(header_c99 ${CMAKE_C_COMPILER} -std=c99 -Wall -Wextra -pedantic -Werror -fsyntax-only -x c
           runtime/api/gmx.h)
  gmx_test(header_cxx17 ${CXX_COMPILER} -std=c++17 -Wall -Wextra -pedantic -Werror -fsyntax-only -x c++
           runtime/api/gmx.h)
endif()

add_executable(run_programs ${root}/tests/run_programs.c)
gmx_test(program_runner sh tests/check_runner.sh $<TARGET_FILE:run_programs>)
if(TARGET gmx AND EXISTS ${root}/tests/lang)
  gmx_test(programs run_programs $<TARGET_FILE:gmx> tests/lang)
  set_tests_properties(programs PROPERTIES PROCESSORS 2)
  # Matrix products by each way that there is.
  foreach(way "GMX_PRODUCT=own" "GMX_PRODUCT=plain" "GMX_PRODUCT=library" "GMX_OPENBLAS=none")
    string(REGEX REPLACE ".*=" "products_" name ${way})
    gmx_test(${name} run_programs $<TARGET_FILE:gmx> tests/lang/products)
    set_tests_properties(${name} PROPERTIES PROCESSORS 2 ENVIRONMENT ${way})
  endforeach()
endif()

# Random programs against the reference evaluator; `./dev fuzz programs` runs more of them.
file(GLOB fuzz_program_sources CONFIGURE_DEPENDS ${root}/tests/reference/*.c ${root}/tests/fuzz/programs/*.c)
if(TARGET libgmx AND TARGET libgmx-llvm)
  add_executable(fuzz_programs ${fuzz_program_sources})
  target_link_libraries(fuzz_programs PRIVATE libgmx gmx_frontend gmx_ir m)
  add_dependencies(fuzz_programs libgmx-llvm)
  set(fuzz_program_count 35) # about 10 seconds
  if(GMX_SANITIZE)
    set(fuzz_program_count 15)
  endif()
  gmx_test(fuzz_programs fuzz_programs --seed 1 --count ${fuzz_program_count} --seconds 120)
endif()

# The commands as a user meets them.
if(TARGET gmx)
  set(cli_seconds 2)
  if(GMX_SANITIZE OR NOT CMAKE_BUILD_TYPE STREQUAL Release)
    set(cli_seconds 20)
  endif()
  if(TARGET gmxc)
    gmx_test(cli bash tests/cli/run_cli.sh $<TARGET_FILE:gmx> $<TARGET_FILE:gmxc> ${cli_seconds})
  else()
    gmx_test(cli bash tests/cli/run_cli.sh $<TARGET_FILE:gmx> "" ${cli_seconds})
  endif()
  add_executable(test_repl ${root}/tests/cli/test_repl.c)
  gmx_test(repl test_repl $<TARGET_FILE:gmx> ${PROJECT_BINARY_DIR})
endif()

# The samples in docs/*.md and ir/README.md are run.
file(GLOB pages RELATIVE ${root} CONFIGURE_DEPENDS ${root}/docs/*.md ${root}/ir/README.md)
if(TARGET gmx AND TARGET gmxc AND pages)
  gmx_test(docs sh tests/check_docs.sh ${PROJECT_BINARY_DIR} $<TARGET_FILE:run_programs> ${pages})
  if(GMX_SANITIZE)
    set_property(TEST docs APPEND PROPERTY ENVIRONMENT "GMX_DOCS_SANITIZED=1")
  endif()
endif()

# Compiled libraries, the object cache, determinism: one script each.
if(TARGET gmx AND TARGET gmxc)
  file(GLOB cli_tests CONFIGURE_DEPENDS ${root}/tests/cli/*.sh)
  list(FILTER cli_tests EXCLUDE REGEX "/run_cli\\.sh$")
  foreach(script ${cli_tests})
    get_filename_component(name ${script} NAME_WE)
    gmx_test(cli_${name} sh ${script})
    if(GMX_SANITIZE) # what links with a sanitized run-time archive must be sanitized as well
      set_property(TEST cli_${name} APPEND PROPERTY ENVIRONMENT "GMX_TEST_CFLAGS=-fsanitize=address,undefined")
    endif()
  endforeach()
endif()

gmx_test(includes sh tests/check_includes.sh)
gmx_test(format sh tests/check_format.sh)
gmx_test(lines sh tests/count_lines.sh)
gmx_test(coverage sh tests/check_coverage.sh)

# IR in, IR out: tests/passes/<pass>/*.gmxir, run by tests/run_passes.c.
add_executable(run_passes ${root}/tests/run_passes.c)
target_link_libraries(run_passes PRIVATE ${internal_libraries})
gmx_test(passes run_passes tests/passes)
