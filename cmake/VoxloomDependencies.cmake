# Finds what the build needs. Folders under .deps/ (filled by ./dev setup) come first.
find_package(Threads REQUIRED)
find_package(PkgConfig QUIET)
find_package(ZLIB REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(CLI11 REQUIRED)
find_package(PNG REQUIRED)
find_package(JPEG REQUIRED)
find_package(TIFF REQUIRED)
if(VOXLOOM_DEVELOPER)
  find_package(GTest REQUIRED)
  find_package(benchmark REQUIRED)
  include(GoogleTest)
endif()

set(deps_dir ${PROJECT_SOURCE_DIR}/.deps)

# oneTBB: the one beside OpenVINO where that is used (two copies in one process would be two
# thread pools), else the system's.
if(VOXLOOM_OPENVINO AND VOXLOOM_ML)
  find_package(TBB REQUIRED HINTS ${deps_dir}/openvino/cmake)
  find_package(OpenVINO REQUIRED COMPONENTS Runtime ONNX HINTS ${deps_dir}/openvino/cmake)
else()
  find_package(TBB REQUIRED HINTS ${deps_dir}/openvino/cmake)
endif()

add_library(voxloom_warnings INTERFACE)
target_compile_options(voxloom_warnings INTERFACE
  -Wall -Wextra -Wconversion -Wno-sign-conversion -Wshadow -Werror)
if(CMAKE_BUILD_TYPE STREQUAL "Debug")
  target_compile_definitions(voxloom_warnings INTERFACE _GLIBCXX_ASSERTIONS)
endif()

if(VOXLOOM_ML)
  # The wheel's MKL script adds link folders at the file-system root unless told otherwise.
  set(torch_hint ${VOXLOOM_TORCH})
  if(NOT torch_hint)
    set(torch_hint ${deps_dir}/torch)
  endif()
  find_package(Torch REQUIRED HINTS ${torch_hint}/share/cmake/Torch)
  get_filename_component(torch_lib_dir ${TORCH_LIBRARY} DIRECTORY)

  # libtorch as one target: after our own include folders (its folder carries another fmt and
  # protobuf), as a system folder (its headers are noisy), and without the RUNPATH pollution of
  # its MKL script.
  add_library(voxloom_torch INTERFACE)
  foreach(dir IN LISTS TORCH_INCLUDE_DIRS)
    target_compile_options(voxloom_torch INTERFACE "SHELL:-idirafter ${dir}")
  endforeach()
  target_link_libraries(voxloom_torch INTERFACE
    -Wl,--no-as-needed ${torch_lib_dir}/libtorch.so ${torch_lib_dir}/libtorch_cpu.so
    ${torch_lib_dir}/libc10.so -Wl,--as-needed)

  file(WRITE ${PROJECT_BINARY_DIR}/torch_pch.cpp "// Carries the precompiled torch header.\n")
  add_library(voxloom_torch_pch OBJECT ${PROJECT_BINARY_DIR}/torch_pch.cpp)
  target_link_libraries(voxloom_torch_pch PRIVATE voxloom_torch)
  target_precompile_headers(voxloom_torch_pch PRIVATE <torch/torch.h>)
  set_target_properties(voxloom_torch_pch PROPERTIES POSITION_INDEPENDENT_CODE ON)
  if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
    target_compile_options(voxloom_torch INTERFACE
      $<$<COMPILE_LANGUAGE:CXX>:-fpch-instantiate-templates>)
    target_compile_options(voxloom_torch_pch PRIVATE "SHELL:-Xclang -fno-pch-timestamp")
  endif()
endif()

if(VOXLOOM_DICOM)
  include(VoxloomDicom)
endif()
if(VOXLOOM_HDF5)
  include(VoxloomHdf5)
endif()
if(VOXLOOM_SERVER)
  include(VoxloomServer)
endif()
if(VOXLOOM_ML AND VOXLOOM_VIDEO)
  include(VoxloomVideo)
endif()
if(VOXLOOM_ML AND VOXLOOM_OPENCV)
  include(VoxloomOpencv)
endif()
