#!/usr/bin/env python3
"""voxloom beside the official MedSAM2 predictor: one run, same threads, medians and ratios.

    bench/peers/run_medsam2.py --voxloom build/release/bin/voxloom --peer ../MedSAM2 \
        --peer-python venv/bin/python --checkpoint MedSAM2_latest.pt --package models/medsam2 \
        --volume ct.npz --box 80,80,140,150

--volume: .npz with imgs [D, H, W] uint8 (the same grey values for both). What is compared is the time
in the process after loading: two-ended propagation (both passes over every slice) and one key slice.
Peak memory is the whole process's. Runs alternate, so that a drifting machine hurts both alike.
"""
import argparse
import json
import os
import pathlib
import subprocess
import tempfile


def run(command, env):
    """Output and peak resident MB of a finished process."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env)
    output, errors = process.stdout.read(), process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"{command[0]} failed: {errors.decode()[-2000:]}")
    return output.decode(), usage.ru_maxrss / 1024


def median(values):
    values = sorted(values)
    return values[len(values) // 2]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--voxloom", required=True)
    parser.add_argument("--package", required=True)
    parser.add_argument("--peer", help="checkout of bowang-lab/MedSAM2; without it only voxloom is timed")
    parser.add_argument("--peer-python", default="python3")
    parser.add_argument("--checkpoint", help="the official file that the package was made from")
    parser.add_argument("--volume", type=pathlib.Path, required=True)
    parser.add_argument("--depth", type=int, required=True, help="slices of the volume")
    parser.add_argument("--box", required=True, help="x0,y0,x1,y1")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--modes", default="propagate,key")
    parser.add_argument("--engines", default="openvino:f32,openvino:bf16,torch:f32")
    parser.add_argument("--no-bf16-peer", action="store_true")
    parser.add_argument("--json", type=pathlib.Path)
    args = parser.parse_args()

    env = dict(os.environ, OMP_WAIT_POLICY="PASSIVE", OMP_NUM_THREADS=str(args.threads))
    x0, y0, x1, y1 = args.box.split(",")
    last = args.depth - 1
    key = last // 2
    here = pathlib.Path(__file__).resolve().parent

    def ours(mode, engine, precision):
        with tempfile.TemporaryDirectory() as folder:
            prompts = (
                ["--point", f"{x0},{y0},0", "--point", f"{x1},{y1},{last}"]
                if mode == "propagate"
                else ["--box", f"{x0},{y0},{key},{x1},{y1},{key}", "--slice-range", f"{key},{key}"]
            )
            _, memory = run(
                [args.voxloom, "segment", str(args.volume), "-o", f"{folder}/label.nii.gz", "--quiet",
                 "--model", args.package, "--engine", engine, "--precision", precision, "--window", "none",
                 "--no-fill-holes", "--threads", str(args.threads), *prompts], env)
            times = json.loads(pathlib.Path(folder, "label.json").read_text())["times_s"]
        return times["segment"], memory

    def peer(mode, bf16):
        output, memory = run(
            [args.peer_python, str(here / "medsam2_peer.py"), "--repo", args.peer, "--checkpoint",
             args.checkpoint, "--volume", str(args.volume), "--box", args.box, "--key", str(key),
             "--threads", str(args.threads), "--mode", mode, *(["--bf16"] if bf16 else [])], env)
        return json.loads(output.strip().splitlines()[-1])["seconds_median"], memory

    rows = []
    for mode in args.modes.split(","):
        runners = []
        if args.peer:
            runners.append(("official f32", lambda m=mode: peer(m, False)))
            if not args.no_bf16_peer:
                runners.append(("official bf16 autocast", lambda m=mode: peer(m, True)))
        for item in args.engines.split(","):
            engine, precision = item.split(":")
            runners.append((f"voxloom {engine} {precision}",
                            lambda m=mode, e=engine, p=precision: ours(m, e, p)))
        results = {name: [] for name, _ in runners}
        for _ in range(args.repeat):
            for name, runner in runners:
                results[name].append(runner())
        base = median([s for s, _ in results["official f32"]]) if args.peer else None
        for name, values in results.items():
            seconds = median([s for s, _ in values])
            rows.append({"mode": mode, "who": name, "seconds": seconds,
                         "all_seconds": [s for s, _ in values],
                         "ratio_to_official_f32": base / seconds if base else None,
                         "peak_mb": max(m for _, m in values)})
            ratio = f"{base / seconds:5.2f}x" if base else ""
            print(f"{mode:<10} {name:<24} {seconds:8.2f} s  {ratio}  {rows[-1]['peak_mb']:6.0f} MB", flush=True)
    if args.json:
        args.json.write_text(json.dumps({"depth": args.depth, "threads": args.threads, "rows": rows}, indent=2))


if __name__ == "__main__":
    main()
