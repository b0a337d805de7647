# voxloom_layer(<name> [ML] [TORCH] SOURCES ... HEADERS ... DEPS ... [LIBS ...])
# One object library per layer. DEPS is the whole list of layers that <name> may include;
# tools/check_layers.py reads the same list. ML layers go into libvoxloom_ml.so, the others into
# libvoxloom.so. TORCH layers use the precompiled torch header.
function(voxloom_layer name)
  cmake_parse_arguments(A "ML;TORCH" "" "SOURCES;HEADERS;DEPS;LIBS" ${ARGN})
  if(A_ML AND NOT VOXLOOM_ML)
    return()
  endif()
  add_library(voxloom_${name} OBJECT ${A_SOURCES} ${PROJECT_SOURCE_DIR}/cmake/layer_anchor.cpp)
  add_library(voxloom::${name} ALIAS voxloom_${name})
  target_include_directories(voxloom_${name} PUBLIC ${PROJECT_SOURCE_DIR}/src)
  set_target_properties(voxloom_${name} PROPERTIES POSITION_INDEPENDENT_CODE ON)
  target_link_libraries(voxloom_${name} PUBLIC ${A_LIBS} PRIVATE voxloom_warnings)
  foreach(dep IN LISTS A_DEPS)
    target_include_directories(voxloom_${name} PUBLIC
      $<TARGET_PROPERTY:voxloom_${dep},INTERFACE_INCLUDE_DIRECTORIES>)
  endforeach()
  if(NOT name STREQUAL "core")
    # Headers of core (json_fwd) and their include folders.
    target_link_libraries(voxloom_${name} PUBLIC nlohmann_json::nlohmann_json)
  endif()
  if(A_TORCH)
    target_link_libraries(voxloom_${name} PUBLIC voxloom_torch)
    target_precompile_headers(voxloom_${name} REUSE_FROM voxloom_torch_pch)
    set_source_files_properties(${PROJECT_SOURCE_DIR}/cmake/layer_anchor.cpp
      PROPERTIES SKIP_PRECOMPILE_HEADERS ON)
  endif()
  if(A_ML)
    set_property(GLOBAL APPEND PROPERTY VOXLOOM_ML_LAYERS voxloom_${name})
  else()
    set_property(GLOBAL APPEND PROPERTY VOXLOOM_LIGHT_LAYERS voxloom_${name})
  endif()
  foreach(header IN LISTS A_HEADERS)
    set_property(GLOBAL APPEND PROPERTY VOXLOOM_HEADERS voxloom/${name}/${header})
  endforeach()
endfunction()

# voxloom_test(<name> SOURCES ... [TORCH] [LABELS ...] [LIBS ...])
# One GoogleTest program, discovered case by case. Light tests link libvoxloom only.
function(voxloom_test name)
  cmake_parse_arguments(A "TORCH" "" "SOURCES;LABELS;LIBS" ${ARGN})
  if(A_TORCH AND NOT VOXLOOM_ML)
    return()
  endif()
  add_executable(${name} ${A_SOURCES})
  target_link_libraries(${name} PRIVATE voxloom voxloom_warnings GTest::gmock GTest::gtest_main
                                        ${A_LIBS})
  target_compile_definitions(${name} PRIVATE
    VOXLOOM_SOURCE_DIR="${PROJECT_SOURCE_DIR}"
    VOXLOOM_DEFAULT_GOLDEN_DIR="${PROJECT_SOURCE_DIR}/tests/golden")
  if(A_TORCH)
    target_link_libraries(${name} PRIVATE voxloom_ml voxloom_torch)
    target_precompile_headers(${name} REUSE_FROM voxloom_torch_pch)
    # The precompiled header was made with -fPIC; a program's default (-fPIE) does not fit it.
    target_compile_options(${name} PRIVATE -fPIC)
  endif()
  if(NOT A_LABELS)
    set(A_LABELS unit)
  endif()
  # As the program does before it loads libtorch: on a busy machine threads that spin while they
  # wait make everything many times slower.
  gtest_discover_tests(${name} DISCOVERY_TIMEOUT 120 PROPERTIES LABELS "${A_LABELS}" TIMEOUT 600
    ENVIRONMENT OMP_WAIT_POLICY=PASSIVE)
endfunction()

# voxloom_fuzz(<name>): fuzz/<name>.cpp with the seeds in fuzz/corpus/<name>/.
# With VOXLOOM_FUZZ a libFuzzer program; `./dev fuzz` runs all of them.
function(voxloom_fuzz name)
  if(NOT VOXLOOM_FUZZ)
    return()
  endif()
  add_executable(fuzz_${name} ${name}.cpp)
  target_link_libraries(fuzz_${name} PRIVATE voxloom voxloom_warnings)
  target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
  set_property(GLOBAL APPEND PROPERTY VOXLOOM_FUZZERS fuzz_${name})
endfunction()
