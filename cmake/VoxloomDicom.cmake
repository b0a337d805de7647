# DCMTK (parser, JPEG, JPEG-LS, RLE, deflate) and OpenJPEG (JPEG 2000) as one target. Libraries by
# name: DCMTK's own package file also pulls in its network and database parts. OpenJPEG itself
# rather than GDCM, which wraps the same decoder but adds 10 ms to every process start.
find_path(DCMTK_INCLUDE_DIR dcmtk/dcmdata/dctk.h REQUIRED)
file(STRINGS ${DCMTK_INCLUDE_DIR}/dcmtk/config/osconfig.h dcmtk_version
  REGEX "#define PACKAGE_VERSION \"")
if(NOT dcmtk_version MATCHES "\"([0-9.]+)\"" OR CMAKE_MATCH_1 VERSION_LESS 3.6.7)
  message(FATAL_ERROR "DCMTK 3.6.7 or newer is needed, found: ${dcmtk_version}")
endif()

add_library(voxloom_dicom INTERFACE)
target_include_directories(voxloom_dicom SYSTEM INTERFACE ${DCMTK_INCLUDE_DIR})
foreach(lib dcmjpeg dcmjpls dcmimgle dcmdata oflog ofstd)
  find_library(DCMTK_${lib}_LIBRARY ${lib} REQUIRED)
  target_link_libraries(voxloom_dicom INTERFACE ${DCMTK_${lib}_LIBRARY})
  mark_as_advanced(DCMTK_${lib}_LIBRARY)
endforeach()

find_path(OPENJPEG_INCLUDE_DIR openjpeg.h PATH_SUFFIXES openjpeg-2.5 openjpeg-2.4 REQUIRED)
find_library(OPENJPEG_LIBRARY openjp2 REQUIRED)
target_include_directories(voxloom_dicom SYSTEM INTERFACE ${OPENJPEG_INCLUDE_DIR})
target_link_libraries(voxloom_dicom INTERFACE ${OPENJPEG_LIBRARY})
mark_as_advanced(DCMTK_INCLUDE_DIR OPENJPEG_INCLUDE_DIR OPENJPEG_LIBRARY)
