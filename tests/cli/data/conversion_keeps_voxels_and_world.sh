# DICOM to every writable format and back to NIfTI: the same voxels at the same place.
dicom=$EXAMPLES/vs_mr_dicom
voxloom data convert "$dicom" a.nii.gz --quiet
"$DIFF" voxels "$dicom" a.nii.gz
for suffix in nii hdr nrrd nhdr mha mhd; do
  voxloom data convert a.nii.gz "b.$suffix" --quiet
  "$DIFF" voxels a.nii.gz "b.$suffix"
done
expect 1 "b.nii' exists; use --force" voxloom data convert a.nii.gz b.nii
voxloom data info --json a.nii.gz "$dicom" >info.json
"$VOXLOOM_PYTHON" - <<'PY' || exit 1
import json
a, b = json.load(open("info.json"))["images"]
assert a["size"] == b["size"] == [184, 200, 32], a
assert a["orientation"] == b["orientation"], (a, b)
PY
