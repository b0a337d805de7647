# Two libraries that may disagree on the types between them are never used together.
source "$(dirname "$0")/common.sh"
cp "$BINARY/bin/house_probe" "$work/bin/"
probe=$work/bin/house_probe

ends 1 "^unavailable: networks need libvoxloom_ml.so, which cannot be opened: .*No such file" "$probe" open

cp "$FAKES/fake_ml_other_build/libvoxloom_ml.so" "$work/lib/"
ends 1 "^unavailable: .*libvoxloom_ml.so.* is of another build \(0.0.1\+of-another-build\) than the program" "$probe" open

cp "$FAKES/fake_ml_without_entry/libvoxloom_ml.so" "$work/lib/"
ends 1 "^unavailable: .*libvoxloom_ml.so.* has no entry voxloom_ml_api" "$probe" open

echo "not a library" >"$work/lib/libvoxloom_ml.so"
ends 1 "^unavailable: networks need libvoxloom_ml.so, which cannot be opened: .*(invalid ELF header|too short)" "$probe" open
