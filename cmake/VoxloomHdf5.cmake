# The HDF5 C library, 1.10 or newer.
find_package(HDF5 1.10 COMPONENTS C)
if(NOT HDF5_FOUND)
  message(FATAL_ERROR "HDF5 was not found: install libhdf5-dev, or configure with -DVOXLOOM_HDF5=OFF")
endif()
add_library(voxloom_hdf5 INTERFACE)
target_include_directories(voxloom_hdf5 SYSTEM INTERFACE ${HDF5_C_INCLUDE_DIRS})
# By the file behind the development link: that lies in a folder of its own, which would become a
# RUNPATH, while the library itself is where the system looks. What it needs it names itself.
list(FILTER HDF5_C_LIBRARIES INCLUDE REGEX "hdf5")
foreach(library IN LISTS HDF5_C_LIBRARIES)
  get_filename_component(library "${library}" REALPATH)
  target_link_libraries(voxloom_hdf5 INTERFACE "${library}")
endforeach()
