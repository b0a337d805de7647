cp "$SOURCE/tests/house/image.nrrd" scan.nrrd
mkdir other && cp scan.nrrd other/
convert='voxloom data convert {input} {output}'
add() { voxloom queue add study "$@" --output-dir out; }
expect 2 "must hold \{output\}" add scan.nrrd --command 'cp {input} x'
expect 2 "got '\{ouput\}'" add scan.nrrd --command 'cp {input} {output} {ouput}'
expect 2 "quote must be closed" add scan.nrrd --command "cp {input} '{output}"
expect 2 "no.nrrd' does not exist" add no.nrrd --command "$convert"
expect 2 "both be named 'scan'" add scan.nrrd other/scan.nrrd --command "$convert"
expect 2 "no inputs" add --command "$convert"
expect 1 "must be sqlite:FILE or postgresql" add scan.nrrd --command "$convert" --database mysql:x
expect 1 "queue 'study' does not exist" voxloom queue status study
add scan.nrrd --command "$convert"
expect 1 "exists with other settings" add scan.nrrd --command "$convert --labels"
expect 1 "case 'ghost' does not exist" voxloom queue retry study --case ghost
expect 2 "go to 'voxloom queue add'" voxloom queue work study scan.nrrd
expect 2 "counts from 1 to N, got 0/4" voxloom queue work study scan.nrrd --shard 0/4 \
  --command "$convert" --output-dir out
expect 2 "SLURM_ARRAY_TASK_ID" voxloom queue work study scan.nrrd --shard slurm \
  --command "$convert" --output-dir out
