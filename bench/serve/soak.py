#!/usr/bin/env python3
"""Mixed clients on one `voxloom serve` for a while; every answer is checked.

    bench/serve/soak.py --voxloom build/release/bin/voxloom --minutes 30 [--pause 0.05] [--seed N]

Prints resident memory, open files and threads once a minute, at the end what was done and what
failed, by kind. Ends with 1 on any error, when the server dies, or when one of the three grew.
"""
import argparse
import collections
import hashlib
import json
import pathlib
import random
import shutil
import socket
import sys
import tempfile
import threading
import time

import serve_client as sc

SIZE = (64, 64, 32)
LARGE = (256, 256, 96)
IMAGES = 12


class Wrong(Exception):
    """An answer that is not as it must be."""


def expect(condition, what):
    if not condition:
        raise Wrong(what)


class Soak:
    def __init__(self, server, files, seed, pause):
        self.server, self.files, self.pause = server, files, pause
        self.names = sorted(files)
        self.seed = seed
        self.lock = threading.Lock()
        self.done = collections.Counter()
        self.errors = collections.Counter()
        self.samples = {}
        self.end = threading.Event()

    def note(self, kind):
        with self.lock:
            self.done[kind] += 1

    def fail(self, kind, error):
        with self.lock:
            key = f"{kind}: {type(error).__name__}: {error}"
            self.errors[key[:400]] += 1

    def run(self, kind, make):
        """Repeats the steps of a client until the end; a failed step begins anew."""
        rng = random.Random(f"{self.seed} {kind}")
        step = make(rng)
        while not self.end.is_set():
            try:
                self.note(step(sc.Http(self.server.port, keep=rng.random() < 0.5)) or kind.split()[0])
            except Exception as e:  # whatever it is, it is counted and fails the run
                self.fail(kind.split()[0], e)
                self.end.wait(1.0)
            self.end.wait(self.pause * (0.5 + rng.random()))

    # ---- the clients; each returns a function that does one round ----

    def info(self, rng):
        def step(http):
            for _ in range(rng.randint(1, 20)):
                answer = http.get("/info/")
                expect(answer.status == 200, f"status {answer.status}")
                info = answer.json()
                expect("geodesic" in info["models"], "no model")
                expect(info["datastore"]["total"] == IMAGES, f"total {info['datastore']['total']}")
                expect(list(info["strategies"])[:3] == ["random", "first", "last"], "strategies")
                self.note("info")
            http.close()
        return step

    def sample(self, rng):
        def step(http):
            strategy = rng.choice(["random", "first", "last", "img_0003", "uncertain"])
            answer = http.post_json(f"/activelearning/{strategy}", {"client_id": f"sampler{rng.randint(0, 3)}"})
            expect(answer.status == 200, f"{strategy}: status {answer.status}")
            sample = answer.json()
            if not sample:
                return "sample (none left)"
            expect(sample["id"] in self.files, "unknown id")
            expect(sample["name"] == sample["id"] + ".nii", "name")
            data = http.get("/datastore/image?image=" + sample["id"])
            expect(data.status == 200 and data.body == self.files[sample["id"]], "image differs")
            if "checksum" in sample:
                digest = "SHA256:" + hashlib.sha256(data.body).hexdigest()
                expect(sample["checksum"] == digest, "checksum")
            http.close()
        return step

    @staticmethod
    def click(rng, size):
        # Well inside the block: what is right beside a corner of it is the model's affair.
        inside = [rng.randint(3 * n // 8, 5 * n // 8) for n in size]
        return inside, [1, rng.randint(0, size[1] - 1), rng.randint(0, size[2] - 1)]

    def check_mask(self, answer, size, foreground, background):
        expect(answer.status == 200, f"status {answer.status} {answer.body[:80]!r}")
        parts = answer.parts()
        params = json.loads(parts["params"][1])
        expect("latencies" in params, "no latencies")
        fields, voxels = sc.read_nrrd(parts["image"][1])
        expect(fields["sizes"] == " ".join(map(str, size)), "sizes")
        expect(len(voxels) == size[0] * size[1] * size[2], "voxels")
        at = lambda p: voxels[p[0] + size[0] * (p[1] + size[1] * p[2])]
        said = f"{size} +{foreground} -{background}: {params.get('notes')}"
        expect(all(at(p) == 1 for p in foreground), "a foreground click is not inside: " + said)
        expect(all(at(p) == 0 for p in background), "a background click is not outside: " + said)

    def infer(self, rng):
        client = f"clicker{rng.randint(0, 10**9)}"

        def step(http):
            image = rng.choice(self.names)
            size = LARGE if image == "large" else SIZE
            foreground, background = [], []
            for _ in range(rng.randint(1, 4)):  # clicks are added, as a person would
                inside, outside = self.click(rng, size)
                foreground.append(inside)
                if rng.random() < 0.7:
                    background.append(outside)
                params = {"client_id": client, "foreground": foreground, "background": background,
                          "result_extension": ".nrrd", "result_compress": rng.random() < 0.3}
                if rng.random() < 0.1:
                    answer = http.infer("geodesic", image, params, output="json")
                    expect(answer.status == 200 and "latencies" in answer.json(), "json answer")
                else:
                    self.check_mask(http.infer("geodesic", image, params), size, foreground, background)
                self.note("infer")
            if rng.random() < 0.1:
                expect(http.infer("nobody", image, {}).status == 404, "unknown model")
                expect(http.infer("geodesic", "nobody", {}).status == 404, "unknown image")
                bad = http.form("POST", f"/infer/geodesic?image={image}", {"params": "{"})
                expect(bad.status == 400, f"bad params: {bad.status}")
                self.note("refused")
            http.close()
        return step

    def labels(self, rng):
        number = rng.randint(0, 10**9)
        image = self.names[number % (IMAGES - 1)]
        if image == "large":
            image = self.names[0]
        tag = f"tag_{number}"
        counter = 0

        def step(http):
            nonlocal counter
            counter += 1
            data = sc.counter_label(SIZE, counter)
            saved = http.put_label(image, data, tag, {"counter": counter})
            expect(saved.status == 200, f"save: {saved.status} {saved.body[:80]!r}")
            read = http.get(f"/datastore/label?label={image}&tag={tag}")
            expect(read.status == 200 and read.body == data, "label differs")
            info = http.get(f"/datastore/label/info?label={image}&tag={tag}").json()
            expect(info["counter"] == counter, "label info differs")
            if rng.random() < 0.2:
                expect(http.request("DELETE", f"/datastore/label?id={image}&tag={tag}").status == 200, "delete")
                gone = http.request("HEAD", f"/datastore/label?image={image}&tag={tag}")
                expect(gone.status == 404, f"a deleted label: {gone.status}")
            if rng.random() < 0.2:
                final = http.put_label(image, data, "final")
                expect(final.status == 200, f"final: {final.status}")
                stats = http.get("/datastore/").json()
                expect(stats["total"] == IMAGES, "total")
                http.request("DELETE", f"/datastore/label?id={image}&tag=final")
            if rng.random() < 0.1:
                document = http.get("/datastore/?output=all").json()
                expect(len(document["objects"]) == IMAGES, "document")
                expect(http.put_label(image, b"abc", tag).status == 400, "three bytes as a label")
            http.close()
        return step

    def sessions(self, rng):
        data = sc.block_image(SIZE)

        def step(http):
            made = http.form("PUT", "/session/", files={"files": ("scan.nii", data)})
            expect(made.status == 200, f"status {made.status}")
            session = made.json()["session_id"]
            expect(http.get(f"/session/{session}?update_ts=true").status == 200, "get")
            expect(http.get(f"/session/{session}?image=true").body == data, "image differs")
            inside, outside = self.click(rng, SIZE)
            answer = http.infer("geodesic", "", {"client_id": "sessions", "foreground": [inside],
                                                 "background": [outside], "result_extension": ".nrrd"},
                                session_id=session)
            self.check_mask(answer, SIZE, [inside], [outside])
            expect(http.request("DELETE", f"/session/{session}").status == 200, "delete")
            expect(http.get(f"/session/{session}").status == 404, "a deleted session")
            upload = http.form("POST", "/infer/geodesic?output=all",
                               {"params": json.dumps({"foreground": [inside], "background": [outside],
                                                      "result_extension": ".nrrd"})},
                               {"file": ("scan.nii", data)})
            self.check_mask(upload, SIZE, [inside], [outside])
            http.close()
        return step

    def watchers(self, rng):
        def step(http):
            if rng.random() < 0.5:
                stream = sc.WebSocket(self.server.port, "/logs/live?backlog=10")
                for _ in range(rng.randint(5, 60)):
                    line = stream.receive()
                    expect(line is not None, "the log ended")
                    json.loads(line)
            else:
                stream = sc.WebSocket(self.server.port, "/progress?client_id=watched")
                inside, outside = self.click(rng, LARGE)
                http.infer("geodesic", "large", {"client_id": "watched", "foreground": [inside],
                                                 "background": [outside]}, output="json")
                message = json.loads(stream.receive())
                expect(message["client"] == "watched" and message["model"] == "geodesic", "progress")
            stream.close(politely=rng.random() < 0.5)
            http.close()
        return step

    def rude(self, rng):
        """Clients that go away in the middle."""
        def step(http):
            inside, _ = self.click(rng, LARGE)
            body, kind = sc.multipart({"params": json.dumps({"client_id": "rude", "foreground": [inside]})})
            head = (f"POST /infer/geodesic?image=large HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\n"
                    f"Content-Length: {len(body)}\r\n\r\n").encode()
            upload, upload_kind = sc.multipart({}, {"label": ("x.nii", sc.counter_label(SIZE, 1))})
            upload_head = (f"PUT /datastore/label?image={self.names[0]}&tag=rude HTTP/1.1\r\nHost: x\r\n"
                           f"Content-Type: {upload_kind}\r\nContent-Length: {len(upload)}\r\n\r\n").encode()
            whole, cut = rng.choice([(head + body, False), (head + body, True), (upload_head + upload, True),
                                     (b"GET /datastore/image?image=large HTTP/1.1\r\nHost: x\r\n\r\n", False),
                                     (b"GET /info/ HTTP/1.1\r\nHo", False), (b"\x16\x03\x01\x02\x00", False)])
            with socket.create_connection(("127.0.0.1", self.server.port), timeout=10) as peer:
                peer.sendall(whole[:rng.randint(1, len(whole) - 1)] if cut else whole)
                time.sleep(rng.random() * 0.1)
                if rng.random() < 0.5:
                    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            http.close()
        return step

    def impatient(self, rng):
        """A newer click of the same client ends the older one."""
        def step(http):
            statuses = []

            def older():
                try:
                    first = sc.Http(self.server.port)
                    inside, outside = self.click(rng, LARGE)
                    statuses.append(first.infer("geodesic", "large", {"client_id": "impatient", "foreground": [inside],
                                                                      "background": [outside]}).status)
                    first.close()
                except Exception as e:
                    self.fail("impatient", e)
            thread = threading.Thread(target=older)
            thread.start()
            time.sleep(rng.random() * 0.1)
            inside, outside = self.click(rng, LARGE)
            answer = http.infer("geodesic", "large", {"client_id": "impatient", "foreground": [inside],
                                                      "background": [outside], "result_extension": ".nrrd"})
            thread.join()
            # The two threads may arrive in either order.
            expect(set(statuses) <= {200, 499} and answer.status in (200, 499), f"{statuses} {answer.status}")
            expect(200 in (*statuses, answer.status), "both were stopped")
            if answer.status == 200:
                self.check_mask(answer, LARGE, [inside], [outside])
            http.close()
            return "impatient (older stopped)" if 499 in statuses else "impatient"
        return step


def grew(rows, column, room):
    """Median of the last fifth beyond that of the second fifth by more than `room`, 0 if not."""
    fifth = max(1, len(rows) // 5)
    early = sc.median([row[column] for row in rows[fifth:2 * fifth]])
    late = sc.median([row[column] for row in rows[-fifth:]])
    return late - early if late - early > room(early) else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--voxloom", type=pathlib.Path, required=True)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--pause", type=float, default=0.05, help="seconds between a client's rounds")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=pathlib.Path)
    args = parser.parse_args()

    work = pathlib.Path(tempfile.mkdtemp(prefix="voxloom-soak-"))
    studies = work / "studies"
    studies.mkdir()
    files = {f"case_{i:02d}": sc.block_image(SIZE) for i in range(IMAGES - 1)}
    files["large"] = sc.block_image(LARGE)
    for name, data in files.items():
        (studies / f"{name}.nii").write_bytes(data)
    server = sc.start_voxloom(args.voxloom.resolve(), studies, work, ["--memory-mb", "256"])
    soak = Soak(server, files, args.seed, args.pause)
    clients = [("info 1", soak.info), ("info 2", soak.info), ("sample", soak.sample),
               ("infer 1", soak.infer), ("infer 2", soak.infer), ("infer 3", soak.infer),
               ("labels 1", soak.labels), ("labels 2", soak.labels), ("sessions", soak.sessions),
               ("watchers", soak.watchers), ("rude", soak.rude), ("impatient", soak.impatient)]
    threads = [threading.Thread(target=soak.run, args=c, daemon=True) for c in clients]
    for thread in threads:
        thread.start()
    begin = time.monotonic()
    rows, next_print = [], 0.0
    interval = max(1.0, min(10.0, args.minutes * 60 / 60))
    print(f"{'minute':>8} {'RSS MB':>8} {'files':>6} {'threads':>8} {'rounds':>8} {'errors':>7}")
    while server.alive() and time.monotonic() - begin < args.minutes * 60:
        rows.append((server.rss_mb(), server.files(), server.threads()))
        now = (time.monotonic() - begin) / 60
        if now >= next_print:
            next_print += max(1 / 6, min(1.0, args.minutes / 20))
            print(f"{now:8.1f} {rows[-1][0]:8.1f} {rows[-1][1]:6d} {rows[-1][2]:8d} "
                  f"{sum(soak.done.values()):8d} {sum(soak.errors.values()):7d}", flush=True)
        time.sleep(interval)
    soak.end.set()
    patience = time.monotonic() + 60
    while any(thread.is_alive() for thread in threads) and time.monotonic() < patience:
        if server.alive():
            sc.Http(server.port, keep=False).get("/info/")  # Who waits for a line of the log gets one.
        time.sleep(0.1)
    status = 0
    if any(thread.is_alive() for thread in threads):
        print("a client hangs")
        status = 1
    if server.alive():
        time.sleep(2)
        print(f"at rest: {server.rss_mb():.1f} MB, {server.files()} files, {server.threads()} threads")
        code = server.stop()
        print(f"stopped on SIGTERM with {code}")
        status |= code != 0
    else:
        print(f"the server died with {server.process.returncode}, see {work}/server.log")
        status = 1
    for kind, count in sorted(soak.done.items()):
        print(f"  {count:8d} {kind}")
    for kind, count in soak.errors.most_common():
        print(f"  ERROR {count:6d} {kind}")
        status = 1
    for column, (name, room) in enumerate([("RSS", lambda e: 8 + 0.05 * e), ("files", lambda e: 8), ("threads", lambda e: 4)]):
        if growth := grew(rows, column, room):
            print(f"  GREW {name} by {growth:.1f}")
            status = 1
    if args.json:
        args.json.write_text(json.dumps({"rows": rows, "done": soak.done, "errors": soak.errors}, indent=1))
    if not status:
        shutil.rmtree(work)
    print("ok" if not status else f"failed; files are in {work}")
    sys.exit(status)


if __name__ == "__main__":
    main()
