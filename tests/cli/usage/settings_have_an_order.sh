# defaults < config file < environment < flags, shown by --print-config.
printf 'merge: union\nmax_slices: 5\n' >c.yaml
base=(segment a.nii.gz -o b.nii.gz --print-config)
voxloom "${base[@]}" | grep >/dev/null 'merge: "intersection"'
voxloom "${base[@]}" --config c.yaml | grep >/dev/null 'merge: "union"'
VOXLOOM_MAX_SLICES=7 voxloom "${base[@]}" --config c.yaml | grep >/dev/null 'max_slices: 7'
VOXLOOM_MAX_SLICES=7 voxloom "${base[@]}" --config c.yaml --max-slices 9 | grep >/dev/null 'max_slices: 9'
# What it prints can be read back.
voxloom "${base[@]}" --merge union >again.yaml
sed -i '/^print_config/d' again.yaml
voxloom segment a.nii.gz -o b.nii.gz --print-config --config again.yaml | grep >/dev/null 'merge: "union"'
printf 'mrge: union\n' >bad.yaml
expect 2 "unknown settings mrge; known are" voxloom "${base[@]}" --config bad.yaml
expect 2 "VOXLOOM_MAX_SLICES: --max-slices: must be" env VOXLOOM_MAX_SLICES=x "$VOXLOOM" "${base[@]}"
