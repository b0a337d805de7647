#!/usr/bin/env bash
# example_studies.sh PROGRAM EXAMPLES FOLDER: a studies folder to try the server on, made once.
#
# examples/ itself stays as it is: a server writes labels and an index into its studies folder.
# The series is there as DICOM, and as NIfTI whole and in two overlapping parts, so that there are
# four images to go through.
set -euo pipefail
[ $# = 3 ] || { echo "usage: example_studies.sh PROGRAM EXAMPLES FOLDER" >&2; exit 2; }
program=$1 series=$2/vs_mr_dicom folder=$3

[ ! -e "$folder/.ready" ] || exit 0
[ -d "$series" ] || { echo "example_studies: no series at $series" >&2; exit 1; }

# In a folder beside it that is renamed when it is complete: a run that was cut short leaves nothing
# that a later one takes for finished.
mkdir -p "$(dirname "$folder")"
new=$(mktemp -d "$folder.XXXXXX")
trap 'rm -rf "$new"' EXIT
mkdir "$new/studies" "$new/studies/vs_mr_dicom" "$new/lower" "$new/upper"
cp "$series"/*.dcm "$new/studies/vs_mr_dicom/"
for file in "$series"/*.dcm; do
  number=$((10#$(basename "$file" .dcm)))
  [ $number -gt 20 ] || cp "$file" "$new/lower/"
  [ $number -lt 13 ] || cp "$file" "$new/upper/"
done
"$program" data convert --quiet "$series" "$new/studies/vs_mr_full.nii.gz" >/dev/null
"$program" data convert --quiet "$new/lower" "$new/studies/vs_mr_lower.nii.gz" >/dev/null
"$program" data convert --quiet "$new/upper" "$new/studies/vs_mr_upper.nii.gz" >/dev/null
chmod 755 "$new/studies"
touch "$new/studies/.ready"
# A folder that is there without the mark was put there by someone else, or belongs to a run beside
# this one; neither is ours to replace.
if ! mv -T "$new/studies" "$folder" 2>/dev/null && [ ! -e "$folder/.ready" ]; then
  echo "example_studies: $folder is there but was not made by this script; move it away" >&2
  exit 1
fi
