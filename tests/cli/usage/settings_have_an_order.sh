# defaults < config file < environment < flags, shown by --print-config.
printf 'merge: union\nmax_slices: 5\n' >c.yaml
base=(segment a.nii.gz -o b.nii.gz --print-config)
voxloom "${base[@]}" | grep >/dev/null '^merge: intersection$'
voxloom "${base[@]}" --config c.yaml | grep >/dev/null '^merge: union$'
VOXLOOM_MAX_SLICES=7 voxloom "${base[@]}" --config c.yaml | grep >/dev/null 'max_slices: 7'
VOXLOOM_MAX_SLICES=7 voxloom "${base[@]}" --config c.yaml --max-slices 9 | grep >/dev/null 'max_slices: 9'
# Text that looks like a number or a flag stays the text that it is, and is printed so.
printf 'output: 007\nwindow: 1e3,2e3\nmodel: true\nobject: [1e3=2, "0.10"]\n' >text.yaml
voxloom segment a.nii.gz -o b.nii.gz --print-config --config text.yaml >printed.yaml
grep -x 'model: "true"' printed.yaml
grep -x 'window: "1e3,2e3"' printed.yaml
grep -x 'object: \["1e3=2", "0.10"\]' printed.yaml
# A config file is one plain table: limits and line numbers come with the reader.
printf 'merge: union\nmerge: intersection\n' >twice.yaml
expect 2 "config 'twice.yaml': line 2 has the key 'merge' twice" voxloom "${base[@]}" --config twice.yaml
printf 'a: &x [1]\nb: [*x, *x]\n' >anchor.yaml
expect 2 "config 'anchor.yaml': line 1 must have no anchors" voxloom "${base[@]}" --config anchor.yaml
# What it prints can be read back.
voxloom "${base[@]}" --merge union >again.yaml
sed -i '/^print_config/d' again.yaml
voxloom segment a.nii.gz -o b.nii.gz --print-config --config again.yaml | grep >/dev/null '^merge: union$'
printf 'mrge: union\n' >bad.yaml
expect 2 "unknown settings mrge; known are" voxloom "${base[@]}" --config bad.yaml
expect 2 "VOXLOOM_MAX_SLICES: --max-slices: must be" env VOXLOOM_MAX_SLICES=x "$VOXLOOM" "${base[@]}"
