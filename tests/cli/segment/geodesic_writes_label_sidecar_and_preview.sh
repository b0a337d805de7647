# The main job without weights: label on the image's grid, sidecar, picture; outputs are kept.
clicks=(--object ventricles=3 --point 103,62,28 --point 94,75,28,-)
voxloom segment "$EXAMPLES/vs_mr_dicom" -o v.nrrd --model geodesic "${clicks[@]}" --preview v.png >made.txt
printf 'v.nrrd\nv.json\nv.png\n' | diff - made.txt
"$DIFF" geometry v.nrrd "$EXAMPLES/vs_mr_dicom"
grep -q '"name": "ventricles"' v.json
grep -q '"model": "geodesic"' v.json
file v.png | grep >/dev/null 'PNG image' || head -c 8 v.png | grep -q PNG
expect 1 "v.nrrd' exists; use --force" voxloom segment "$EXAMPLES/vs_mr_dicom" -o v.nrrd --model geodesic "${clicks[@]}"
voxloom segment "$EXAMPLES/vs_mr_dicom" -o v.nrrd --force --quiet --model geodesic "${clicks[@]}" --preview v.png
# Another format, the same label; DICOM SEG refers to the series.
voxloom segment "$EXAMPLES/vs_mr_dicom" -o w.nii.gz --quiet --model geodesic "${clicks[@]}"
"$DIFF" voxels v.nrrd w.nii.gz
voxloom segment "$EXAMPLES/vs_mr_dicom" -o s.dcm --quiet --model geodesic "${clicks[@]}"
voxloom data info s.dcm >info.txt
grep -q '"format": "DICOM' info.txt
