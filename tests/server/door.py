"""Who may do what: every route of the server, asked by everyone; limits, log-ins, origins, TLS.

What is expected stands in ROUTES, written from the protocol's description (its section in the last
column), not from the code. The source is searched for routes that are missing there.
--markdown FILE writes the table of what was seen.
"""
import argparse
import glob
import http.server
import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import unittest

from doorlib import PROGRAM, ROLES, SOURCE, Served, WebSocket, add_user, form, nrrd, signed_token

# Method, pattern, role ("": nobody is asked, "token": any account), where that is written; the
# address to ask (nothing is changed by it) and what is sent there.
URLENCODED = {"Content-Type": "application/x-www-form-urlencoded"}
ROUTES = [
    ("GET", "/auth/", "", "5.6", "/auth/"),
    ("POST", "/auth/token", "", "5.6", "/auth/token"),
    ("GET", "/auth/token/valid", "token", "5.6", "/auth/token/valid"),
    ("GET", "/info/", "user", "1", "/info/"),
    ("POST", "/activelearning/{strategy}", "user", "2", "/activelearning/none"),
    ("POST", "/infer/{model}", "user", "3", "/infer/none"),
    ("GET", "/datastore/", "user", "4.1", "/datastore/?output=all"),
    ("PUT", "/datastore/", "annotator", "4.1", "/datastore/?image=x"),
    ("DELETE", "/datastore/", "admin", "4.1", "/datastore/?id=none"),
    ("GET", "/datastore/image", "user", "4.1", "/datastore/image?image=a"),
    ("HEAD", "/datastore/image", "user", "4.1", "/datastore/image?image=a"),
    ("PUT", "/datastore/image", "annotator", "4.1", "/datastore/image?image=x"),
    ("DELETE", "/datastore/image", "admin", "4.1", "/datastore/image?id=none"),
    ("GET", "/datastore/image/info", "user", "4.1", "/datastore/image/info?image=a"),
    ("PUT", "/datastore/image/info", "annotator", "4.1", "/datastore/image/info?image=none"),
    ("GET", "/datastore/label", "user", "4.1", "/datastore/label?label=a"),
    ("HEAD", "/datastore/label", "user", "4.1", "/datastore/label?image=a"),
    ("PUT", "/datastore/label", "annotator", "4.1", "/datastore/label?image=none"),
    ("DELETE", "/datastore/label", "admin", "4.1", "/datastore/label?id=none&tag=final"),
    ("GET", "/datastore/label/info", "user", "4.1", "/datastore/label/info?label=a"),
    ("PUT", "/datastore/label/info", "annotator", "4.1", "/datastore/label/info?label=none"),
    ("PUT", "/datastore/updatelabelinfo", "annotator", "4.1",
     "/datastore/updatelabelinfo?label=none"),
    ("GET", "/datastore/dataset", "annotator", "4.1", "/datastore/dataset"),
    ("PUT", "/session/", "user", "5.2", "/session/"),
    ("GET", "/session/{session_id}", "user", "5.2", "/session/none"),
    ("DELETE", "/session/{session_id}", "user", "5.2", "/session/none"),
    ("GET", "/train/", "user", "5.1", "/train/"),
    ("POST", "/train/", "admin", "5.1", "/train/"),
    ("POST", "/train/{model}", "admin", "5.1", "/train/none"),
    ("DELETE", "/train/", "admin", "5.1", "/train/"),
    ("GET", "/batch/infer", "user", "5.1", "/batch/infer"),
    ("POST", "/batch/infer/{model}", "admin", "5.1", "/batch/infer/none"),
    ("DELETE", "/batch/infer", "admin", "5.1", "/batch/infer"),
    ("GET", "/scoring/", "user", "5.1", "/scoring/"),
    ("POST", "/scoring/", "annotator", "5.1", "/scoring/?enqueue=true"),
    ("POST", "/scoring/{method}", "annotator", "5.1", "/scoring/none"),
    ("DELETE", "/scoring/", "annotator", "5.1", "/scoring/"),
    ("GET", "/model/{model}", "admin", "5.3", "/model/none"),
    ("GET", "/model/info/{model}", "user", "5.3", "/model/info/none"),
    # "Annotator" there is called a mistake of the original, which documents admin.
    ("PUT", "/model/{model}", "admin", "5.3", "/model/none"),
    ("DELETE", "/model/{model}", "admin", "5.3", "/model/none"),
    ("GET", "/logs/", "admin", "5.4", "/logs/?text=true"),
    ("GET", "/logs/gpu", "admin", "5.4", "/logs/gpu"),
    ("GET", "/logs/live", "admin", "own", "/logs/live"),
    ("GET", "/progress", "user", "own", "/progress?client_id=x"),
    ("POST", "/reload", "admin", "0.6", "/reload"),
    ("GET", "/", "", "0.6", "/"),
    ("GET", "/docs", "", "0.6", "/docs"),
    ("GET", "/openapi.json", "", "0.6", "/openapi.json"),
    ("GET", "/favicon.ico", "", "0.6", "/favicon.ico"),
    ("GET", "/healthz", "", "own", "/healthz"),
    ("HEAD", "/healthz", "", "own", "/healthz"),
    ("GET", "/metrics", "", "own", "/metrics"),
    ("GET", "/ohif/{path}", "", "5.5", "/ohif/index.html"),
    ("GET", "/proxy/dicom/{path}", "user", "5.5", "/proxy/dicom/qido/studies"),
    # The original asks for "user" here too; what is posted is stored, as a label is.
    ("POST", "/proxy/dicom/{path}", "annotator", "own", "/proxy/dicom/stow/studies"),
]
WEBSOCKETS = ("/logs/live", "/progress")
WHO = ("no token", "wrong", "expired") + ROLES
LOG_IN_BODY = "username={}&password=a+long+pass+word&grant_type=password"


class Archive(http.server.BaseHTTPRequestHandler):
    """A DICOMweb server that has nothing: it is there for the routes of the proxy."""

    def do_GET(self):  # noqa: N802 (the name is the library's)
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(200)
        self.send_header("Content-Type", "application/dicom+json")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"[]")

    do_POST = do_GET  # noqa: N815

    def log_message(self, *_):
        pass


def patterns_of_the_source():
    """Every text in the server's source that is put where a route's pattern goes."""
    found = set()
    for path in glob.glob(os.path.join(SOURCE, "src/voxloom/serve/**/*.cpp"), recursive=True):
        with open(path) as file:
            text = file.read()
        if "http::Route" not in text and "Route " not in text:
            continue
        for match in re.finditer(r'(?:pattern = |\{|\(|, |\n\s*)"(/[a-z_/{}.*]*)"', text):
            found.add(match.group(1).replace("*}", "}"))
    return {pattern for pattern in found if not pattern.startswith("/proc/")}


def expected(role, who):
    if role == "":
        return "open"
    if who not in ROLES:
        return 401
    return "open" if role in ("token", who) or who == "admin" else 403


class DoorTest(unittest.TestCase):
    rows = []

    @classmethod
    def setUpClass(cls):
        cls.home = tempfile.mkdtemp(prefix="voxloom-door-")
        cls.users = os.path.join(cls.home, "users.json")
        for role in ROLES:
            add_user(cls.users, role, "a long pass word", role)
        cls.served = Served(os.path.join(cls.home, "main"), "--users", cls.users)
        in_an_hour = int(time.time()) + 3600
        cls.tokens = {role: signed_token(cls.users, role, in_an_hour) for role in ROLES}
        good = cls.tokens["admin"]
        cls.tokens["wrong"] = good[:-4] + ("AAAA" if good[-4:] != "AAAA" else "BBBB")
        cls.tokens["expired"] = signed_token(cls.users, "admin", int(time.time()) - 1)
        cls.archive = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Archive)
        threading.Thread(target=cls.archive.serve_forever, daemon=True).start()

    @classmethod
    def tearDownClass(cls):
        cls.archive.shutdown()
        cls.archive.server_close()
        cls.served.stop()
        shutil.rmtree(cls.home)

    def log_in(self, name, password="a+long+pass+word", served=None, source=None):
        body = f"username={name}&password={password}&grant_type=password"
        return (served or self.served).ask("POST", "/auth/token", body, URLENCODED, source=source)

    def seen(self, served, method, pattern, address, who):
        token = self.tokens.get(who)
        if pattern in WEBSOCKETS:
            socket_ = WebSocket(served, address, token)
            socket_.close()
            return socket_.status, socket_.head.decode().lower()
        answer = served.ask(method, address, headers={}, token=token)
        return answer.status, "\r\n".join(f"{k}: {v}" for k, v in answer.headers.items()).lower()

    def check_routes(self, served, routes):
        for method, pattern, role, section, address in routes:
            row = []
            for who in WHO:
                status, head = self.seen(served, method, pattern, address, who)
                want = expected(role, who)
                with self.subTest(route=method + " " + pattern, who=who, status=status):
                    if want == "open":
                        self.assertNotIn(status, (401, 403, 429))
                        self.assertLess(status, 500)
                    else:
                        self.assertEqual(status, want)
                    self.assertEqual("www-authenticate: bearer" in head, status == 401)
                row.append((want, status))
            self.rows.append((method, pattern, role, section, row))

    def test_every_route_for_everyone(self):
        self.check_routes(self.served, [r for r in ROUTES if "/proxy/" not in r[1]])

    def test_the_proxy_for_everyone(self):
        archive = f"http://127.0.0.1:{self.archive.server_port}/dicom-web"
        served = Served(os.path.join(self.home, "proxy"), "--users", self.users, studies=archive)
        try:
            self.check_routes(served, [r for r in ROUTES if "/proxy/" in r[1]])
        finally:
            served.stop()

    def test_no_route_is_left_out(self):
        table = {(method, pattern.rstrip("/")) for method, pattern, *_ in ROUTES}
        listed = set()
        document = self.served.ask("GET", "/openapi.json").json
        for path, methods in document["paths"].items():
            listed |= {(method.upper(), path.rstrip("/")) for method in methods}
        self.assertEqual(listed - table, set(), "in /openapi.json, not here")
        of_source = {pattern.rstrip("/") for pattern in patterns_of_the_source()}
        here = {pattern for _, pattern in table}
        self.assertEqual(of_source - here, set(), "in the source, not here")
        self.assertEqual(here - of_source - {path for _, path in listed}, set())

    def test_what_is_open_to_all_is_open_and_no_more(self):
        for path in ("/", "/docs", "/openapi.json", "/favicon.ico", "/healthz", "/metrics"):
            answer = self.served.ask("GET", path)
            self.assertEqual(answer.status, 200, path)
            self.assertNotIn(self.served.studies.encode(), answer.body, path)
        self.assertEqual(self.served.ask("GET", "/nothing").status, 404)
        self.assertEqual(self.served.ask("PATCH", "/info/").status, 405)

    def test_tokens_of_others(self):
        self.assertEqual(self.served.ask("GET", "/info/", token="v1.e30.AAAA").status, 401)
        for header in ("", "Bearer", "Bearer ", "Basic YTpi", self.tokens["user"],
                       "Bearer " + "x" * 5000):
            answer = self.served.ask("GET", "/info/", headers={"Authorization": header})
            self.assertEqual(answer.status, 401, header[:20])
        for header in ("bearer " + self.tokens["user"], "BEARER  " + self.tokens["user"]):
            answer = self.served.ask("GET", "/info/", headers={"Authorization": header})
            self.assertEqual(answer.status, 200, header[:8])
        # A token in the address is for WebSockets alone: addresses are kept in many places.
        with_query = self.served.ask("GET", "/info/?access_token=" + self.tokens["user"])
        self.assertEqual(with_query.status, 401)
        # A new password ends the tokens of the old one.
        add_user(self.users, "guest", "a long pass word", "user")
        token = signed_token(self.users, "guest", int(time.time()) + 60)
        self.until(lambda: self.served.ask("GET", "/info/", token=token).status, 200)
        subprocess.run([PROGRAM, "serve", "user", "remove", "guest", "--users", self.users],
                       check=True, stdout=subprocess.DEVNULL)
        self.until(lambda: self.served.ask("GET", "/info/", token=token).status, 401)

    def until(self, value, wanted):
        for _ in range(600):
            if value() == wanted:
                return
            time.sleep(0.05)
        self.fail(f"expected {wanted}, got {value()}")

    def test_logging_in(self):
        answer = self.log_in("user")
        self.assertEqual(answer.status, 200)
        self.assertEqual(list(answer.json), ["access_token", "token_type"])
        token = answer.json["access_token"]
        who = self.served.ask("GET", "/auth/token/valid", token=token)
        self.assertEqual((who.status, who.json["username"], who.json["roles"]),
                         (200, "user", ["user"]))
        body, headers = form([("username", "user"), ("password", "a long pass word")])
        self.assertEqual(self.served.ask("POST", "/auth/token", body, headers).status, 200)
        self.assertEqual(self.served.ask("POST", "/auth/token").status, 422)

    def test_guessing_is_slowed_down(self):
        served = Served(os.path.join(self.home, "guess"), "--users", self.users)
        try:
            statuses = [self.log_in("user", "wrong", served).status for _ in range(7)]
            self.assertEqual(statuses[:5], [401] * 5)
            self.assertEqual(statuses[-1], 429)
            refused = self.log_in("user", served=served)
            self.assertEqual(refused.status, 429, "the right password must wait as well")
            self.assertGreaterEqual(int(refused.headers["retry-after"]), 1)
            elsewhere = self.log_in("annotator", served=served, source="127.0.0.2")
            self.assertEqual(elsewhere.status, 200, "others must not wait")
            first = self.log_in("user", "wrong", served)
            self.assertEqual(first.status, 429)
            # Unknown names are answered like known ones.
            one = self.log_in("user", "wrong", served, "127.0.0.3")
            other = self.log_in("nobody", "wrong", served, "127.0.0.4")
            self.assertIn(one.status, (401, 429))
            self.assertEqual((other.status, other.detail), (401, "wrong user name or password"))
            self.assertEqual(other.headers["www-authenticate"], "Bearer")
        finally:
            served.stop()

    def test_the_image_of_a_sample_without_a_token(self):
        image = "/datastore/image?image=b"
        self.assertEqual(self.served.ask("GET", image).status, 401)
        sample = self.served.ask("POST", "/activelearning/last", token=self.tokens["user"])
        self.assertEqual((sample.status, sample.json["id"]), (200, "b"))
        own = self.served.ask("GET", image)
        self.assertEqual((own.status, own.body), (200, nrrd()))
        self.assertEqual(self.served.ask("GET", image, source="127.0.0.2").status, 401)
        for method, path in (("GET", "/datastore/image?image=a"), ("HEAD", image),
                             ("GET", "/datastore/image/info?image=b"),
                             ("GET", "/datastore/label?label=b"),
                             ("GET", "/datastore/image?image=a&image=b"),
                             ("DELETE", "/datastore/image?id=b"), ("GET", "/info/")):
            self.assertEqual(self.served.ask(method, path).status, 401, method + " " + path)
        # A wrong token is not as good as none.
        self.assertEqual(self.served.ask("GET", image, token="x").status, 401)

    def test_keeping_a_prediction_is_for_annotators(self):
        def infer(role):
            body, headers = form([("params", {"foreground": [[4, 4, 2]], "save_label": True,
                                              "label_tag": "kept"})])
            return self.served.ask("POST", "/infer/geodesic?image=a&output=json", body, headers,
                                   token=self.tokens[role])
        refused = infer("user")
        self.assertEqual((refused.status, refused.detail),
                         (403, 'Role "annotator" is required to perform this action'))
        tags = self.served.ask("GET", "/datastore/", token=self.tokens["user"]).json["label_tags"]
        self.assertNotIn("kept", tags)
        self.assertEqual(infer("admin").status, 200)
        tags = self.served.ask("GET", "/datastore/", token=self.tokens["user"]).json["label_tags"]
        self.assertEqual(tags["kept"], 1)

    def test_too_many_requests(self):
        # Loopback clients are not counted: ask by another address of this machine.
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.connect(("192.0.2.1", 9))
                address = probe.getsockname()[0]
            except OSError:
                self.skipTest("this machine has no address but loopback")
        if address.startswith("127."):
            self.skipTest("this machine has no address but loopback")
        served = Served(os.path.join(self.home, "rate"), "--users", self.users, "--rate", "2",
                        "--host", "0.0.0.0")
        try:
            answers = [served.ask("GET", "/info/", address=address, token=self.tokens["user"])
                       for _ in range(40)]
            refused = [answer for answer in answers if answer.status == 429]
            self.assertEqual(answers[0].status, 200)
            self.assertGreater(len(refused), 10)
            self.assertGreaterEqual(int(refused[0].headers["retry-after"]), 1)
            self.assertEqual(served.ask("GET", "/healthz", address=address).status, 200)
            self.assertEqual(
                served.ask("GET", "/info/", token=self.tokens["user"]).status, 200)
        finally:
            served.stop()

    def test_sockets(self):
        user, admin = self.tokens["user"], self.tokens["admin"]

        def status(path, **options):
            link = WebSocket(self.served, path, **options)
            link.close()
            return link.status
        self.assertEqual(status("/progress?client_id=c&access_token=" + user), 101)
        self.assertEqual(status("/progress?client_id=c&access_token=" + self.tokens["expired"]), 401)
        self.assertEqual(status("/logs/live?access_token=" + user), 403)
        self.assertEqual(status("/logs/live?access_token=" + admin), 101)
        self.assertEqual(status("/logs/live?access_token=" + user, token=admin), 101)
        self.assertEqual(self.served.ask("GET", "/progress?client_id=c", token=user).status, 426)

    def test_the_log_over_a_socket(self):
        link = WebSocket(self.served, "/logs/live?backlog=3", self.tokens["admin"])
        self.assertEqual(link.status, 101)
        lines = [json.loads(link.receive()) for _ in range(3)]
        self.assertEqual([line["seq"] + 1 for line in lines[:-1]],
                         [line["seq"] for line in lines[1:]])
        self.served.ask("GET", "/nothing/at/all")
        while (line := json.loads(link.receive())).get("fields", {}).get("status") != 404:
            self.assertIn(line["level"], ("debug", "info", "warn", "error"))
        self.assertEqual(line["fields"]["method"], "GET")
        # Filters may change; what is none is told.
        link.send('{"level": "nonsense"}')
        while (line := json.loads(link.receive()))["event"] != "refused":
            pass
        link.send('{"level": "error"}')
        link.send("[" * 5000)
        while json.loads(link.receive())["event"] != "refused":
            pass
        self.served.ask("GET", "/nothing/at/all")
        link.link.settimeout(0.5)
        self.assertIsNone(link.receive(), "no line below error may come")
        link.close()
        wrong = WebSocket(self.served, "/logs/live?level=nonsense", self.tokens["admin"])
        self.assertEqual(wrong.status, 422)
        wrong = WebSocket(self.served, "/logs/live?backlog=nonsense", self.tokens["admin"])
        self.assertIn("refused", wrong.receive())
        self.assertIsNone(wrong.receive())
        wrong.close()

    def test_progress_is_for_the_client_that_it_is_about(self):
        mine = WebSocket(self.served, "/progress?client_id=mine", self.tokens["user"])
        other = WebSocket(self.served, "/progress?client_id=other", self.tokens["user"])
        body, headers = form([("params", {"foreground": [[4, 4, 2]], "client_id": "mine"})])
        answer = self.served.ask("POST", "/infer/geodesic?image=a&output=json", body, headers,
                                 token=self.tokens["user"])
        self.assertEqual(answer.status, 200)
        message = json.loads(mine.receive())
        self.assertEqual((message["client"], message["model"]), ("mine", "geodesic"))
        self.assertLessEqual(message["done"], message["total"])
        other.link.settimeout(0.5)
        self.assertIsNone(other.receive())
        mine.close()
        other.close()
        # Without a name it would be nobody's.
        self.assertEqual(WebSocket(self.served, "/progress", self.tokens["user"]).status, 422)

    def test_over_tls(self):
        served = Served(os.path.join(self.home, "tls"), "--users", self.users, "--tls", "auto")
        try:
            self.assertIsNotNone(served.tls)
            self.assertEqual(served.ask("GET", "/info/").status, 401)
            token = self.log_in("user", served=served).json["access_token"]
            self.assertEqual(served.ask("GET", "/info/", token=token).status, 200)
            link = WebSocket(served, "/progress?client_id=c&access_token=" + token)
            self.assertEqual(link.status, 101)
            link.close()
            key = glob.glob(os.path.join(served.state, "*key.pem"))[0]
            self.assertEqual(os.stat(key).st_mode & 0o077, 0)
        finally:
            served.stop()

    def origin(self, served, origin, path="/info/", method="GET", host=None, token=None):
        headers = {"Origin": origin} if origin else {}
        if host:
            headers["Host"] = host
        answer = served.ask(method, path, headers=headers, token=token)
        return answer.status, answer.headers.get("access-control-allow-origin")

    def preflight(self, served, origin):
        return served.ask("OPTIONS", "/infer/geodesic", headers={
            "Origin": origin, "Access-Control-Request-Method": "POST"})

    def test_pages_without_accounts(self):
        served = Served(os.path.join(self.home, "pages"))
        try:
            here = f"http://127.0.0.1:{served.port}"
            for good in (here, "http://localhost:3000", "https://127.0.0.1", "http://[::1]:1",
                         f"http://viewer.localhost:{served.port}"):
                self.assertEqual(self.origin(served, good), (200, good))
                self.assertEqual(self.preflight(served, good).status, 200)
            for bad in ("http://evil.example", "https://localhost.evil.example", "null",
                        "http://127.0.0.1.evil.example", "http://10.0.0.1:8000", "file://", "x"):
                self.assertEqual(self.origin(served, bad), (403, None), bad)
                # A form of a foreign page sends without asking; nothing may happen then.
                self.assertEqual(self.origin(served, bad, "/reload", "POST"), (403, None), bad)
                refused = self.preflight(served, bad)
                self.assertEqual((refused.status, refused.body), (400, b"Disallowed CORS origin"))
                self.assertNotIn("access-control-allow-origin", refused.headers)
                link = WebSocket(served, "/progress?client_id=c", headers=[("Origin", bad)])
                self.assertEqual(link.status, 403)
            # A foreign name that was pointed to this machine.
            self.assertEqual(self.origin(served, None, host="evil.example:8000")[0], 403)
            evil = "http://evil.example:8000"
            self.assertEqual(self.origin(served, evil, host="evil.example:8000"), (403, None))
            for host in ("localhost:1", "127.0.0.1", "[::1]:8", "192.168.1.2:1",
                         socket.gethostname()):
                self.assertEqual(self.origin(served, None, host=host)[0], 200, host)
        finally:
            served.stop()

    def test_pages_on_a_network_without_accounts(self):
        served = Served(os.path.join(self.home, "net"), "--host", "0.0.0.0")
        try:
            self.assertIn("WARNING: no accounts", served.printed())
            own = f"http://ward7.example:{served.port}"
            self.assertEqual(self.origin(served, own, host=own[7:]), (200, own))
            self.assertEqual(self.origin(served, "http://evil.example", host=own[7:]), (403, None))
        finally:
            served.stop()

    def test_pages_that_were_named(self):
        names = dict(os.environ, MONAI_LABEL_CORS_ORIGINS='["https://viewer.example/", "http://b"]')
        served = Served(os.path.join(self.home, "named"), environment=names)
        try:
            good = "https://viewer.example"
            self.assertEqual(self.origin(served, good), (200, good))
            self.assertEqual(self.origin(served, None, host="viewer.example")[0], 200)
            self.assertEqual(self.origin(served, "http://localhost:3000"), (403, None))
            own = f"http://127.0.0.1:{served.port}"
            self.assertEqual(self.origin(served, own), (200, own))
        finally:
            served.stop()
        served = Served(os.path.join(self.home, "all"), "--cors-origin", "*")
        try:
            good = "https://anyone.example"
            self.assertEqual(self.origin(served, good), (200, good))
            self.assertEqual(self.origin(served, good, host="anyone.example"), (200, good))
        finally:
            served.stop()

    def test_pages_with_accounts(self):
        good = "https://anyone.example"
        token = self.tokens["user"]
        self.assertEqual(self.origin(self.served, good, token=token), (200, good))
        self.assertEqual(self.origin(self.served, good), (401, good))
        self.assertEqual(self.preflight(self.served, good).status, 200)
        self.assertNotIn("WARNING", self.served.printed())

    def test_studies_from_the_environment(self):
        folder = os.path.join(self.home, "environment")
        os.makedirs(folder)
        cases = [({"MONAI_LABEL_STUDIES": folder, "MONAI_LABEL_DATASTORE": "local"}, True),
                 ({"MONAI_LABEL_DATASTORE": folder}, True),
                 ({"MONAI_LABEL_DATASTORE": "local"}, False)]
        for number, (variables, starts) in enumerate(cases):
            environment = {**os.environ, **variables}
            home = os.path.join(self.home, f"environment{number}")
            if starts:
                served = Served(home, studies="", environment=environment)
                self.assertIn("images", served.printed())
                served.stop()
            else:
                with self.assertRaises(AssertionError) as raised:
                    Served(home, studies="", environment=environment)
                self.assertIn("no studies", str(raised.exception))


INTRO = """# Who may do what on the server

With accounts (`voxloom serve --users FILE`) every route asks for one role. This table was printed by
`tests/server/door.py --markdown docs/server-access.md`, which asks a running server every route as everyone:
without a token, with a wrong and with an expired one, and as four accounts that have one role each. A cell shows
what was expected and the status that was seen. *open* stands for any answer but 401 and 403 (the requests
name things that don't exist, so that nothing is changed: 404 and 422 are right answers). An admin has every role;
no other role includes another.

WebSocket routes (`/logs/live`, `/progress`) were asked with an upgrade; 101 is success. Without accounts all is open.

Not in the table: after an authorised `/activelearning` the same address may GET that one image for five minutes
without a token, since Slicer sends none there. `/infer` with `save_label` in its params also needs *annotator*.

"""


def write_markdown(path):
    lines = ["| route | role | " + " | ".join(WHO) + " |", "|---|---|" + "---|" * len(WHO)]
    order = {(method, pattern): i for i, (method, pattern, *_) in enumerate(ROUTES)}
    for method, pattern, role, _, row in sorted(DoorTest.rows, key=lambda r: order[r[0], r[1]]):
        cells = [f"{want} {seen}" if want == "open" else
                 (f"{seen}" if want == seen else f"**{want}, seen {seen}**") for want, seen in row]
        lines.append(f"| {method} `{pattern}` | {role or 'none'} | " + " | ".join(cells) + " |")
    checked = sum(len(row[4]) for row in DoorTest.rows)
    text = INTRO + "\n".join(lines) + f"\n\n{len(DoorTest.rows)} routes, {checked} requests.\n"
    if path == "-":
        print(text)
    else:
        with open(path, "w") as file:
            file.write(text)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--markdown", metavar="FILE")
    arguments, rest = parser.parse_known_args()
    program = unittest.main(argv=["door"] + rest, exit=False)
    if arguments.markdown:
        write_markdown(arguments.markdown)
    raise SystemExit(0 if program.result.wasSuccessful() else 1)
