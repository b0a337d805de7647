# A full-size checkpoint in the official layout becomes a package and segments a real slab with a
# box: no step by hand. The weights are stand-ins, so only the plumbing is judged.
"$CHECKPOINT" "$SOURCE/tests/golden/medsam2/keys/medsam2.txt" MedSAM2_latest.pt
voxloom model verify MedSAM2_latest.pt >original.txt
voxloom model convert MedSAM2_latest.pt -o packages/medsam2 --json >convert.json 2>/dev/null || {
  mkdir packages
  voxloom model convert MedSAM2_latest.pt -o packages/medsam2 --json >convert.json
}
grep -q '"variant": "medsam2_t512"' convert.json
grep -q '"tensors": 471' convert.json
grep -q '"mask_dice"' convert.json
# A published .pt and the package made from it have the same fingerprint.
voxloom model verify packages/medsam2 >package.txt
[ "$(grep '^weights' original.txt)" = "$(grep '^weights' package.txt)" ]
grep -q intact package.txt
export VOXLOOM_MODELS=$PWD/packages
voxloom model list | grep >/dev/null '^medsam2 .*medsam2_t512'
voxloom segment "$EXAMPLES/vs_mr_dicom" -o label.nii.gz --model medsam2 --box 68,38,16,122,122,16 \
  --slice-range 13,19 --preview label.png --quiet
grep -q '"model": "medsam2"' label.json
grep -q '"slices_encoded": 7' label.json
"$DIFF" geometry label.nii.gz "$EXAMPLES/vs_mr_dicom"
# Damage is found.
printf 'x' | dd of=packages/medsam2/weights.safetensors bs=1 seek=1000000 conv=notrunc 2>/dev/null
expect 1 "is not what its model.yaml records" voxloom model verify medsam2
