# Lines of two views of one bent wire, made with the geometry of the C-arm, become the wire in mm.
# lines PRIMARY_DEG START_S: 3 frames, the wire pushed 5 mm a frame; the second frame is lost.
lines() {
  awk -v primary="$1" -v start="$2" 'BEGIN {
    pi = atan2(0, -1); a = primary * pi / 180; f = 1100 / 0.2
    for (frame = 0; frame < 3; ++frame) {
      time = start + frame * 0.1
      if (frame == 1) {
        printf "{\"frame\":1,\"time_s\":%.4f,\"state\":\"lost\",\"centerline\":[],\"gaps\":[]}\n", time
        continue
      }
      printf "{\"frame\":%d,\"time_s\":%.4f,\"state\":\"tracking\",\"rle\":{\"size\":[1024,1024]},\"centerline\":[", frame, time
      for (s = 0; s <= 70 + 5 * frame; s += 0.15) {
        # A helix of 20 mm radius down the body: LPS.
        x = 20 * cos(s / 25); y = 20 * sin(s / 25); z = 30 - 0.6 * s
        right = x * cos(a) + y * sin(a); depth = 720 + x * sin(a) - y * cos(a)
        printf "%s[%.2f,%.2f]", s ? "," : "", 511.5 + f * right / depth, 511.5 - f * z / depth
      }
      printf "],\"gaps\":[]}\n"
    }
  }'
}
lines -30 0 >a.jsonl
lines 60 0.51 >b.jsonl
arm() { printf '{"c_arm":{"sid_mm":1100,"sod_mm":720,"primary_deg":%s,"secondary_deg":0,"pixel_mm":[0.2,0.2]},"width":1024,"height":1024%s}' "$1" "${2:-}"; }
rig() { printf '{"voxloom_biplane":1,"views":[%s,%s]}' "$1" "$2"; }
rig "$(arm -30)" "$(arm 60 ',"time_offset_s":-0.5')" >rig.json
run=(voxloom wire biplane --view a.jsonl --view b.jsonl --calibration rig.json)
"${run[@]}" -o space >said.txt 2>progress.txt
grep -q '^3 pairs, a curve in 2, its tip in 2; views 90.0 degrees apart' said.txt
[ "$(wc -l <space/biplane.jsonl)" = 3 ]
sed -n 2p space/biplane.jsonl | grep -q '"state":"absent","reason":"view A: the wire is lost"'
# The tip and the length of the first helix: (20 cos 2.8, 20 sin 2.8, -12), 70 sqrt(0.64 + 0.36).
sed -nE '1s/.*"tip_mm":\[([^,]*),([^,]*),([^]]*)\].*"length_mm":([0-9.]*),.*/\1 \2 \3 \4/p' space/biplane.jsonl |
  awk '{ good = ($1 + 18.844)^2 + ($2 - 6.700)^2 + ($3 + 12)^2 < 0.04 && ($4 - 70)^2 < 0.25 } END { exit !good }'
grep -q '"skew_ms":10.0' space/biplane.jsonl
[ "$(grep -o '<svg' space/biplane.html | wc -l)" = 8 ]
! grep -qiE 'nan|src="http' space/biplane.html
expect 1 'exists; use --force' "${run[@]}" -o space
"${run[@]}" -o again --json --pictures 0 --quiet >result.json
grep -q '"found": 2' result.json
cmp space/biplane.jsonl again/biplane.jsonl
! grep -q '<svg' again/biplane.html

# Calibrations that can't be, frames that don't fit, files that are something else.
bad() { expect 1 "$1" voxloom wire biplane --view a.jsonl --view b.jsonl --calibration "$2" -o bad; [ ! -e bad/biplane.jsonl ]; }
rig "$(arm -30)" "$(arm -30)" >same.json; bad 'sources of both views must be at least 10 mm apart' same.json
rig "$(arm -30)" "$(arm -25)" >near.json; bad 'must cross at 10 to 170 degrees, got 5.00' near.json
rig "$(arm -30)" '{"projection":[[1,0,0,0],[2,0,0,0],[0,0,1,0]]}' >flat.json; bad 'view B.projection: must be of rank 3' flat.json
rig "$(arm -30)" "$(arm 60)" >late.json; bad 'at most 34.* ms apart, got none' late.json
arm 60 | sed 's/"width":1024/"width":512/' >one.txt; rig "$(arm -30)" "$(cat one.txt)" >small.json; bad 'must be 512 x 1024 px' small.json
bad "rig.jsonl|not exist|no such" rig.jsonl
bad 'a.jsonl.*' a.jsonl
expect 1 'rig.json. line 1: time_s' voxloom wire biplane --view rig.json --view b.jsonl --calibration rig.json -o bad
expect 2 'must be given twice' voxloom wire biplane --view a.jsonl --calibration rig.json -o bad
