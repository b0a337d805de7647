"""What a hostile or broken client may try: the server says no, lives on, and keeps to its folder."""
import gzip
import io
import os
import shutil
import socket
import struct
import tempfile
import threading
import time
import unittest
import urllib.parse
import zipfile

from doorlib import Served, WebSocket, form, nrrd, read

SECRET = b"the secret of the outside"
UPLOAD_MB = 64
# As they stand in an address. "%2f" and "%2e" are what they hide behind; %252e is decoded once only.
EVIL = ["../x", "..", ".", "../../x", "..%2f..%2fx", "%2e%2e/x", "%2e%2e%2f%2e%2e%2fx", "a/../../x",
        "%2fetc%2fpasswd", "/etc/passwd", "..%5c..%5cx", "%00", "a%00b", "x" * 300, "x" * 4000,
        ".hidden", "%2evoxloom", ".voxloom/index", "labels/final/a", "a%0d%0aSet-Cookie:%20x", "%ff%fe",
        "%c0%ae%c0%ae%2fx", "~", "CON", "%20", "*", "a%2f%2e%2fb"]


def tree(folder, but=()):
    """Every path below a folder with what it is, links not followed."""
    found = {}
    for at, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if os.path.join(at, name) not in but]
        for name in folders + files:
            path = os.path.join(at, name)
            if os.path.islink(path):
                found[path] = os.readlink(path)
            elif os.path.isfile(path):
                with open(path, "rb") as file:
                    found[path] = file.read()
            else:
                found[path] = None
    return found


def peak_memory_mb(process):
    for line in read(f"/proc/{process.pid}/status").splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) // 1024
    return 0


class AbuseTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.home = tempfile.mkdtemp(prefix="voxloom-abuse-")
        cls.outside = os.path.join(cls.home, "outside")
        os.makedirs(os.path.join(cls.outside, "folder"))
        cls.secret = nrrd()[:-len(SECRET)] + SECRET
        for name in ("secret.nrrd", "folder/inner.nrrd", "a.nrrd"):
            with open(os.path.join(cls.outside, name), "wb") as file:
                file.write(cls.secret)
        home = os.path.join(cls.home, "server")
        studies = os.path.join(home, "studies")
        os.makedirs(os.path.join(studies, "labels", "final"))
        for name in ("a", "b"):
            with open(os.path.join(studies, name + ".nrrd"), "wb") as file:
                file.write(nrrd())
        os.symlink(os.path.join(cls.outside, "secret.nrrd"), os.path.join(studies, "link.nrrd"))
        os.symlink("../../outside/secret.nrrd", os.path.join(studies, "near.nrrd"))
        os.symlink(cls.outside, os.path.join(studies, "linked"))
        os.symlink(cls.outside, os.path.join(studies, "labels", "tagged"))
        os.symlink(os.path.join(cls.outside, "a.nrrd"),
                   os.path.join(studies, "labels", "final", "a.nrrd"))
        ohif = os.path.join(cls.home, "ohif")
        os.makedirs(ohif)
        with open(os.path.join(ohif, "index.html"), "w") as file:
            file.write("the viewer")
        os.symlink(cls.outside, os.path.join(ohif, "out"))
        cls.served = Served(home, "--ohif", ohif, "--max-upload-mb", str(UPLOAD_MB),
                            studies=studies)
        cls.own = (studies, cls.served.state)
        cls.before = tree(cls.home, cls.own)

    @classmethod
    def tearDownClass(cls):
        cls.served.stop()
        shutil.rmtree(cls.home)

    def tearDown(self):
        self.assertTrue(self.served.alive())
        after = tree(self.home, self.own)
        for path in (self.served.out, self.served.err):
            after.pop(path), self.before.pop(path, None)
        self.assertEqual(after, self.before, "something outside the studies folder has changed")
        # The answer may be here before its request has ended there.
        for _ in range(50):
            spool = [path for path in tree(self.served.state) if "/spool/" in path]
            if not spool:
                break
            time.sleep(0.1)
        self.assertEqual(spool, [], "uploads were left behind")
        self.assertNotIn("internal error", read(self.served.err))

    def refused(self, answer, *say):
        self.assertNotIn(SECRET, answer.body, say)
        self.assertTrue(400 <= answer.status < 500, (answer.status, answer.body[:200], say))
        self.assertNotIn("set-cookie", answer.headers)

    def harmless(self, answer, *say):
        """Whatever it says, it is no secret and no failure."""
        self.assertNotIn(SECRET, answer.body, say)
        self.assertLess(answer.status, 500, (answer.body[:200], say))
        self.assertNotIn("set-cookie", answer.headers)

    def test_ids_tags_and_names_that_are_paths(self):
        ask = self.served.ask
        label, label_headers = form([], [("label", "l.nrrd", nrrd(1))])
        image, image_headers = form([], [("file", "i.nrrd", nrrd())])
        info, info_headers = form([("info", {"k": 1}), ("params", {"k": 1})])
        for evil in EVIL:
            for path in (f"/datastore/image?image={evil}", f"/datastore/label?label={evil}",
                         f"/datastore/label?label=a&tag={evil}"):
                self.refused(ask("GET", path), path)
                self.refused(ask("HEAD", path), path)
            self.harmless(ask("GET", f"/datastore/label/info?label=a&tag={evil}"), evil)
            self.harmless(ask("GET", f"/datastore/image/info?image={evil}"), evil)
            self.refused(ask("PUT", f"/datastore/label?image={evil}&tag=t", label, label_headers))
            self.refused(ask("PUT", f"/datastore/image/info?image={evil}", info, info_headers))
            self.refused(ask("PUT", f"/datastore/label/info?label={evil}", info, info_headers))
            self.refused(ask("PUT", f"/datastore/label/info?label=a&tag={evil}", info,
                             info_headers))
            self.refused(ask("DELETE", f"/datastore/image?id={evil}"), evil)
            self.harmless(ask("DELETE", f"/datastore/label?id={evil}&tag={evil}"), evil)
            if urllib.parse.unquote(evil) not in ("CON", "~", "*", " "):  # odd, but plain names
                for place in ("/datastore/", "/datastore/image"):
                    self.refused(ask("PUT", f"{place}?image={evil}", image, image_headers), evil)
                self.refused(ask("PUT", f"/datastore/label?image=b&tag={evil}", label,
                                 label_headers), evil)
            for path in (f"/infer/{evil}?image=a", f"/infer/geodesic?image={evil}",
                         f"/infer/geodesic?session_id={evil}", f"/activelearning/{evil}",
                         f"/scoring/{evil}", f"/batch/infer/{evil}", f"/train/{evil}"):
                self.harmless(ask("POST", path), path)
            for path in (f"/session/{evil}", f"/session/{evil}?image=true", f"/model/{evil}",
                         f"/model/info/{evil}", f"/ohif/{evil}", f"/ohif/out/{evil}",
                         f"/static/{evil}", f"/{evil}"):
                self.harmless(ask("GET", path), path)
            for path in (f"/session/{evil}", f"/model/{evil}"):
                self.harmless(ask("DELETE", path), path)

    def test_names_of_uploaded_files(self):
        for name in ("../../x.nrrd", "/tmp/x.nrrd", "..\\\\..\\\\x.nrrd", "C:\\x.nrrd", "..", "",
                     "x" * 300 + ".nrrd", ".nrrd", ".hidden.nrrd", "a\x00b.nrrd", "%2e%2e%2fx.nrrd",
                     "datastore_v2.json", ".lock", "labels/final/b.nrrd"):
            for method, path, field in (("PUT", "/datastore/", "file"),
                                        ("PUT", "/datastore/label?image=b&tag=t", "label"),
                                        ("PUT", "/session/", "files"),
                                        ("POST", "/infer/geodesic?output=json", "file"),
                                        ("PUT", "/model/geodesic", "file")):
                body, headers = form([], [(field, name, nrrd(1))])
                self.harmless(self.served.ask(method, path, body, headers), name, path)

    def test_tags_in_params(self):
        for evil in ("../../x", "/tmp/x", ".voxloom", "a/b", "x" * 300, "a\u0000b", "tagged", ["a"], 7):
            body, headers = form([("params", {"foreground": [[4, 4, 2]], "save_label": True,
                                              "label_tag": evil})])
            self.refused(self.served.ask("POST", "/infer/geodesic?image=a", body, headers), evil)

    def test_links_that_lead_out(self):
        ask = self.served.ask
        ids = set(ask("GET", "/datastore/?output=all").json["objects"])
        for name in ("link", "near", "linked_secret", "linked_folder_inner", "secret"):
            self.assertNotIn(name, ids)
            self.refused(ask("GET", "/datastore/image?image=" + name))
        self.refused(ask("GET", "/datastore/label?label=a&tag=tagged"))
        self.refused(ask("GET", "/datastore/label?label=a&tag=final"))
        for tag in ("tagged", "final"):
            body, headers = form([], [("label", "l.nrrd", nrrd(1))])
            self.harmless(ask("PUT", f"/datastore/label?image=a&tag={tag}", body, headers), tag)
        self.assertEqual(ask("GET", "/ohif/out/secret.nrrd").status, 404)
        self.assertEqual(ask("GET", "/ohif/").body, b"the viewer")

    def test_an_image_is_no_path_of_the_server(self):
        secret = os.path.join(self.outside, "secret.nrrd")
        for path in (secret, "../../outside/secret.nrrd", "a.nrrd",
                     os.path.join(self.served.studies, "a.nrrd"), "file://" + secret):
            quoted = urllib.parse.quote(path, safe="")
            for query in (f"image={quoted}", f"session_id={quoted}", f"image=&session_id={quoted}"):
                self.refused(self.served.ask("POST", "/infer/geodesic?" + query), query)
            for key in ("image", "label", "path", "file", "session", "model"):
                body, headers = form([("params", {"foreground": [[4, 4, 2]], key: path})])
                answer = self.served.ask("POST", "/infer/geodesic?output=json", body, headers)
                self.refused(answer, key)

    def test_headers_and_lengths(self):
        host = b"Host: localhost\r\n"
        post = b"POST /reload HTTP/1.1\r\n" + host
        long = b"x" * 200_000
        next_ = b"GET /model/none HTTP/1.1\r\n" + host + b"\r\n"
        bad = [
            b"GET /info/ HTTP/1.1\r\n" + host + b"X: " + long + b"\r\n\r\n",
            b"GET /" + long + b" HTTP/1.1\r\n" + host + b"\r\n",
            b"GET /info/ HTTP/1.1\r\n" + host + b"".join(b"X%d: y\r\n" % i for i in range(20_000)) + b"\r\n",
            b"".join(b"\x00" for _ in range(5000)), b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 9,
            b"GET /info/ HTTP/1.1\r\n\r\n", b"GET /info/ HTTP/1.1\r\n" + host + host + b"\r\n",
            b"GET /info/\r\n\r\n", b"GET /info/ HTTP/2.0\r\n" + host + b"\r\n",
            b"GET info HTTP/1.1\r\n" + host + b"\r\n", b"GET  /info/ HTTP/1.1\r\n" + host + b"\r\n",
            b"GET /in\x01fo/ HTTP/1.1\r\n" + host + b"\r\n",
            b"GET /info/ HTTP/1.1\r\n" + host + b"X : y\r\n\r\n",
            b"GET /info/ HTTP/1.1\r\n" + host + b"\x00: y\r\n\r\n",
            b"GET /info/ HTTP/1.1\r\n" + host + b": y\r\n\r\n",
            post + b"Content-Length: -1\r\n\r\n", post + b"Content-Length: +5\r\n\r\nabcde",
            post + b"Content-Length: 0x5\r\n\r\nabcde", post + b"Content-Length: 5, 6\r\n\r\nabcde",
            post + b"Content-Length: 99999999999999999999999\r\n\r\n",
            post + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
            # Where one end of a chain would see a second request, and another a body.
            post + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + next_,
            post + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n" + next_,
            post + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" + next_,
            post + b"Transfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n" + next_,
            post + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + next_,
            post + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n" + next_,
            post + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n" + next_,
            post + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + next_,
            post + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n\r\n" + next_,
            post + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n" + next_,
            post + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\nx" + next_,
            post + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabcdef\r\n0\r\n\r\n" + next_,
            b"POST /reload HTTP/1.0\r\n" + host + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + next_,
        ]
        for data in bad:
            received = self.served.send(data)
            with self.subTest(data=data[:120]):
                self.assertTrue(received.startswith(b"HTTP/1.1 4"), received[:120])
                self.assertEqual(received.count(b"HTTP/1.1 "), 1, "the rest is no request")
        # A body of GET is not looked at, and what follows it is not answered.
        received = self.served.send(b"GET /info/ HTTP/1.1\r\n" + host + b"Content-Length: 60\r\n\r\n" + next_)
        self.assertEqual(received.count(b"HTTP/1.1 "), 1)
        self.assertTrue(received.startswith(b"HTTP/1.1 200"))
        # The same length twice is one length; two requests in a row are two.
        same = self.served.send(post + b"Content-Length: 2\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
        self.assertEqual(same.count(b"HTTP/1.1 "), 1)
        two = self.served.send(next_ + next_.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        self.assertEqual(two.count(b"HTTP/1.1 404"), 2)

    def test_forms(self):
        ask = self.served.ask
        path = "/infer/geodesic?image=a&output=json"
        many = [(f"f{i}", "x") for i in range(2000)]
        self.refused(ask("POST", path, *form(many)))
        urlencoded = {"Content-Type": "application/x-www-form-urlencoded"}
        self.refused(ask("POST", path, urllib.parse.urlencode(many).encode(), urlencoded))
        self.refused(ask("POST", path, b"&" * 100_000 + b"=" * 100_000, {**urlencoded, "Origin": "x"}))
        self.refused(ask("POST", path, *form([("params", "x" * (2 << 20))])))
        self.refused(ask("POST", path, b"params=" + b"x" * (2 << 20), urlencoded))
        self.refused(ask("POST", path, *form([], [(f"f{i}", "n", b"") for i in range(2000)])))
        for boundary in ("", '""', "x" * 100_000, "a\x01b", '"', "="):
            body, _ = form([("params", "{}")], boundary="b")
            headers = {"Content-Type": "multipart/form-data; boundary=" + boundary}
            self.refused(ask("POST", path, body, headers), boundary[:9])
        kind = {"Content-Type": "multipart/form-data; boundary=b"}
        disposition = b'Content-Disposition: form-data; name="params"'
        for body in (b"--b\r\n" + b"X: " + b"y" * (1 << 20) + b"\r\n\r\nz\r\n--b--\r\n",
                     b"--b\r\nno colon\r\n\r\nz\r\n--b--\r\n", b"--b\r\n\r\nz\r\n--b--\r\n",
                     b"nothing of the kind", b"\r\n" * 100_000,
                     b"--b\r\n" + disposition + b"; " + disposition * 9000 + b"\r\n\r\n\r\n--b--"):
            self.refused(ask("POST", path, body, kind), body[:40])
        for body in (b"--b\r\n" + disposition + b"\r\n\r\n{}", b"--b--", b"",
                     (b"--b\r\n" + disposition + b"\r\n\r\n{}\r\n") * 5 + b"--b--",
                     b"--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.nrrd\"\r\n\r\nNRRD"):
            self.harmless(ask("POST", path, body, kind), body[:40])

    def test_bodies_without_end(self):
        host = b"Host: localhost\r\n"
        kind = b"Content-Type: multipart/form-data; boundary=b\r\n"
        part = b'--b\r\nContent-Disposition: form-data; name="%s"%s\r\n\r\n'
        cases = [(b"POST /activelearning/first", b"", b"", 20),
                 (b"POST /infer/geodesic?image=a", kind, part % (b"params", b""), 3),
                 (b"PUT /datastore/", kind, part % (b"file", b'; filename="x.nrrd"'), UPLOAD_MB + 8),
                 (b"PUT /datastore/", kind, b"", 4), (b"PUT /datastore/", kind, b"--b\r\n", 4)]
        for head, more, start, megabytes in cases:
            with self.subTest(head=head, start=start), self.served.connect() as link:
                received = b""
                try:
                    link.sendall(head + b" HTTP/1.1\r\n" + host + more +
                                 b"Transfer-Encoding: chunked\r\n\r\n")
                    if start:
                        link.sendall(b"%x\r\n%s\r\n" % (len(start), start))
                    for _ in range(megabytes):
                        link.sendall(b"100000\r\n" + b"x" * (1 << 20) + b"\r\n")
                except OSError:
                    pass  # it has heard enough
                else:
                    if start == b"" and more:  # a preamble may be long: it is thrown away
                        link.sendall(b"0\r\n\r\n")
                try:
                    while piece := link.recv(65536):
                        received += piece
                        if b"\r\n\r\n" in received:
                            break
                except OSError:
                    pass
                self.assertTrue(received.startswith((b"HTTP/1.1 413", b"HTTP/1.1 400")) or
                                received == b"", received[:100])
        for length in (5 << 30, 1 << 62):
            for wait in (b"", b"Expect: 100-continue\r\n"):
                received = self.served.send(b"PUT /datastore/ HTTP/1.1\r\n" + host + kind + wait +
                                            b"Content-Length: %d\r\n\r\n" % length, wait=5)
                self.assertTrue(received.startswith(b"HTTP/1.1 413"), received[:100])
        tiny = b"POST /activelearning/first HTTP/1.1\r\n" + host + \
            b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n" + b"1\r\n \r\n" * 50_000 + b"0\r\n\r\n"
        self.assertTrue(self.served.send(tiny).startswith(b"HTTP/1.1 200"))

    def test_those_who_are_slow(self):
        """Three hundred that say half a sentence hold nobody up; in the end they are told to go."""
        beginnings = [b"", b"GET /in", b"GET /info/ HTTP/1.1\r\nHost: x\r\nX: ",
                      b"PUT /datastore/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n"
                      b"Content-Type: multipart/form-data; boundary=b\r\n\r\n--b\r\nContent-Disposition: "
                      b'form-data; name="file"; filename="x.nrrd"\r\n\r\nNRRD',
                      b"POST /activelearning/first HTTP/1.1\r\nHost: localhost\r\n"
                      b"Content-Length: 99\r\n\r\n{"]
        links = []
        try:
            for number in range(300):
                links.append(self.served.connect())
                links[-1].sendall(beginnings[number % len(beginnings)])
            for _ in range(20):
                self.assertEqual(self.served.ask("GET", "/info/").status, 200)
            half_a_header = links[2]
            half_a_header.settimeout(120)
            answer = half_a_header.recv(1000)
            self.assertTrue(answer.startswith(b"HTTP/1.1 408"), answer[:100])
        finally:
            for link in links:
                link.close()
        for _ in range(200):
            if not [path for path in tree(self.served.state) if "/spool/" in path]:
                break
            threading.Event().wait(0.05)

    def test_json_that_is_deep_or_wide(self):
        ask = self.served.ask
        kind = {"Content-Type": "application/json"}
        deep = "[" * 500_000
        deep_object = '{"a":' * 100_000
        closed = '{"a":' + "[" * 100_000 + "]" * 100_000 + "}"
        hollow = '{"a":' * 60 + "1" + "}" * 60
        wide = "{" + ",".join(f'"{i:x}":1' for i in range(90_000)) + "}"
        for text in (deep, deep_object, closed, "1e999", '{"a":1e999}', '"\\ud800"', "nul", "\xff", "[]", "1"):
            for path in ("/activelearning/first", "/batch/infer/geodesic", "/scoring/dice",
                         "/scoring/"):
                self.refused(ask("POST", path, text.encode("latin-1"), kind), path, text[:10])
            for method, path, field in (
                    ("POST", "/infer/geodesic?image=a", "params"),
                    ("PUT", "/datastore/image/info?image=a", "info"),
                    ("PUT", "/datastore/label/info?label=b&tag=json", "info"),
                    ("PUT", "/datastore/updatelabelinfo?label=b&tag=json", "params")):
                self.refused(ask(method, path, *form([(field, text)])), path, text[:10])
            body = form([("params", text)], [("label", "l.nrrd", nrrd(1))])
            self.refused(ask("PUT", "/datastore/label?image=b&tag=json", *body), text[:10])
            body = form([("params", text)], [("file", "l.nrrd", nrrd(1))])
            self.refused(ask("PUT", "/datastore/image?image=json", *body), text[:10])
        # Many members cost no more than their bytes.
        self.harmless(ask("POST", "/infer/geodesic?image=a&output=json", *form([("params", wide)])))
        huge = ("{" + ",".join(f'"{i:x}":1' for i in range(1_200_000)) + "}").encode()
        self.harmless(ask("POST", "/activelearning/first", huge, kind))
        self.refused(ask("POST", "/activelearning/first", huge[:-1], kind))
        for text in (hollow, wide):
            self.harmless(ask("PUT", "/datastore/image/info?image=a", *form([("info", text)])))
        self.assertEqual(ask("GET", "/datastore/?output=all").status, 200)
        for name in ("l.json", "l.nrrd"):
            for text in (deep, closed, '{"markups":' + deep):
                body = form([], [("label", name, text.encode())])
                self.refused(ask("PUT", "/datastore/label?image=b&tag=json", *body), name)

    def test_files_that_grow_when_they_are_read(self):
        ask = self.served.ask
        zeros = bytes(1 << 20)
        packed = io.BytesIO()
        with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=9) as file:
            for _ in range(2048):
                file.write(zeros)
        head = nrrd().split(b"\n\n")[0]
        squeezed = head.replace(b"encoding: raw", b"encoding: gzip") + b"\n\n" + packed.getvalue()
        vast = head.replace(b"sizes: 8 8 4", b"sizes: 100000 100000 100000") + b"\n\n"
        overflowing = head.replace(b"sizes: 8 8 4", b"sizes: 4294967296 4294967296 2") + b"\n\n"
        nifti = struct.pack("<i", 348) + bytes(36) + struct.pack("<8h", 3, 32767, 32767, 32767, 1, 1, 1, 1)
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
            with file.open("x.nrrd", "w", force_zip64=True) as member:
                for _ in range(2048):
                    member.write(zeros)
        leaving = io.BytesIO()
        with zipfile.ZipFile(leaving, "w") as file:
            file.writestr("../../../x.nrrd", nrrd())
            file.writestr("/tmp/x.nrrd", nrrd())
        for name, data in (("l.nrrd", vast), ("l.nrrd", overflowing), ("l.nii", nifti),
                           ("l.nii.gz", packed.getvalue()), ("l.nrrd", squeezed),
                           ("l.nii.gz", b"\x1f\x8b" + bytes(99)), ("l.nrrd", b"NRRD0005\n"),
                           ("l.nrrd", head + b"\ndata file: /etc/passwd\n\n"),
                           ("l.mha", b"ObjectType = Image\nNDims = 3\nDimSize = 8 8 4\n"
                                     b"ElementType = MET_UCHAR\nElementDataFile = /etc/passwd\n")):
            for method, path, field in (("PUT", "/datastore/label?image=b&tag=grown", "label"),
                                        ("POST", "/infer/geodesic", "file"),
                                        ("POST", "/infer/geodesic?image=a", "label")):
                body, headers = form([("params", {"foreground": [[4, 4, 2]]})], [(field, name, data)])
                answer = ask(method, path, body, headers)
                self.harmless(answer, method, path, name)
                self.assertNotIn(b"root:", answer.body)
                self.assertNotIn(self.served.state.encode(), answer.body)
                if field == "label" and method == "PUT" and data is not squeezed:
                    self.refused(answer, name)
        grown = ask("PUT", "/session/?uncompress=true",
                    *form([], [("files", "x.zip", archive.getvalue())]))
        self.refused(grown)
        self.harmless(ask("PUT", "/session/?uncompress=true",
                          *form([], [("files", "x.zip", leaving.getvalue())])))
        self.assertLess(peak_memory_mb(self.served.process), 1500)

    def test_ranges(self):
        for value in ("bytes=" + ",".join("0-" for _ in range(5000)), "bytes=-0", "bytes=5-1",
                      "bytes=99999999999999999999999-", "bytes=-99999999999999999999999", "bytes=x",
                      "lines=1-2", "bytes=0-0,-1"):
            answer = self.served.ask("GET", "/datastore/image?image=a", headers={"Range": value})
            self.assertIn(answer.status, (200, 206, 416), value[:40])
            self.assertLessEqual(len(answer.body), len(nrrd()))

    def test_frames(self):
        def opened():
            link = WebSocket(self.served, "/logs/live")
            self.assertEqual(link.status, 101)
            link.link.settimeout(20)
            return link

        def ends(link, data=None, **how):
            try:
                if data is not None:
                    link.send(data, **how)
                while link.receive() is not None:
                    pass
            except OSError:
                pass
            link.close()
        ends(opened(), "x", mask=False)
        for opcode in (3, 7, 11, 15):
            ends(opened(), "x", opcode=opcode)
        ends(opened(), "x" * 126, opcode=9)      # a ping may hold 125 bytes
        ends(opened(), "x", opcode=9, fin=False)  # and is one frame
        ends(opened(), "x", opcode=0)             # goes on with what never began
        ends(opened(), b"\xff\xfe", opcode=1)
        ends(opened(), "x" * (2 << 20))
        link = opened()
        link.link.sendall(b"\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff" + bytes(4))
        ends(link)
        link = opened()
        link.link.sendall(b"\x81")
        link.close()
        link = opened()
        for _ in range(2000):
            link.send("x", fin=False, opcode=1 if _ == 0 else 0)
        link.send('{"level": "error"}', opcode=0)
        link.send("", opcode=8)
        ends(link)
        for head in (b"Sec-WebSocket-Version: 7\r\nSec-WebSocket-Key: x\r\n",
                     b"Sec-WebSocket-Version: 13\r\n"):
            received = self.served.send(
                b"GET /logs/live HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
                b"Connection: Upgrade\r\n" + head + b"\r\n", wait=3)
            self.assertTrue(received.startswith(b"HTTP/1.1 4"), received[:80])


if __name__ == "__main__":
    unittest.main()
