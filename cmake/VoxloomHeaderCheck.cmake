# header_check: each header of the light layers, compiled alone with what a user of
# voxloom::voxloom sees. `./dev lint` builds it; `all` does not.
get_property(all_headers GLOBAL PROPERTY VOXLOOM_HEADERS)
set(check_sources)
foreach(header IN LISTS all_headers)
  if(header MATCHES "^voxloom/(core|image|io|metrics|weights|infer|capi|jobs|serve)/")
    string(REGEX REPLACE "[/.]" "_" name ${header})
    set(source ${PROJECT_BINARY_DIR}/header_check/${name}.cpp)
    file(CONFIGURE OUTPUT ${source} CONTENT "#include \"${header}\"\n")
    list(APPEND check_sources ${source})
  endif()
endforeach()
add_library(header_check OBJECT EXCLUDE_FROM_ALL ${check_sources})
target_include_directories(header_check PRIVATE
  $<TARGET_PROPERTY:voxloom,INTERFACE_INCLUDE_DIRECTORIES>)
target_link_libraries(header_check PRIVATE nlohmann_json::nlohmann_json voxloom_warnings)
