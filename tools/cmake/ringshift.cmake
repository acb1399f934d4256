# Helpers for the folders' CMakeLists: a library and a test program each, from the sources that are there.

# The headers of every file, compiled once: a third of the build's time. Those of tests have googletest besides.
set(common_headers_source ${CMAKE_BINARY_DIR}/common_headers.cpp)
file(CONFIGURE OUTPUT ${common_headers_source} CONTENT "")
foreach(kind common test)
  add_library(ringshift-${kind}-headers OBJECT ${common_headers_source})
  target_link_libraries(ringshift-${kind}-headers PRIVATE fmt::fmt Threads::Threads tl::expected)
  target_precompile_headers(ringshift-${kind}-headers PRIVATE ${CMAKE_SOURCE_DIR}/base/common_headers.h)
endforeach()
target_link_libraries(ringshift-test-headers PRIVATE GTest::gtest)
target_precompile_headers(ringshift-test-headers PRIVATE <gtest/gtest.h>)

option(RINGSHIFT_TOGETHER "compile several sources as one: half the time of a whole build" OFF)

function(compile_together target)
  set_target_properties(${target} PROPERTIES UNITY_BUILD ${RINGSHIFT_TOGETHER} UNITY_BUILD_BATCH_SIZE 6)
endfunction()

# ringshift_library(NAME [LINK lib...] [APART file...]): all .cpp and .S files of this folder and below, but
# *_test.cpp. APART: what uses a name of its own for something that another file has too.
function(ringshift_library name)
  cmake_parse_arguments(ARG "" "" "LINK;APART" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp ${CMAKE_CURRENT_SOURCE_DIR}/*.S)
  list(FILTER sources EXCLUDE REGEX "_test\\.cpp$")
  list(FILTER sources EXCLUDE REGEX "/main\\.cpp$")
  if(NOT sources)
    add_library(ringshift-${name} INTERFACE)
    target_link_libraries(ringshift-${name} INTERFACE ${ARG_LINK})
    return()
  endif()
  add_library(ringshift-${name} STATIC ${sources})
  target_include_directories(ringshift-${name} PUBLIC ${CMAKE_SOURCE_DIR})
  target_link_libraries(ringshift-${name} PUBLIC ${ARG_LINK} fmt::fmt Threads::Threads tl::expected)
  target_precompile_headers(ringshift-${name} REUSE_FROM ringshift-common-headers)
  compile_together(ringshift-${name})
  set_source_files_properties(${ARG_APART} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
endfunction()

# ringshift_unit_tests(NAME [LINK lib...]): all *_test.cpp of this folder and below, as one test program.
function(ringshift_unit_tests name)
  cmake_parse_arguments(ARG "" "" "LINK" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*_test.cpp)
  if(NOT sources)
    return()
  endif()
  add_executable(${name}-tests ${sources})
  target_link_libraries(${name}-tests PRIVATE ringshift-${name} ${ARG_LINK} GTest::gtest_main)
  target_precompile_headers(${name}-tests REUSE_FROM ringshift-test-headers)
  compile_together(${name}-tests)
  add_test(NAME ${name} COMMAND ${name}-tests)
  set_tests_properties(${name} PROPERTIES TIMEOUT 600)
endfunction()

# ringshift_light_source(NAME FILE): a file of the library whose functions run with the guest's vector registers live
# (translator/light_transitions.h). Optimized in every build, so that nothing is called; a test looks at its object.
function(ringshift_light_source name file)
  # clang's -mgeneral-regs-only can't compile libstdc++'s headers, which have long double in them.
  set(no_vectors "$<IF:$<CXX_COMPILER_ID:GNU>,-mgeneral-regs-only,-mno-sse;-mno-mmx>")
  set_source_files_properties(${file} PROPERTIES COMPILE_OPTIONS "-O2;${no_vectors};-fno-sanitize=all"
                                                 SKIP_PRECOMPILE_HEADERS ON)
  get_filename_component(stem ${file} NAME_WE)
  add_test(NAME light-object-${stem} COMMAND ${CMAKE_SOURCE_DIR}/tools/check-light-object ${file}
           $<TARGET_OBJECTS:ringshift-${name}> COMMAND_EXPAND_LISTS)
endfunction()
