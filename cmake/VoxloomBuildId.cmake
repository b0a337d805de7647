# build/<preset>/generated/voxloom/build_id.h, remade when a header of the border changes.
get_property(all_headers GLOBAL PROPERTY VOXLOOM_HEADERS)
set(border_headers)
foreach(header IN LISTS all_headers)
  if(header MATCHES "^voxloom/(core|image|io|weights|infer)/")
    list(APPEND border_headers ${PROJECT_SOURCE_DIR}/src/${header})
  endif()
endforeach()
list(SORT border_headers)
string(REPLACE ";" "\n" header_lines "${border_headers}")
file(WRITE ${PROJECT_BINARY_DIR}/border_headers.txt "${header_lines}\n")
set(build_id_header ${PROJECT_BINARY_DIR}/generated/voxloom/build_id.h)
add_custom_command(
  OUTPUT ${build_id_header}
  COMMAND ${CMAKE_COMMAND} -DLIST=${PROJECT_BINARY_DIR}/border_headers.txt
          -DVERSION=${PROJECT_VERSION} -DOUT=${build_id_header}
          -P ${PROJECT_SOURCE_DIR}/cmake/build_id.cmake
  DEPENDS ${border_headers} ${PROJECT_SOURCE_DIR}/cmake/build_id.cmake
  VERBATIM)
add_custom_target(voxloom_build_id DEPENDS ${build_id_header})
foreach(layer infer recipes)
  if(TARGET voxloom_${layer})
    add_dependencies(voxloom_${layer} voxloom_build_id)
    target_include_directories(voxloom_${layer} PRIVATE ${PROJECT_BINARY_DIR}/generated)
  endif()
endforeach()
