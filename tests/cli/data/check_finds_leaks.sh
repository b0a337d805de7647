# Every hold-out rule that manifests can break is printed and ends with 1; so are files that can't
# be used and pictures that are nearly the same in two roles.
voxloom wire prepare --data "$EXAMPLES/rossa" -o "$TMP/rossa.jsonl" --quiet >/dev/null
# remake OUT SED...: the lines of rossa.jsonl, changed, under a right first line.
remake() {
  local out=$1
  shift
  tail -n +2 rossa.jsonl | sed -E "$@" >lines
  {
    printf '{"voxloom_manifest":1,"samples":%d,"fingerprint":"%s"}\n' "$(wc -l <lines)" "$(sha256sum lines | cut -d' ' -f1)"
    cat lines
  } >"$out"
}
# violates PATTERN SED...: the changed manifest is refused by `data check`, which says PATTERN.
violates() {
  local pattern=$1 status=0
  shift
  remake bad.jsonl "$@"
  voxloom data check bad.jsonl --quiet >checked.txt || status=$?
  cat checked.txt
  [ "$status" = 1 ] && grep -qE -- "$pattern" checked.txt
}
set_name='s/"dataset":"ROSSA"'
voxloom data check rossa.jsonl >checked.txt 2>progress.txt
grep -q 'nothing wrong was found' checked.txt
grep -q 'check images and masks' progress.txt
violates "violation  R1: CathAction 'val' must be train, got val" "$set_name/\"dataset\":\"CathAction\"/"
violates "violation  R2: MOSXAV 'trainval' must be finetune, got train" \
  "$set_name,\"subset\":\"[a-z_]*\"/\"dataset\":\"MOSXAV\",\"subset\":\"trainval\"/"
grep -q "violation  R2: MOSXAV 'trainval' must have 30 sequences, got 12" checked.txt
violates "violation  R3: MOSXAV 'test' must be val, got train" \
  "$set_name,\"subset\":\"[a-z_]*\"/\"dataset\":\"MOSXAV\",\"subset\":\"test\"/"
grep -q "violation  R3: MOSXAV 'test' must have sequences v00 to v11 with 488 frames, got 12" checked.txt
violates 'violation  R4: WEISS T5 must be sealed, got train' \
  "$set_name/\"dataset\":\"WEISS\"/; s/\"sequence\":\"[^\"]*\"/\"sequence\":\"T5\"/"
grep -q 'violation  R4: WEISS T5 and T6 must have 371 frames, got 12' checked.txt
violates 'violation  R5: FGANet must be sealed, got train' "$set_name/\"dataset\":\"FGA-Net\"/"
violates 'violation  R6: WEISS T2 must be none or train, got val' \
  "$set_name/\"dataset\":\"WEISS\"/; s/\"sequence\":\"[^\"]*\"/\"sequence\":\"T2\"/"
grep -q 'note  *R6: WEISS T1 to T4 or Phantom train' checked.txt
violates "violation  R7: a sequence must have one role, got 1 in two: 'ROSSA/one' \(train, val\)" \
  's/"sequence":"[^"]*"/"sequence":"one"/'
image=$(sed -n 2p rossa.jsonl | grep -oE '"sha256_image":"[0-9a-f]*"' | cut -d'"' -f4)
violates 'violation  R10: backgrounds must not come from sealed images, got 7 that do' \
  "1s/\"role\":\"train\"/\"role\":\"sealed\"/; s/\"role\":\"train\"/\"sha256_background\":\"$image\",&/"

# A copy of a file, the same picture compressed anew, and one that is not there any more.
cp -r "$EXAMPLES/rossa" set
cp set/train_manual/image/3.png set/val/image/999.png
cp set/train_manual/label/3.png set/val/label/999.png
expect 1 'R7: an image file must have one role, got 1 in two.*ROSSA:train_manual/3, ROSSA:val/999' \
  voxloom wire prepare --data set -o set.jsonl
[ ! -e set.jsonl ]
rm set/val/*/999.png
voxloom wire prepare --data set -o set.jsonl --quiet >/dev/null
rm set/val/label/105.png
status=0
voxloom data check set.jsonl --quiet >checked.txt || status=$?
[ "$status" = 1 ]
grep -q '^file  *ROSSA:val/105: ' checked.txt
grep -q '0 rule violations, 1 file problem' checked.txt
# Roles of published sets are not drawn anew.
remake cath.jsonl "$set_name/\"dataset\":\"CathAction\"/; s/\"role\":\"val\"/\"role\":\"train\"/"
expect 1 "R1: CathAction 'train_manual' must be train, got val" voxloom data split cath.jsonl --val-share 0.5 -o split.jsonl
[ ! -e split.jsonl ]
# The report shows the pair; everything is in the JSON.
if [ -x "$VOXLOOM_PYTHON" ] && "$VOXLOOM_PYTHON" -c 'import PIL' 2>/dev/null; then
  cp -r "$EXAMPLES/rossa" near
  "$VOXLOOM_PYTHON" - <<'P'
from PIL import Image
picture = Image.open("near/train_manual/image/3.png").convert("L")
picture.point(lambda v: v * 0.8 + 10).save("near/val/image/998.png")
P
  cp near/train_manual/label/3.png near/val/label/998.png
  voxloom wire prepare --data near -o near.jsonl --quiet >/dev/null
  status=0
  voxloom data check near.jsonl --report report --json --quiet >near.json || status=$?
  [ "$status" = 1 ]
  grep -q '"a": *"ROSSA:train_manual/3"' near.json
  [ "$(grep -o '<img ' report/report.html | wc -l)" = 2 ]
  expect 1 'use --force' voxloom data check near.jsonl --report report
  voxloom data check near.jsonl --clean clean.jsonl --quiet >cleaned.txt || true
  grep -q '^clean.jsonl: 1 samples left out' cleaned.txt
  voxloom data check clean.jsonl --quiet >/dev/null
  ! grep -q 'train_manual/3"' clean.jsonl || exit 1
  expect 2 'must be given with one manifest, got 2' voxloom data check near.jsonl rossa.jsonl --clean x.jsonl
fi
expect 1 'does not exist' voxloom data check absent.jsonl
expect 2 'MANIFEST' voxloom data check
