# FFmpeg 5.1 or newer. Only the ML library links it: video is optional, and Debian's build is GPL.
find_package(PkgConfig REQUIRED)
pkg_check_modules(FFMPEG REQUIRED IMPORTED_TARGET
  libavcodec>=59 libavdevice>=59 libavformat>=59 libavutil libswscale)
add_library(voxloom_ffmpeg INTERFACE)
target_link_libraries(voxloom_ffmpeg INTERFACE PkgConfig::FFMPEG)
