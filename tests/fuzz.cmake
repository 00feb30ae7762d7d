# libFuzzer entries: each tests/fuzz/NAME.c becomes fuzz_NAME, linked with the internal libraries.
file(GLOB fuzz_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/fuzz/*.c)
foreach(source ${fuzz_sources})
  get_filename_component(name ${source} NAME_WE)
  add_executable(fuzz_${name} ${source})
  target_link_libraries(fuzz_${name} PRIVATE ${internal_libraries})
  target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
endforeach()
