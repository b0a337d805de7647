# Commands that need no network never open the ML library; those that do say what is wrong with it.
source "$(dirname "$0")/common.sh"
cp "$BINARY/bin/voxloom" "$work/bin/"
voxloom=$work/bin/voxloom
"$BINARY/bin/house_probe" package "$work/small"
cd "$work/run"

image=$SOURCE/tests/house/image.nrrd

check_light() {
  local number=0 line
  while read -r line; do
    number=$((number + 1))
    # shellcheck disable=SC2086
    ends 0 . "$voxloom" $line
    if grep -q "ml library was opened" "$work/said"; then
      echo "'voxloom $line' opened the ML library"
      exit 1
    fi
  done <<EOF
--help
--version
segment --help
data info $image
model list
model info $work/small
segment $image -o $1.nrrd --model geodesic --point 8,8,4
EOF
  [ "$number" = 7 ]
}

segment_small() { "$voxloom" segment "$image" -o never.nrrd --model "$work/small" --box 6,6,4,9,9,4; }

check_light absent
ends 1 "networks need libvoxloom_ml.so, which cannot be opened: .*geodesic" segment_small

cp "$FAKES/fake_ml_other_build/libvoxloom_ml.so" "$work/lib/"
check_light other
# The same trap does catch a command that opens it.
ends 1 "is of another build" segment_small
grep -q "ml library was opened" "$work/said"
[ ! -e never.nrrd ]
