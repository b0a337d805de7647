# OpenCV 4.6 or newer: core, imgproc and photo. Only the ML library links it, after libtorch:
# Debian's build pulls in libblas and liblapack, whose matrix products are many times slower.
# The development packages of the single modules bring neither a CMake nor a pkg-config file.
find_path(OPENCV_INCLUDE_DIR opencv2/core.hpp PATH_SUFFIXES opencv4)
mark_as_advanced(OPENCV_INCLUDE_DIR)
add_library(voxloom_opencv INTERFACE)
foreach(module core imgproc photo)
  find_library(OPENCV_${module}_LIBRARY opencv_${module})
  mark_as_advanced(OPENCV_${module}_LIBRARY)
  if(NOT OPENCV_INCLUDE_DIR OR NOT OPENCV_${module}_LIBRARY)
    message(FATAL_ERROR "OpenCV's ${module} was not found: install libopencv-core-dev, "
      "libopencv-imgproc-dev and libopencv-photo-dev, or configure with -DVOXLOOM_OPENCV=OFF")
  endif()
  target_link_libraries(voxloom_opencv INTERFACE ${OPENCV_${module}_LIBRARY})
endforeach()
target_include_directories(voxloom_opencv SYSTEM INTERFACE ${OPENCV_INCLUDE_DIR})
