# What can't be done is tried as often as asked, told, and done after a repair.
cp "$SOURCE/tests/house/image.nrrd" good.nrrd
echo nonsense >bad.nrrd
voxloom queue add study good.nrrd bad.nrrd --attempts 2 --quiet --suffix .nrrd \
  --command 'voxloom data convert {input} {output}' --output-dir out
expect 1 "bad: the command ended with status 1" voxloom queue work study --until-empty
grep -q "will_retry *bad" out.txt
grep -q "failed *bad" out.txt
voxloom queue status study >status
grep -q "1 done, 1 failed" status
grep -q "bad .*after 2 attempts" status
[ "$(ls -A out)" = good.nrrd ]

cp good.nrrd bad.nrrd
voxloom queue retry study | grep -q "1 cases wait again"
voxloom queue work study --until-empty --json >work.json
grep -q '"done": 1' work.json
"$DIFF" voxels good.nrrd out/bad.nrrd

# One case again replaces its result.
echo old >out/good.nrrd
voxloom queue retry study --case good --quiet
voxloom queue work study --until-empty --quiet
"$DIFF" voxels good.nrrd out/good.nrrd
