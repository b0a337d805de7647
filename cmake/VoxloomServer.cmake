# What the server and the job queue need. Boost: headers of 1.81 or newer, under .deps/boost where
# an older Boost is installed that apt may not remove (./dev setup unpacks them there).
find_package(OpenSSL REQUIRED)
find_package(SQLite3 REQUIRED)
find_package(PostgreSQL REQUIRED)
find_package(CURL REQUIRED)
find_path(VOXLOOM_BOOST_INCLUDE boost/beast.hpp HINTS ${deps_dir}/boost/usr/include
          NO_CMAKE_FIND_ROOT_PATH REQUIRED)
find_path(VOXLOOM_SODIUM_INCLUDE sodium.h REQUIRED)
find_library(VOXLOOM_SODIUM_LIBRARY sodium REQUIRED)

add_library(voxloom_boost INTERFACE)
target_include_directories(voxloom_boost SYSTEM INTERFACE ${VOXLOOM_BOOST_INCLUDE})
target_link_libraries(voxloom_boost INTERFACE Threads::Threads)
add_library(voxloom_sodium INTERFACE)
target_include_directories(voxloom_sodium SYSTEM INTERFACE ${VOXLOOM_SODIUM_INCLUDE})
target_link_libraries(voxloom_sodium INTERFACE ${VOXLOOM_SODIUM_LIBRARY})
