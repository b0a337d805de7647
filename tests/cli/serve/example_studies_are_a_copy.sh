# The studies folder of ./dev serve: four images, made once, beside examples/ and never in it.
before=$(cd "$EXAMPLES" && find . -type f | sort | xargs sha256sum)
"$SOURCE/tools/example_studies.sh" "$VOXLOOM" "$EXAMPLES" "out/my studies"

cd "out/my studies"
[ "$(ls)" = "vs_mr_dicom
vs_mr_full.nii.gz
vs_mr_lower.nii.gz
vs_mr_upper.nii.gz" ]
[ "$(ls vs_mr_dicom | wc -l)" = 32 ]
slices() { "$VOXLOOM" data info "$1" | tr -d ' \n' | sed 's/.*"size":\[184,200,\([0-9]*\)\].*/\1/'; }
[ "$(slices vs_mr_full.nii.gz)" = 32 ]
[ "$(slices vs_mr_lower.nii.gz)" = 20 ]
[ "$(slices vs_mr_upper.nii.gz)" = 20 ]

# A label that was saved there survives the next start, and nothing is made again.
mkdir -p labels/final && echo label >labels/final/vs_mr_full.nrrd
stamp=$(stat -c %Y.%i vs_mr_full.nii.gz)
cd ../..
"$SOURCE/tools/example_studies.sh" "$VOXLOOM" "$EXAMPLES" "out/my studies"
[ "$(cat "out/my studies/labels/final/vs_mr_full.nrrd")" = label ]
[ "$(stat -c %Y.%i "out/my studies/vs_mr_full.nii.gz")" = "$stamp" ]

# A folder of someone else is left alone.
mkdir other && echo mine >other/file
if "$SOURCE/tools/example_studies.sh" "$VOXLOOM" "$EXAMPLES" other 2>message; then exit 1; fi
grep -q 'was not made by this script' message
[ "$(ls -A other)" = file ]

[ "$(ls out | wc -l)" = 1 ] # no temporary folder is left
[ "$(cd "$EXAMPLES" && find . -type f | sort | xargs sha256sum)" = "$before" ]
