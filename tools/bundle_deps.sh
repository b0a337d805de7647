#!/usr/bin/env bash
# Gathers what a build with all optional parts off needs beside libtorch and a compiler into one
# folder (default .deps/bundle), from the packages installed here: for machines that have no package
# manager. There: cmake --preset minimal -DCMAKE_PREFIX_PATH=<folder> -DVOXLOOM_TORCH=<libtorch>.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
out=${1:-.deps/bundle}
arch=$(gcc -print-multiarch 2>/dev/null || echo x86_64-linux-gnu)
fail() { echo "bundle_deps: $*" >&2; exit 1; }

rm -rf "$out"
mkdir -p "$out/include" "$out/lib/cmake"
out=$(cd "$out" && pwd)

# headers NAME...: files or folders of the include path.
headers() {
  local name from
  for name in "$@"; do
    for from in "${tbb_include:-/nowhere}" /usr/include "/usr/include/$arch"; do
      [ -e "$from/$name" ] || continue
      cp -rL "$from/$name" "$out/include/"
      continue 2
    done
    fail "the header '$name' was not found; run ./dev setup first"
  done
}

# shared NAME: a library for the linker, under the name that programs look for at run time.
shared() {
  local file soname
  for file in "${tbb_libs:-/nowhere}/lib$1.so"* "/usr/lib/$arch/lib$1.so"; do
    [ -e "$file" ] || continue
    soname=$(readelf -d "$file" | sed -n 's/.*SONAME.*\[\(.*\)\]/\1/p')
    cp -L "$file" "$out/lib/$soname"
    ln -sf "$soname" "$out/lib/lib$1.so"
    return
  done
  fail "the library '$1' was not found; run ./dev setup first"
}

# package NAME TARGET LIBRARY [INTERFACE PROPERTY...]: a CMake package with one target; LIBRARY "-":
# headers only.
package() {
  local name=$1 target=$2 library=$3 kind=SHARED location=
  shift 3
  case $library in
    -) kind=INTERFACE ;;
    *.a) kind=STATIC ;;
  esac
  [ "$library" = - ] || location="IMPORTED_LOCATION \${prefix}/lib/$library"
  mkdir -p "$out/lib/cmake/$name"
  cat >>"$out/lib/cmake/$name/${name}Config.cmake" <<EOF
get_filename_component(prefix \${CMAKE_CURRENT_LIST_DIR}/../../.. ABSOLUTE)
if(NOT TARGET $target)
  add_library($target $kind IMPORTED)
  set_target_properties($target PROPERTIES $location
    INTERFACE_INCLUDE_DIRECTORIES \${prefix}/include $*)
endif()
EOF
}

# oneTBB: the system's, else the one of OpenVINO's wheel.
if [ ! -e /usr/include/oneapi/tbb.h ]; then
  tbb_include=.deps/openvino/include
  tbb_libs=.deps/openvino/libs
fi
headers tbb oneapi
shared tbb
# Linked libraries look here for what they need in turn (libtiff's codecs) only where the library
# that loads them has the old kind of run-time path; every link names oneTBB.
package TBB TBB::tbb libtbb.so INTERFACE_LINK_OPTIONS -Wl,--disable-new-dtags

headers fmt spdlog nlohmann yaml-cpp CLI
shared fmt
shared spdlog
shared yaml-cpp
package fmt fmt::fmt libfmt.so INTERFACE_COMPILE_DEFINITIONS FMT_SHARED
package spdlog spdlog::spdlog libspdlog.so INTERFACE_LINK_LIBRARIES fmt::fmt \
  INTERFACE_COMPILE_DEFINITIONS '"SPDLOG_SHARED_LIB;SPDLOG_COMPILED_LIB;SPDLOG_FMT_EXTERNAL"'
package nlohmann_json nlohmann_json::nlohmann_json -
package yaml-cpp yaml-cpp libyaml-cpp.so
package CLI11 CLI11::CLI11 -

# CMake's own find modules look for these.
headers zlib.h zconf.h png.h pngconf.h pnglibconf.h jpeglib.h jmorecfg.h jerror.h jconfig.h \
  tiff.h tiffconf.h tiffio.h tiffvers.h
shared z
shared png
shared jpeg
shared tiff

# Tests and benchmarks.
headers gtest gmock benchmark
cp "/usr/lib/$arch"/lib{gtest,gtest_main,gmock}.a "$out/lib/" || fail "libgtest-dev is missing"
shared benchmark
cp "/usr/lib/$arch/libbenchmark_main.a" "$out/lib/" || fail "libbenchmark-dev is missing"
package GTest GTest::gtest libgtest.a
package GTest GTest::gtest_main libgtest_main.a INTERFACE_LINK_LIBRARIES GTest::gtest
package GTest GTest::gmock libgmock.a INTERFACE_LINK_LIBRARIES GTest::gtest
package benchmark benchmark::benchmark libbenchmark.so
package benchmark benchmark::benchmark_main libbenchmark_main.a \
  INTERFACE_LINK_LIBRARIES benchmark::benchmark

# What these libraries need in turn, short of the C and C++ run time.
ldd "$out"/lib/*.so | awk '$2 == "=>" && $3 ~ /^\// {print $3}' | sort -u |
  grep -vE '/(libc|libm|libdl|librt|libpthread|libstdc\+\+|libgcc_s|ld-linux[^/]*)\.so' |
  while read -r file; do
    [ -e "$out/lib/$(basename "$file")" ] || cp -L "$file" "$out/lib/"
  done
echo "$out: $(du -sh "$out" | cut -f1)"
