# Two processes train as one does with the whole batch; a killed rank ends the other, and the run goes
# on with the same numbers; what can be wrong at the start is said.
net=(--network-options '{"widths":"16,16,32","encoder_blocks":"0,1,1","decoder_blocks":"0,0","heads":1}')
voxloom wire prepare --data "$EXAMPLES/rossa" -o rossa.jsonl --quiet >/dev/null
# sgd: adam divides by the size of a gradient, also where that is 0 but for rounding.
base=(wire train --data rossa.jsonl "${net[@]}" --batch 4 --crop 64 --augment nnunet --optimiser sgd
  --lr 0.05 --loss dice-bce --metric dice --metric-mode max --threads 1 --quiet --licence MIT
  --epochs 10 --validate-every 5 --log-every 1 --checkpoint-every-steps 3)
train=("${base[@]}" --seed 4)
voxloom "${train[@]}" -o one >/dev/null
voxloom launch --processes 2 -- voxloom "${train[@]}" -o two >two.txt
grep -q '^rank 0: dice ' two.txt
! grep -q '^rank 1: ' two.txt
[ "$(grep -c '"kind":"train"' two/metrics.jsonl)" = 20 ]
"$DIFF" weights one/model/weights.safetensors two/model/weights.safetensors 1e-6
# Parameters, buffers, and sgd's momentum, which is a sum of about ten gradients.
"$DIFF" weights one/checkpoints/last.safetensors two/checkpoints/last.safetensors 1e-5

# A rank that is killed. The shell writes down the process it becomes.
ranks=(sh -c 'echo $$ >"pid.$RANK"; exec "$VOXLOOM" "$@"' -)
for lost in 1 0; do
  rm -f pid.*
  "$VOXLOOM" launch --processes 2 -- "${ranks[@]}" "${train[@]}" -o "killed$lost" >killed.txt 2>&1 &
  launcher=$!
  while [ ! -s "killed$lost/checkpoints/last.safetensors" ]; do sleep 0.02; kill -0 $launcher; done
  kill -9 "$(cat pid.$lost)"
  began=$SECONDS status=0
  wait $launcher || status=$?
  cat killed.txt
  [ "$status" = 137 ]
  [ $((SECONDS - began)) -lt 30 ]
  grep -q "voxloom launch: rank $lost was ended by signal 9" killed.txt
  grep -q "rank $((1 - lost)): voxloom wire train: distributed: rank $lost was lost" killed.txt
  voxloom launch --processes 2 -- voxloom "${train[@]}" -o "killed$lost" --resume >/dev/null
  cmp two/metrics.jsonl "killed$lost/metrics.jsonl"
  cmp two/model/weights.safetensors "killed$lost/model/weights.safetensors"
done

# SIGTERM stops both ranks after the same step, with a checkpoint.
"$VOXLOOM" launch --processes 2 -- voxloom "${train[@]}" -o stopped >stopped.txt 2>&1 &
launcher=$!
while [ ! -s stopped/checkpoints/last.safetensors ]; do sleep 0.02; kill -0 $launcher; done
kill -TERM $launcher
status=0; wait $launcher || status=$?
[ "$status" = 1 ]
grep -q "rank 0: .*stopped at step .*--resume goes on from there" stopped.txt
voxloom launch --processes 2 -- voxloom "${train[@]}" -o stopped --resume >/dev/null
cmp two/metrics.jsonl stopped/metrics.jsonl

# What is wrong at the start.
expect 1 'batch: must be a multiple of the number of processes, 3, got 4' \
  voxloom launch --processes 3 -- voxloom "${train[@]}" -o bad
expect 1 'all ranks must run with the same options, got seed is 0 at rank 0 and 1 at rank 1' \
  voxloom launch --processes 2 -- sh -c 'exec "$VOXLOOM" "$@" --seed "$RANK"' - "${base[@]}" -o bad
[ ! -e bad ]
expect 1 "run 'two' exists" voxloom launch --processes 2 -- voxloom "${train[@]}" -o two
expect 1 'all 2 ranks must come to 127.0.0.1:[0-9]+ within 1 s, got 1; missing: rank 1' \
  voxloom launch --nodes 2 --master 127.0.0.1:29617 -- voxloom "${train[@]}" -o bad --join-timeout-s 1
expect 1 'RANK: must be a whole number within \[0, 1\], got .2' \
  env RANK=2 WORLD_SIZE=2 MASTER_ADDR=127.0.0.1 MASTER_PORT=29617 "$VOXLOOM" "${train[@]}" -o bad
