# Report and measures on labelled frames and on a folder of pictures; mistakes are named.
voxloom wire simulate --sequences 1 --frames 6 --size 128 --dose-ngy 80 --seed 7 --without-wire 0 -o sim --quiet
voxloom wire filters --data sim/manifest.jsonl -o report --chain live --chain gamma+clahe:2,4x4 \
  --pictures 2 >out.txt 2>progress.txt
grep -q '^live  *frangi  *cnr' out.txt
grep -q '^gamma+clahe:2,4x4  *image  *cnr' out.txt
grep -q '"labelled": 6' report/metrics.json
for measure in cnr contrast cii cir eme entropy noise; do grep -q "\"$measure\"" report/metrics.json; done
[ "$(grep -o '<img ' report/report.html | wc -l)" -ge 9 ]
! grep -q 'src="http' report/report.html
expect 1 "exists; use --force" voxloom wire filters --data sim/manifest.jsonl -o report --chain clahe
# Pictures without labels: no measure that needs them.
voxloom wire filters --data sim/image/train_00000 -o plain --chain recursive+subtract --frames 4 --quiet >plain.txt
grep -q '"frames": 4' plain/metrics.json
! grep -q '"cnr"' plain/metrics.json
expect 2 "must be one of clahe, nlm" voxloom wire filters --data sim/manifest.jsonl -o x --chain claeh
expect 1 "got nothing there" voxloom wire filters --data absent.avi -o x
# Sealed frames are for 'wire eval --unseal' alone.
sed 's/"role":"[a-z_]*"/"role":"sealed"/' <sim/manifest.jsonl | tail -n +2 >lines
{ printf '{"voxloom_manifest":1,"samples":6,"fingerprint":"%s"}\n' "$(sha256sum lines | cut -d' ' -f1)"; cat lines; } >sim/sealed.jsonl
expect 1 "sealed" voxloom wire filters --data sim/sealed.jsonl -o x --chain clahe
