#!/usr/bin/env python3
"""kill -9 of `voxloom serve` at random moments of label saves over HTTP.

    bench/serve/kill_server.py --voxloom build/release/bin/voxloom --kills 200 [--images 8] [--seed N]

Several clients save labels whose voxels and info hold a counter. After each kill the server is
started again and asked for every label: it must be whole, its info must tell the same counter, and
the counter must be the last acknowledged one or that of a later save that had begun. Ends with 1
when a label was lost, mixed or older, when the index was no JSON, or when the server did not start.
"""
import argparse
import json
import pathlib
import random
import shutil
import sys
import tempfile
import threading
import time

import serve_client as sc

TAGS = ("final", "version_1")


class Saves:
    """What was sent and what was acknowledged, for each (image, tag)."""

    def __init__(self, images, sizes):
        self.sizes = sizes
        self.keys = [(image, tag) for image in images for tag in TAGS]
        self.sent = dict.fromkeys(self.keys, 0)
        self.acknowledged = dict.fromkeys(self.keys, 0)
        self.busy = set()
        self.lock = threading.Lock()
        self.bad = []

    def save(self, http, rng, mine):
        key = rng.choice(mine)
        with self.lock:
            counter = self.sent[key] = self.sent[key] + 1
            self.busy.add(key)
        answer = http.put_label(key[0], sc.counter_label(self.sizes[key[0]], counter), key[1],
                                {"counter": counter}, name=rng.choice(["label.nii", "x.nii"]))
        with self.lock:
            if answer.status == 200:
                self.acknowledged[key] = counter
            else:
                self.bad.append(f"save: {answer.status} {answer.body[:80]!r}")
            self.busy.discard(key)

    def client(self, port, rng, mine, dead):
        http = sc.Http(port)
        while not dead.is_set():
            try:
                self.save(http, rng, mine)
            except OSError:
                return  # killed; the key stays busy

    def check(self, http):
        """Faults of what is served, and how many saves without an acknowledgement are there."""
        faults, kept = [], 0
        for key in self.keys:
            image, tag = key
            answer = http.get(f"/datastore/label?label={image}&tag={tag}")
            if answer.status == 404 and self.acknowledged[key] == 0:
                continue
            if answer.status != 200:
                faults.append(f"{key}: lost, {answer.status}")
                continue
            counter = sc.label_counter(answer.body, self.sizes[image])
            info = http.get(f"/datastore/label/info?label={image}&tag={tag}").json()
            if counter is None:
                faults.append(f"{key}: half-written, {len(answer.body)} bytes")
            elif not self.acknowledged[key] <= counter <= self.sent[key]:
                faults.append(f"{key}: {counter}, acknowledged {self.acknowledged[key]}, sent {self.sent[key]}")
            elif info.get("counter") != counter:
                faults.append(f"{key}: voxels {counter}, info {info.get('counter')}")
            else:
                kept += counter > self.acknowledged[key]
                # What was seen once is a promise too.
                self.acknowledged[key] = counter
        return faults, kept


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--voxloom", type=pathlib.Path, required=True)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--images", type=int, default=8, help="half of them with labels of 2.3 MB")
    parser.add_argument("--fillers", type=int, default=0, help="further images that nobody labels")
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=pathlib.Path)
    args = parser.parse_args()

    work = pathlib.Path(tempfile.mkdtemp(prefix="voxloom-kill-"))
    studies = work / "studies"
    if args.fillers:
        sc.make_studies(studies, args.fillers)
    else:
        studies.mkdir()
    sizes = {f"scan_{i:02d}": (128, 128, 140) if i % 2 else (64, 64, 16) for i in range(args.images)}
    for image, size in sizes.items():
        (studies / f"{image}.nii").write_bytes(sc.block_image(size))
    saves = Saves(list(sizes), sizes)
    rng = random.Random(args.seed)
    starts, faults, kept, in_flight, with_busy, acked = [], [], 0, 0, 0, 0
    status = 0
    for kill in range(args.kills + 1):
        try:
            server = sc.start_voxloom(args.voxloom.resolve(), studies, work)
        except RuntimeError as e:
            faults.append(f"kill {kill}: {e}")
            break
        starts.append(server.start_s)
        found, more = saves.check(sc.Http(server.port))
        faults += [f"kill {kill}: {f}" for f in found]
        kept += more
        if kill == args.kills:
            left = [p for p in studies.rglob("*") if "voxloom-tmp" in p.name]
            faults += [f"left over: {p}" for p in left]
            if server.stop() != 0:
                faults.append("the last server did not end with 0")
            break
        saves.busy.clear()
        dead = threading.Event()
        threads = [threading.Thread(target=saves.client,
                                    args=(server.port, random.Random(f"{args.seed} {kill} {i}"),
                                          saves.keys[i::args.clients], dead))
                   for i in range(args.clients)]
        before = sum(saves.acknowledged.values())
        for thread in threads:
            thread.start()
        time.sleep(rng.random() * 0.4)
        server.kill()
        dead.set()
        for thread in threads:
            thread.join()
        in_flight += len(saves.busy)
        with_busy += bool(saves.busy)
        acked += sum(saves.acknowledged.values()) - before
        index = studies / "datastore_v2.json"
        try:
            if index.exists():
                json.loads(index.read_text())
        except ValueError as e:
            faults.append(f"kill {kill}: the index is no JSON: {e}")
        if kill % 20 == 0:
            print(f"{kill} kills, {acked} saves acknowledged, {len(faults)} faults", flush=True)
    faults += saves.bad
    rows = [("kills", min(kill, args.kills)), ("kills with a save in flight", with_busy),
            ("acknowledged saves", acked), ("saves in flight at a kill", in_flight),
            ("of these found whole afterwards", kept), ("acknowledged and lost", sum("lost" in f for f in faults)),
            ("half-written and served", sum("half-written" in f for f in faults)), ("all faults", len(faults)),
            ("start after a kill, median ms", round(sc.median(starts[1:]) * 1e3, 1)),
            ("start after a kill, longest ms", round(max(starts[1:], default=0) * 1e3, 1))]
    for name, value in rows:
        print(f"{name:34s} {value:>10}")
    for fault in faults[:30]:
        print("  FAULT", fault)
    status = 1 if faults else 0
    if args.json:
        args.json.write_text(json.dumps({**dict(rows), "faults": faults}, indent=1))
    if not status:
        shutil.rmtree(work)
    print("ok" if not status else f"failed; files are in {work}")
    sys.exit(status)


if __name__ == "__main__":
    main()
