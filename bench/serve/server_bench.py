#!/usr/bin/env python3
"""`voxloom serve` and, where it is installed, a MONAI Label server: one run, one table.

    bench/serve/server_bench.py --voxloom build/release/bin/voxloom --http-load build/release/bin/http_load \
        [--peer-python venv/bin/python] [--package models/medsam2] [--json out.json]

The peer runs bench/peers/monailabel_app (one strategy per image, a model that computes for 3 s) from a
copy. Servers run one after the other; every figure is the median of --repeat short runs. Resident
memory is VmRSS of the server's process.
"""
import argparse
import contextlib
import fcntl
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading
import time

import serve_client as sc

SECTIONS = ["start", "idle", "rate", "busy", "overhead", "save", "memory", "cancel"]
BIG = (256, 256, 160)
LABEL = (128, 128, 140)  # 2.3 MB as uint8
COUNTS = (3, 2000)


class Bench:
    def __init__(self, args, work):
        self.args, self.work = args, work
        self.results = []
        self.number = 0

    # ---- servers ----

    def studies(self, name, count, extra=()):
        folder = sc.make_studies(self.work / name, count)
        for image, size in extra:
            (folder / f"{image}.nii").write_bytes(sc.block_image(size))
        return folder

    def ours(self, studies, extra=()):
        self.number += 1
        place = self.work / f"server{self.number}"
        place.mkdir()
        return sc.start_voxloom(self.args.voxloom.resolve(), studies, place, extra)

    def peer(self, studies, seconds=3):
        app = self.work / "monailabel_app"
        if not app.exists():
            shutil.copytree(self.args.peer_app, app)
        port = sc.free_port()
        binaries = self.args.peer_python.absolute().parent
        env = dict(os.environ, PATH=f"{binaries}:{os.environ['PATH']}", MONAI_LABEL_AUTO_UPDATE_SCORING="false")
        command = ["bash", str(binaries / "monailabel"), "start_server", "--app", str(app), "--studies", str(studies),
                   "--port", str(port), "--host", "127.0.0.1", "--conf", "seconds", str(seconds)]
        return sc.Process(command, port, self.work / "peer.log", env=env, cwd=self.work)

    @staticmethod
    def peer_rss(server):
        """The peer's start script has the server as its child."""
        total = 0.0
        for status in pathlib.Path("/proc").glob("[0-9]*/status"):
            with contextlib.suppress(OSError):
                if os.getpgid(int(status.parent.name)) == server.process.pid:
                    for line in status.read_text().splitlines():
                        if line.startswith("VmRSS:"):
                            total = max(total, int(line.split()[1]) / 1024)
        return total

    # ---- results ----

    def add(self, what, unit, ours, peer=None, wanted=""):
        load = os.getloadavg()[0]
        self.results.append({"what": what, "unit": unit, "voxloom": ours, "peer": peer, "wanted": wanted, "load": load})
        number = lambda v: "" if v is None else f"{v:.3g}" if abs(v) < 100 else f"{v:.0f}"
        print(f"{what:58s} {unit:6s} {number(ours):>9s} {number(peer):>9s}  {wanted:18s} {load:5.1f}", flush=True)

    def load(self, server, connections, seconds, *flags):
        out = subprocess.run([self.args.http_load, "--port", str(server.port), "--connections", str(connections),
                              "--seconds", str(seconds), *map(str, flags)], check=True, capture_output=True, text=True)
        result = json.loads(out.stdout)
        if result["errors"] or result["not_200"]:
            print(f"  http_load: {result['errors']} errors, {result['not_200']} answers that are not 200")
        return result

    def medians(self, server, keys, connections, seconds, *flags):
        runs = [self.load(server, connections, seconds, *flags) for _ in range(self.args.repeat)]
        return [sc.median([run[key] for run in runs]) for key in keys]

    def both(self, studies, measure, peer=True, seconds=3, extra=(), **options):
        """measure(server) of ours, and of the peer where there is one."""
        server = self.ours(studies, extra)
        try:
            mine = measure(server, **options)
        finally:
            server.kill()
        if not (peer and self.args.peer_python):
            return mine, None
        server = self.peer(studies, seconds)
        try:
            return mine, measure(server, **options)
        finally:
            server.kill()

    # ---- sections ----

    def start(self):
        for count in COUNTS:
            first, again, peers, rss, peer_rss = [], [], [], [], []
            for i in range(self.args.repeat):
                studies = self.studies(f"start_{count}_{i}", count)
                for times in (first, again):
                    server = self.ours(studies)
                    times.append(server.start_s)
                    time.sleep(1.5)
                    rss.append(server.rss_mb())
                    server.kill()
                if self.args.peer_python and i < 2:
                    server = self.peer(studies)
                    peers.append(server.start_s)
                    time.sleep(1)
                    peer_rss.append(self.peer_rss(server))
                    server.kill()
            one = lambda values: sc.median(values) if values else None
            goal = "< 0.3" if count == 2000 else ""
            self.add(f"start to first /info, {count} images, new folder", "s", one(first), one(peers), goal)
            self.add(f"start to first /info, {count} images, known folder", "s", one(again), None, goal)
            self.add(f"resident at rest, {count} images", "MB", one(rss), one(peer_rss), "< 60")

    def idle(self):
        for count in COUNTS:
            studies = self.studies(f"idle_{count}", count)
            for name, flags in (("keep-alive", ()), ("new connections", ("--close",))):
                def measure(server):
                    self.load(server, 1, 0.3, *flags)
                    return self.medians(server, ["p50_ms", "p99_ms"], 1, 1.5, *flags)
                mine, other = self.both(studies, measure)
                other = other or [None, None]
                self.add(f"/info idle p50, {count} images, {name}", "ms", mine[0], other[0])
                self.add(f"/info idle p99, {count} images, {name}", "ms", mine[1], other[1], "< 5")

    def rate(self):
        for count in COUNTS:
            studies = self.studies(f"rate_{count}", count)

            def measure(server):
                self.load(server, 32, 0.5)
                return self.medians(server, ["rate"], 32, 2)[0]
            mine, other = self.both(studies, measure)
            self.add(f"/info rate, 32 connections, {count} images", "1/s", mine, other,
                     f">= {10 * other:.0f}" if other else "10 x the peer")

    @staticmethod
    def clicks(step, size):
        x = size[0] // 4 + 2 + (step * 37) % (size[0] // 2 - 4)
        y = size[1] // 4 + 2 + (step * 53) % (size[1] // 2 - 4)
        return {"foreground": [[x, y, size[2] // 2]], "background": [[1, 1 + step % (size[1] - 2), size[2] // 2]]}

    def busy(self):
        studies = self.studies("busy", 3, [("big", BIG)])

        def measure(server, model, clients):
            end = threading.Event()
            done, failed = [], []

            def work(number):
                http, step = sc.Http(server.port), number * 1000
                while not end.is_set():
                    step += 1
                    begin = time.monotonic()
                    params = {"client_id": f"busy{number}", **self.clicks(step, BIG)}
                    if model == "SAM":
                        params["max_slices"] = 8  # some seconds a click, as the peer's
                    answer = http.infer(model, "big", params, "json")
                    (done if answer.status == 200 else failed).append(time.monotonic() - begin)
            threads = [threading.Thread(target=work, args=(i,)) for i in range(clients)]
            for thread in threads:
                thread.start()
            time.sleep(4 if model == "SAM" else 1.5)  # a model is loaded by its first click
            # A server that waits for its inference answers once in 3 s.
            seconds = 13 if model == "busy" else 4
            runs = [self.load(server, 2, seconds, "--interval", 4) for _ in range(self.args.repeat)]
            end.set()
            for thread in threads:
                thread.join()
            if failed:
                print(f"  {len(failed)} of {len(failed) + len(done)} inferences failed")
            return [sc.median([run[key] for run in runs]) for key in ("p50_ms", "p99_ms", "max_ms")]
        cases = [("geodesic", ())]
        if self.args.package:
            cases.append(("SAM", ("--model", f"SAM={self.args.package.resolve()}")))
        for model, extra in cases:
            mine, _ = self.both(studies, measure, peer=False, extra=extra, model=model, clients=3)
            other = [None] * 3
            if self.args.peer_python and model == "geodesic":
                server = self.peer(studies)
                try:
                    other = measure(server, model="busy", clients=1)
                finally:
                    server.kill()
            self.add(f"/info p50 while {model} computes", "ms", mine[0], other[0])
            self.add(f"/info p99 while {model} computes", "ms", mine[1], other[1], "< 10")
            self.add(f"/info longest while {model} computes", "ms", mine[2], other[2])

    def overhead(self):
        size = (192, 192, 96)  # a mask of 3.5 MB
        studies = self.studies("overhead", 3, [("scan", size)])
        server = self.ours(studies)
        beyond, walls = [], []
        http = sc.Http(server.port)
        for step in range(30 + 2):
            params = {"client_id": "one", "result_extension": ".nrrd", **self.clicks(step, size)}
            begin = time.monotonic()
            answer = http.infer("geodesic", "scan", params)
            wall = time.monotonic() - begin
            latencies = json.loads(answer.parts()["params"][1])["latencies"]
            if step >= 2:
                walls.append(wall)
                beyond.append(wall - latencies["infer"])
        server.kill()
        other = None
        if self.args.peer_python:
            server = self.peer(studies, seconds=0)
            times = []
            for step in range(12):
                begin = time.monotonic()
                http = sc.Http(server.port)
                http.infer("busy", "scan", {"result_extension": ".nrrd"})
                times.append(time.monotonic() - begin)
            server.kill()
            other = 1e3 * sc.median(times[2:])
        self.add("infer beyond the model, 192x192x96, plain NRRD, median", "ms", 1e3 * sc.median(beyond), other, "< 15")
        self.add("infer beyond the model, the same, p90", "ms", 1e3 * sc.quantile(beyond, 0.9), None)
        self.add("whole geodesic infer, the same, median", "ms", 1e3 * sc.median(walls), None)

    def save(self):
        for count in (10, 2000):
            studies = self.studies(f"save_{count}", count, [("scan", LABEL)])

            def measure(server):
                http, saved, raw = sc.Http(server.port), [], []
                for i in range(25):
                    data = sc.counter_label(LABEL, i)
                    body, kind = sc.multipart({"params": "{}"}, {"label": ("label.nii", data)})
                    begin = time.monotonic()
                    answer = http.request("PUT", "/datastore/label?image=scan&tag=final", body, kind)
                    saved.append(time.monotonic() - begin)
                    if answer.status != 200:
                        raise SystemExit(f"label not saved: {answer.status} {answer.body[:200]!r}")
                    begin = time.monotonic()
                    fd = os.open(studies / "labels" / "plain.tmp", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
                    os.write(fd, data)
                    os.fsync(fd)
                    os.close(fd)
                    raw.append(time.monotonic() - begin)
                    os.unlink(studies / "labels" / "plain.tmp")
                return 1e3 * sc.median(saved[3:]), 1e3 * sc.median(raw[3:])
            mine, other = self.both(studies, measure)
            self.add(f"2.3 MB label saved over HTTP, {count} images", "ms", mine[0], other[0] if other else None,
                     f"< {2 * mine[1]:.1f}")
            self.add("  plain write and fsync of the same bytes beside it", "ms", mine[1], other[1] if other else None)

    def memory(self):
        sizes = [("a", (96, 96, 48)), ("b", (128, 96, 64)), ("c", (160, 160, 64))]
        studies = self.studies("memory", 3, sizes)
        server = self.ours(studies)
        http = sc.Http(server.port)
        for step in range(1, 501):
            image, size = sizes[step % 3]
            answer = http.infer("geodesic", image, {"client_id": "one", "result_extension": ".nrrd",
                                                    **self.clicks(step, size)})
            if answer.status != 200:
                raise SystemExit(f"inference failed: {answer.status} {answer.body[:200]!r}")
            if step in (50, 100, 250, 500):
                self.add(f"resident after {step} inferences", "MB", server.rss_mb(), None, "flat")
        server.kill()

    def cancel(self):
        studies = self.studies("cancel", 3, [("big", BIG)])
        server = self.ours(studies)
        lone, newer, statuses = [], [], []

        def click(step, into):
            begin = time.monotonic()
            answer = sc.Http(server.port).infer("geodesic", "big", {"client_id": "one", **self.clicks(step, BIG)}, "json")
            into.append(time.monotonic() - begin)
            return answer.status
        click(0, [])
        for step in range(1, 10):
            click(step, lone)
            older = threading.Thread(target=lambda: statuses.append(click(100 + step, [])))
            older.start()
            time.sleep(0.4 * sc.median(lone))
            click(200 + step, newer)
            older.join()
        server.kill()
        self.add("a click alone, geodesic, 256x256x160", "ms", 1e3 * sc.median(lone), None)
        self.add("the same while an older one of that client runs", "ms", 1e3 * sc.median(newer), None, "about the same")
        self.add("older ones that were stopped (499), of 9", "", sum(s == 499 for s in statuses), None)


@contextlib.contextmanager
def locked(path):
    """Holds the lock of a file, as flock(1) does, so that what takes it too waits."""
    if path is None:
        yield
        return
    with open(path, "ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--voxloom", type=pathlib.Path, required=True)
    parser.add_argument("--http-load", required=True)
    parser.add_argument("--peer-python", type=pathlib.Path, help="Python of the environment with monailabel")
    parser.add_argument("--peer-app", type=pathlib.Path,
                        default=pathlib.Path(__file__).resolve().parent.parent / "peers" / "monailabel_app")
    parser.add_argument("--package", type=pathlib.Path, help="a MedSAM2 package to compute with, beside geodesic")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=SECTIONS)
    parser.add_argument("--lock", type=pathlib.Path, help="file whose lock is held during each section")
    parser.add_argument("--json", type=pathlib.Path)
    args = parser.parse_args()

    work = pathlib.Path(tempfile.mkdtemp(prefix="voxloom-bench-"))
    bench = Bench(args, work)
    print(f"{'':58s} {'':6s} {'voxloom':>9s} {'peer':>9s}  {'wanted':18s} {'load':>5s}")
    try:
        for section in args.only:
            with locked(args.lock):
                getattr(bench, section)()
    finally:
        if args.json:
            args.json.write_text(json.dumps(bench.results, indent=1))
        shutil.rmtree(work)


if __name__ == "__main__":
    sys.exit(main())
