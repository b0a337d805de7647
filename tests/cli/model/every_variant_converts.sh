# Checkpoints with the keys and names of the releases become packages, from .pt and safetensors, and
# the package segments real slices with a box. The weights are stand-ins: only the plumbing is judged.
keys=$SOURCE/tests/golden/medsam2/keys

# converts KEYS NAME VARIANT CHOSEN_BY TENSORS IMAGE_SIZE [segment]
converts() {
  local name=$2
  mkdir packages
  for form in pt safetensors; do
    "$CHECKPOINT" "$keys/$1.txt" "$name.$form"
    voxloom model convert "$name.$form" -o "packages/$form" --no-gate --force --json --quiet >convert.json
    grep -q "\"variant\": \"$3\"" convert.json
    grep -q "\"chosen_by\": \"$4\"" convert.json
    grep -q "\"tensors\": $5" convert.json
    grep -q "^variant: $3\$" "packages/$form/model.yaml"
    grep -q "^  image_size: $6\$" "packages/$form/model.yaml"
    grep -q "$name.$form" "packages/$form/model.yaml"
    rm "$name.$form"
  done
  # Both files hold the same network.
  cmp <(grep fingerprint packages/pt/model.yaml) <(grep fingerprint packages/safetensors/model.yaml)
  if [ "${7:-}" = segment ]; then
    voxloom segment "$EXAMPLES/vs_mr_dicom" -o label.nii.gz --model ./packages/pt --quiet --force \
      --box 68,38,16,122,122,16 --slice-range 15,17
    grep -q '"slices_encoded": 3' label.json
    "$DIFF" geometry label.nii.gz "$EXAMPLES/vs_mr_dicom"
  fi
  rm -r packages
}

converts efficienttam_s_512x512 eff_medsam2_small_FLARE25_RECIST_baseline efficienttam_s_512 keys 455 512 segment
converts efficienttam_ti_512x512 eff_medsam2_tiny_FLARE25_RECIST_baseline efficienttam_ti_512 keys 455 512 segment
converts medsam2 sam2.1_hiera_tiny sam2.1_t "file name" 471 1024 segment
converts sam2.1_s sam2.1_hiera_small sam2.1_s keys 519 1024
# The releases of MedSAM2 share one layout; the file name tells it from SAM 2.1 tiny.
"$CHECKPOINT" "$keys/medsam2.txt" MedSAM2_latest.pt
for release in 2411 CTLesion MRI_LiverLesion US_Heart; do
  ln MedSAM2_latest.pt "MedSAM2_$release.pt"
  voxloom model convert "MedSAM2_$release.pt" -o package --no-gate --force --json --quiet >convert.json
  grep -q '"variant": "medsam2_t512"' convert.json
done
