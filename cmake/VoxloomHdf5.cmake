# The HDF5 C library, 1.10 or newer.
find_package(HDF5 1.10 COMPONENTS C)
if(NOT HDF5_FOUND)
  message(FATAL_ERROR "HDF5 was not found: install libhdf5-dev, or configure with -DVOXLOOM_HDF5=OFF")
endif()
add_library(voxloom_hdf5 INTERFACE)
target_include_directories(voxloom_hdf5 SYSTEM INTERFACE ${HDF5_C_INCLUDE_DIRS})
target_link_libraries(voxloom_hdf5 INTERFACE ${HDF5_C_LIBRARIES})
