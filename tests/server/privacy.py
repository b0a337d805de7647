"""No name, id, tag, path or header value of a request may reach a log.

Marked values go through every route in every place that a client can fill, in requests that succeed
and requests that fail. Then everything that the server wrote for people is searched for the marks:
the log files, standard error, standard output, /logs/, the WebSocket, a monitor that connected, a
front end that the log is pushed to, and what jobs left.
"""
import glob
import json
import os
import re
import shutil
import socket
import tempfile
import threading
import time
import unittest
import urllib.parse

from door import ROUTES, WEBSOCKETS
from doorlib import Served, WebSocket, add_user, form, nrrd, read, signed_token

MARK = "zqmark"  # every mark begins so: no word, hash or address of the server holds it


class Collector:
    """Reads a socket to its end, on a thread of its own."""

    def __init__(self, link):
        self.link, self.data = link, b""
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        try:
            while piece := self.link.recv(65536):
                self.data += piece
        except OSError:
            pass


def places(served, mark):
    """Requests with `mark` in each place, as (method, path, body, headers)."""
    quoted = urllib.parse.quote(mark)
    header = {"X-Patient": mark, "User-Agent": mark, "Referer": "http://h/" + quoted,
              "Cookie": "patient=" + quoted}
    text = {**header, "Content-Type": "application/json"}
    image = [("file", f"C:\\data\\{mark}\\{mark}.nrrd", nrrd())]
    label = [("label", f"/data/{mark}/{mark}.nrrd", nrrd(1))]
    params = {"client_id": mark, "label": mark, "label_info": [{"name": mark, "idx": 1}],
              mark: [[1, 1, 1]], "foreground": [[4, 4, 2]], "label_tag": mark, "save_label": True}

    def multipart(fields, files=()):
        body, headers = form(fields, files)
        return body, {**header, **headers}
    yield "PUT", f"/datastore/?image={quoted}", *multipart([("params", {"patient": mark})], image)
    yield "PUT", "/datastore/image", *multipart([(mark, mark)], image)  # the name's own id
    yield "PUT", f"/datastore/?image={quoted}", *multipart([("params", mark)], image)
    yield "PUT", f"/datastore/?image=..%2F{quoted}", *multipart([], image)
    yield "PUT", f"/datastore/?image=x{quoted}", *multipart(
        [], [("file", mark + ".nrrd", b"no volume " + mark.encode())])
    yield "PUT", f"/datastore/?image=y{quoted}", *multipart(
        [], [("file", mark + ".exe", b"MZ")])
    for id_ in (quoted, "a"):
        for tag in (quoted, "final", "..%2F" + quoted):
            where = f"image={id_}&tag={tag}"
            yield "PUT", "/datastore/label?" + where, *multipart([("params", params)], label)
            yield "PUT", "/datastore/label?" + where, *multipart(
                [("params", params)], [("label", mark + ".nrrd", nrrd(1, (3, 3, 3)))])
            yield "PUT", "/datastore/label?" + where, *multipart(
                [], [("label", mark + ".nii.gz", mark.encode())])
            where = f"label={id_}&tag={tag}"
            for path in ("/datastore/label/info?", "/datastore/updatelabelinfo?"):
                field = "info" if "info?" in path and "update" not in path else "params"
                yield "PUT", path + where, *multipart([(field, {"approvedBy": mark})])
                yield "PUT", path + where, *multipart([(field, "{" + mark)])
            for method in ("GET", "HEAD"):
                yield method, "/datastore/label?" + where, None, header
            yield "GET", "/datastore/label/info?" + where, None, header
        yield "PUT", f"/datastore/image/info?image={id_}", *multipart([("info", {mark: mark})])
        yield "GET", f"/datastore/image?image={id_}", None, header
        yield "HEAD", f"/datastore/image?image={id_}&check_sum={quoted}", None, header
        yield "GET", f"/datastore/image/info?image={id_}", None, header
        for output in ("all", "image", "json", "dicom_seg", quoted):
            yield ("POST", f"/infer/geodesic?image={id_}&output={output}",
                   *multipart([("params", params)]))
        broken = {**params, "foreground": mark}
        yield "POST", f"/infer/geodesic?image={id_}", *multipart([("params", broken)])
        yield "POST", f"/infer/geodesic?image={id_}", *multipart([("params", "[" + mark)])
        yield "POST", f"/infer/geodesic?image={id_}", *multipart(
            [("params", {**params, "result_extension": mark, "device": mark, "window": mark})])
    yield "POST", f"/infer/{quoted}?image=a", *multipart([("params", params)])
    yield "POST", "/infer/geodesic?output=json", *multipart([("params", params)], image)
    yield "POST", "/infer/geodesic?output=json", *multipart(
        [("params", params)], [("file", mark + ".nii.gz", mark.encode())])
    yield "POST", "/infer/geodesic?image=a", *multipart([("params", params)], label)
    yield "POST", f"/infer/geodesic?image={quoted}&session_id={quoted}", *multipart([])
    yield "PUT", f"/session/?expiry={quoted}", *multipart(
        [("client_id", mark)], [("files", mark + ".nrrd", nrrd())])
    yield "PUT", "/session/", *multipart(
        [("client_id", mark)], [("files", mark + ".nrrd", nrrd()), ("files", mark, b"x")])
    yield "PUT", "/session/?uncompress=true", *multipart(
        [], [("files", mark + ".zip", b"PK" + mark.encode())])
    yield "GET", f"/session/{quoted}?image={quoted}", None, header
    yield "DELETE", f"/session/{quoted}", None, header
    for strategy in ("random", "first", quoted):
        yield "POST", f"/activelearning/{strategy}", f'{{"client_id": "{mark}"}}', text
        yield "POST", f"/activelearning/{strategy}", f'{{"{mark}": ', text
    for body in (f'{{"name": "{mark}", "label_tag": "{mark}", "{mark}": "{mark}"}}', mark):
        for path in ("/train/", f"/train/{quoted}", f"/batch/infer/{quoted}",
                     "/batch/infer/geodesic?run_sync=true", f"/batch/infer/geodesic?images={quoted}",
                     "/scoring/?run_sync=true", f"/scoring/{quoted}", "/scoring/dice?run_sync=true"):
            yield "POST", path, body, text
    for path in ("/train/", "/batch/infer", "/scoring/"):
        yield "GET", f"{path}?all={quoted}&check_if_running={quoted}", None, header
        yield "DELETE", f"{path}?{quoted}={quoted}", None, header
    yield "GET", f"/model/{quoted}", None, header
    yield "GET", f"/model/info/{quoted}", None, header
    for model in (quoted, "geodesic"):
        yield "PUT", f"/model/{model}", *multipart([], [("file", mark + ".pt", mark.encode())])
    yield "DELETE", f"/model/{quoted}", None, header
    yield "GET", f"/logs/?lines={quoted}", None, header
    yield "GET", f"/ohif/{quoted}", None, header
    yield "GET", f"/{quoted}", None, header
    yield "GET", f"/info/?{quoted}={quoted}", None, header
    yield "GET", f"/%00{quoted}", None, header
    yield "POST", "/auth/token", f"username={quoted}&password={quoted}", {
        **header, "Content-Type": "application/x-www-form-urlencoded"}
    yield "POST", "/auth/token", "username=admin&password=" + quoted, {
        **header, "Content-Type": "application/x-www-form-urlencoded"}
    yield "GET", "/datastore/?output=" + quoted, None, header
    yield "GET", "/datastore/dataset?limit_cases=" + quoted, None, header
    yield "GET", "/datastore/dataset", None, header
    yield "POST", "/reload", None, header
    yield "DELETE", f"/datastore/label?id={quoted}&tag={quoted}", None, header
    yield "DELETE", f"/datastore/image?id={quoted}", None, header
    yield "DELETE", f"/datastore/image?id=..%2F{quoted}", None, header
    for method, pattern, _, _, path in ROUTES:
        if pattern in WEBSOCKETS or "proxy" in pattern:
            continue
        filled = re.sub(r"\bnone\b", quoted, path)
        yield method, filled + ("&" if "?" in filled else "?") + f"{quoted}={quoted}", None, header


def raw_requests(mark):
    """What is no proper request."""
    name = mark.encode()
    yield name + b" /info/ HTTP/1.1\r\nHost: h\r\n\r\n"
    yield b"GET /info/ HTTP/1.1\r\nHost: " + name + b"\r\n\r\n"
    yield b"GET /info/" + name + b"\r\n\r\n"
    yield name + b"\r\n\r\n"
    yield b"GET http://" + name + b"/ HTTP/1.1\r\nHost: h\r\n" + name + b"\r\n\r\n"
    yield b"GET / HTTP/9." + name + b"\r\n\r\n"
    yield b"GET / HTTP/1.1\r\nHost: h\r\nContent-Length: " + name + b"\r\n\r\n"
    yield b"POST /reload HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: " + name + b"\r\n\r\n"
    yield b"POST /reload HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" + name + b"\r\n"
    yield b"GET /info/ HTTP/1.1\r\nHost: h\r\nOrigin: http://" + name + b"\r\n\r\n"
    yield b"GET /info/ HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer " + name + b"\r\n\r\n"
    yield b"GET /info/ HTTP/1.1\r\nHost: h\r\nAuthorization: " + name + b"\r\n\r\n"
    bodies = [b"--b\r\n" + name + b"\r\n\r\n",
              b"--b\r\nContent-Disposition: form-data; name=\"" + name,
              b"--b\r\nContent-Disposition: " + name + b"\r\n\r\nx\r\n--b--\r\n"]
    for body in bodies:
        yield (b"PUT /datastore/?image=" + name + b" HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
               b"Content-Type: multipart/form-data; boundary=b\r\n"
               b"Content-Length: " + str(len(body)).encode() + b"\r\n\r\n" + body)


class PrivacyTest(unittest.TestCase):
    def setUp(self):
        self.home = tempfile.mkdtemp(prefix="voxloom-privacy-")
        self.addCleanup(shutil.rmtree, self.home)

    def run_marked(self, accounts):
        home = os.path.join(self.home, "accounts" if accounts else "open")
        os.makedirs(home)
        options, self.token = [], None
        if accounts:
            users = os.path.join(home, "users.json")
            add_user(users, "admin", "a long pass word", "admin")
            add_user(users, MARK + "user", "a long pass word", "user")
            options = ["--users", users]
            self.token = signed_token(users, "admin", int(time.time()) + 3600)
        front_end = socket.create_server(("127.0.0.1", 0))
        front_end.settimeout(30)
        logs = os.path.join(home, "logs")
        # An index of which a part is of no use: the server says so when it starts.
        studies = os.path.join(home, "studies")
        os.makedirs(studies)
        with open(os.path.join(studies, "datastore_v2.json"), "w") as file:
            json.dump({"objects": {MARK + "/..": {"image": MARK}, MARK: MARK,
                                   MARK + "gone": {"image": {"ext": ".nrrd", "info": {}}}}}, file)
        with open(os.path.join(studies, MARK + "\x01.nrrd"), "wb") as file:
            file.write(nrrd())
        environment = {**os.environ, "VOXLOOM_LOG": "debug"}
        served = Served(home, *options, "--verbose", "--log-dir", logs,
                        "--log-listen", "127.0.0.1:0", "--log-push",
                        "127.0.0.1:%d" % front_end.getsockname()[1], images=("a",),
                        environment=environment)
        try:
            return self.go_through(served, front_end, logs, accounts)
        finally:
            if served.process.poll() is None:
                served.stop()
            front_end.close()

    def go_through(self, served, front_end, logs, accounts):
        pushed, _ = front_end.accept()
        pushed.settimeout(None)
        pushed = Collector(pushed)
        port, token_file = re.search(r"log monitors: port (\d+), token in (\S+)",
                                     served.printed()).groups()
        monitors = {}
        for name, hello in (("right", read(token_file).strip()), ("wrong", "x" * 48), ("none", "")):
            link = socket.create_connection(("127.0.0.1", int(port)))
            monitors[name] = Collector(link)
            if hello:
                link.sendall(hello.encode() + b'\n{"level": "debug"}\n')
        live = WebSocket(served, "/logs/live?level=debug", self.token)
        self.assertEqual(live.status, 101)
        live_lines = []

        def follow():
            while (line := live.receive()) is not None:
                live_lines.append(line)
        threading.Thread(target=follow, daemon=True).start()

        # Files that come and go by themselves, too.
        folder = os.path.join(served.studies, MARK + "folder")
        os.makedirs(folder)
        for name in (MARK + "found.nrrd", MARK + "broken.nii.gz"):
            with open(os.path.join(folder, name), "wb") as file:
                file.write(nrrd())
        os.symlink("/etc/hostname", os.path.join(served.studies, MARK + "link.nrrd"))
        strays = os.path.join(served.studies, "labels", MARK + "tag")
        os.makedirs(strays)
        with open(os.path.join(strays, MARK + "stray.nrrd"), "wb") as file:
            file.write(nrrd(1))
        statuses = {}
        count = 0
        for number, mark in enumerate((MARK + "DOE^JOHN", MARK + " o'neil \"q\" x", MARK + "/p/q.nii",
                                       MARK + "\u00e9\n1")):
            for method, path, body, headers in places(served, mark):
                if body is not None and isinstance(body, str):
                    body = body.encode()
                safe = {k: re.sub(r"[^ -~]", "_", v) for k, v in headers.items()}
                answer = served.ask(method, path, body, safe, self.token)
                statuses[answer.status] = statuses.get(answer.status, 0) + 1
                self.assertNotEqual(answer.status, 500, f"{method} {path}: {answer.body[:300]}")
                count += 1
        for data in raw_requests(MARK + "raw"):
            served.send(data, wait=1.0)
            count += 1
        self.assertTrue(served.alive())
        self.assertGreater(statuses[200], 100)
        for status in (400, 404, 422):
            self.assertGreater(statuses.get(status, 0), 10, statuses)
        shown = served.ask("GET", "/logs/?text=true&lines=0", token=self.token).body
        self.assertGreater(shown.count(b"\n"), count // 2)
        last = served.ask("GET", "/logs/?text=true&lines=1", token=self.token).body
        self.assertTrue(last)
        time.sleep(0.5)  # the followers are behind by that at most
        served.stop()
        places_of_logs = {
            "/logs/": shown, "standard error": read(served.err).encode(),
            "standard output": read(served.out).encode(), "the monitor": monitors["right"].data,
            "the front end": pushed.data, "the WebSocket": "\n".join(live_lines).encode()}
        for path in glob.glob(os.path.join(logs, "*")):
            places_of_logs["file " + os.path.basename(path)] = read(path).encode()
        for name, data in places_of_logs.items():
            hits = [line for line in data.split(b"\n") if MARK.encode() in line.lower()]
            with self.subTest(log=name, accounts=accounts):
                self.assertEqual(hits[:5], [])
                least = 50 if name.startswith("standard") else 1000
                self.assertGreater(len(data), least, "nothing was looked at")
        self.assertEqual(monitors["wrong"].data, b"")
        self.assertEqual(monitors["none"].data, b"")
        paths = served.home.encode()
        for name, data in places_of_logs.items():
            if name != "standard output":  # there the person who starts it is told
                self.assertNotIn(paths, data, name)
        print(f"{count} requests, answers {dict(sorted(statuses.items()))}, "
              f"{sum(len(d) for d in places_of_logs.values())} bytes searched", flush=True)

    def test_without_accounts(self):
        self.run_marked(False)

    def test_with_accounts(self):
        self.run_marked(True)


if __name__ == "__main__":
    unittest.main()
