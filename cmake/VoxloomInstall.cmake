# cmake --install: program, both libraries, headers of the light layers, a CMake package
# (find_package(voxloom), voxloom::voxloom), examples and licences.
include(CMakePackageConfigHelpers)

# Where a file looks for libtorch, OpenVINO, oneTBB and the like: beside itself (lib/torch and
# lib/openvino, for packages that carry them), then where this build found them. The build tree has
# the same layout and gets the same list: a list that CMake rewrites at install time ends with an
# empty entry before that, which the loader takes for the working folder.
function(voxloom_search_folders target)
  set(folders)
  foreach(found IN LISTS ARGN)
    if(found IN_LIST CMAKE_CXX_IMPLICIT_LINK_DIRECTORIES)
      continue()
    endif()
    list(APPEND folders ${found})
  endforeach()
  list(REMOVE_DUPLICATES folders)
  set_target_properties(${target} PROPERTIES INSTALL_RPATH "${folders}"
                                             INSTALL_RPATH_USE_LINK_PATH ON
                                             BUILD_WITH_INSTALL_RPATH ON)
endfunction()

set(found_dirs)
foreach(target TBB::tbb openvino::runtime)
  if(TARGET ${target})
    get_target_property(file ${target} IMPORTED_LOCATION_RELEASE)
    if(NOT file)
      get_target_property(file ${target} IMPORTED_LOCATION)
    endif()
    if(file)
      get_filename_component(dir ${file} DIRECTORY)
      list(APPEND found_dirs ${dir})
    endif()
  endif()
endforeach()

voxloom_search_folders(voxloom "$ORIGIN" "$ORIGIN/openvino" ${found_dirs})
target_include_directories(voxloom PUBLIC $<INSTALL_INTERFACE:include>)
# GNU ld would look for what libvoxloom.so needs in turn, in the system's folders only.
target_link_options(voxloom INTERFACE $<INSTALL_INTERFACE:LINKER:--allow-shlib-undefined>)
install(TARGETS voxloom EXPORT voxloomTargets LIBRARY DESTINATION lib)
if(VOXLOOM_ML)
  # Opened by name at run time, never linked by a program: not part of the CMake package.
  voxloom_search_folders(voxloom_ml "$ORIGIN" "$ORIGIN/torch" "$ORIGIN/openvino" ${found_dirs}
                                    ${torch_lib_dir})
  install(TARGETS voxloom_ml LIBRARY DESTINATION lib)
endif()
voxloom_search_folders(voxloom_app "$ORIGIN/../lib" ${found_dirs})
install(TARGETS voxloom_app RUNTIME DESTINATION bin)

get_property(all_headers GLOBAL PROPERTY VOXLOOM_HEADERS)
foreach(header IN LISTS all_headers)
  if(header MATCHES "^voxloom/(core|image|io|metrics|weights|infer)/")
    get_filename_component(folder ${header} DIRECTORY)
    install(FILES ${PROJECT_SOURCE_DIR}/src/${header} DESTINATION include/${folder})
  endif()
endforeach()
# The C interface: its header includes nothing of ours.
install(FILES ${PROJECT_SOURCE_DIR}/src/voxloom/capi/voxloom_tracker.h DESTINATION include/voxloom)

configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/voxloomConfig.cmake.in
  ${PROJECT_BINARY_DIR}/voxloomConfig.cmake INSTALL_DESTINATION lib/cmake/voxloom
  NO_SET_AND_CHECK_MACRO NO_CHECK_REQUIRED_COMPONENTS_MACRO)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/voxloomConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/voxloomConfig.cmake
              ${PROJECT_BINARY_DIR}/voxloomConfigVersion.cmake
        DESTINATION lib/cmake/voxloom)
install(EXPORT voxloomTargets NAMESPACE voxloom:: DESTINATION lib/cmake/voxloom)

install(DIRECTORY ${PROJECT_SOURCE_DIR}/examples DESTINATION share/voxloom)
# Found there by name: weights/package.h.
if(IS_DIRECTORY ${PROJECT_SOURCE_DIR}/models)
  install(DIRECTORY ${PROJECT_SOURCE_DIR}/models DESTINATION share/voxloom)
endif()
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE ${PROJECT_SOURCE_DIR}/THIRD_PARTY.md
        DESTINATION share/doc/voxloom)
