# Helpers for the folders' CMakeLists: a library and a test program each, from the sources that are there.

# ringshift_library(NAME [LINK lib...]): all .cpp and .S files of this folder and below, but *_test.cpp.
function(ringshift_library name)
  cmake_parse_arguments(ARG "" "" "LINK" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp ${CMAKE_CURRENT_SOURCE_DIR}/*.S)
  list(FILTER sources EXCLUDE REGEX "_test\\.cpp$")
  list(FILTER sources EXCLUDE REGEX "/main\\.cpp$")
  add_library(ringshift-${name} STATIC ${sources})
  target_include_directories(ringshift-${name} PUBLIC ${CMAKE_SOURCE_DIR})
  target_link_libraries(ringshift-${name} PUBLIC ${ARG_LINK} fmt::fmt spdlog::spdlog tl::expected)
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
  add_test(NAME ${name} COMMAND ${name}-tests)
  set_tests_properties(${name} PROPERTIES TIMEOUT 600)
endfunction()
