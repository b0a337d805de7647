# An installed Voxloom works where it is moved to, and programs of others can be built on it.
source "$(dirname "$0")/common.sh"
cmake --install "$BINARY" --prefix "$work/first" >"$work/install.log"
mv "$work/first" "$work/moved"
prefix=$work/moved
for file in bin/voxloom lib/libvoxloom.so include/voxloom/infer/segmenter.h \
  lib/cmake/voxloom/voxloomConfig.cmake share/voxloom/examples/vs_mr_dicom/LICENSE-CC-BY-4.0.txt \
  share/doc/voxloom/LICENSE share/doc/voxloom/THIRD_PARTY.md; do
  [ -s "$prefix/$file" ] || { echo "$file was not installed"; exit 1; }
done
# Nothing points back to the build folder.
if readelf -d "$prefix"/bin/voxloom "$prefix"/lib/libvoxloom*.so | grep -E 'R(UN)?PATH' | grep -F "$BINARY"; then
  exit 1
fi

cd "$work/run"
image=$SOURCE/tests/house/image.nrrd
if [ "$HAS_DICOM" = ON ]; then
  ends 0 "look at .*\.png" "$prefix/bin/voxloom" demo --model geodesic
  [ -s "$(sed -n 's/^look at //p' "$work/said")" ]
fi
if [ "$HAS_ML" = ON ]; then
  # Opens the installed ML library with libtorch where the build found it.
  cp "$BINARY/bin/house_probe" "$prefix/bin/"
  ends 0 '^[0-9]+\.[0-9]+\.[0-9]+\+[0-9a-f]+$' "$prefix/bin/house_probe" open
  LD_DEBUG=files "$prefix/bin/house_probe" open >"$work/opened" 2>&1
  grep -q "$prefix/bin/../lib/libvoxloom_ml.so" "$work/opened"
fi

cmake -G Ninja -S "$SOURCE/tests/house/consumer" -B "$work/consumer" -DCMAKE_PREFIX_PATH="$prefix" \
  -Dnlohmann_json_DIR="$JSON" -DCMAKE_CXX_COMPILER="$CXX" >"$work/consumer.log" 2>&1 || { cat "$work/consumer.log"; exit 1; }
cmake --build "$work/consumer" >"$work/consumer.log" 2>&1 || { cat "$work/consumer.log"; exit 1; }
# The bright cube of tests/house/image.nrrd is 4 x 4 x 4 voxels; its corners may be smoothed away.
ends 0 "^(5[6-9]|6[0-4]) voxels$" "$work/consumer/consumer" "$image" 8 8 4
ends 1 "no-such.nrrd" "$work/consumer/consumer" no-such.nrrd 8 8 4
