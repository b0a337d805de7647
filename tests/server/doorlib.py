"""What the tests of the door share: a server of one's own, HTTP to the byte, WebSockets, tokens."""
import base64
import hashlib
import hmac
import http.client
import json
import os
import signal
import socket
import ssl
import struct
import subprocess
import time

PROGRAM = os.environ.get("VOXLOOM", "voxloom")
SOURCE = os.environ.get("SOURCE", os.path.join(os.path.dirname(__file__), "..", ".."))
ROLES = ("user", "reviewer", "annotator", "admin")


def nrrd(value=0, size=(8, 8, 4)):
    """A small volume of bytes, or a label map."""
    voxels = size[0] * size[1] * size[2]
    head = ("NRRD0005\ntype: uint8\ndimension: 3\nspace: left-posterior-superior\n"
            f"sizes: {size[0]} {size[1]} {size[2]}\n"
            "space directions: (1,0,0) (0,1,0) (0,0,1)\nspace origin: (0,0,0)\n"
            "kinds: domain domain domain\nencoding: raw\n\n")
    data = bytes([value]) * voxels if value else bytes(i * 7 % 200 for i in range(voxels))
    return head.encode() + data


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def detail(self):
        return self.json.get("detail", "")


class Served:
    """A server on a new folder below `home`; `options` go to voxloom serve."""

    def __init__(self, home, *options, images=("a", "b"), studies=None, environment=None):
        self.home = home
        self.studies = os.path.join(home, "studies") if studies is None else studies
        os.makedirs(home, exist_ok=True)
        if studies is None:
            os.makedirs(self.studies, exist_ok=True)
            for name in images:
                with open(os.path.join(self.studies, name + ".nrrd"), "wb") as file:
                    file.write(nrrd())
        self.state = os.path.join(home, "state")
        self.out, self.err = os.path.join(home, "out"), os.path.join(home, "err")
        command = [PROGRAM, "serve", "--port", "0", "--state-dir", self.state, *options]
        if self.studies:
            command += ["--studies", self.studies]
        with open(self.out, "w") as out, open(self.err, "w") as err:
            self.process = subprocess.Popen(command, stdout=out, stderr=err, env=environment)
        until = time.time() + 60
        while "stop with" not in self.printed():
            assert self.process.poll() is None, "the server has ended: " + read(self.err)
            assert time.time() < until, "the server does not start"
            time.sleep(0.02)
        self.url = self.printed().split("serving ")[1].split()[0]
        self.port = int(self.url.rsplit(":", 1)[1])
        self.tls = None
        if self.url.startswith("https"):
            self.tls = ssl.create_default_context()
            self.tls.check_hostname = False
            self.tls.verify_mode = ssl.CERT_NONE

    def printed(self):
        return read(self.out)

    def connect(self, source=None, address="127.0.0.1", timeout=60):
        link = socket.create_connection((address, self.port), timeout,
                                        (source, 0) if source else None)
        return self.tls.wrap_socket(link) if self.tls else link

    def ask(self, method, path, body=None, headers=None, token=None, source=None,
            address="127.0.0.1"):
        link = http.client.HTTPConnection(address, self.port, timeout=60)
        link.sock = self.connect(source, address)
        headers = dict(headers or {})
        if token is not None:
            headers["Authorization"] = "Bearer " + token
        try:
            link.request(method, path, body, headers)
            answer = link.getresponse()
            return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()},
                          answer.read())
        finally:
            link.close()

    def send(self, data, wait=10.0):
        """Raw bytes; what comes back until the server closes or is silent for `wait`."""
        with self.connect(timeout=wait) as link:
            received = b""
            try:
                link.sendall(data)
            except OSError:
                pass  # refused in the middle: the answer is there all the same
            try:
                while piece := link.recv(65536):
                    received += piece
            except OSError:
                pass
            return received

    def alive(self):
        assert self.process.poll() is None, "the server has ended: " + read(self.err)[-2000:]
        return self.ask("GET", "/healthz").status == 200

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise


def read(path):
    try:
        with open(path, errors="replace") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def form(fields=(), files=(), boundary="----------lImIt_of_THE_fIle_eW_$"):
    """(body, headers) of a multipart form. Files: (field, file name, bytes)."""
    out = b""
    for name, value in fields:
        text = value if isinstance(value, str) else json.dumps(value)
        out += (f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'
                f"{text}\r\n").encode()
    for name, filename, data in files:
        out += (f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"; '
                f'filename="{filename}"\r\n\r\n').encode() + data + b"\r\n"
    out += f"--{boundary}--\r\n".encode()
    return out, {"Content-Type": f"multipart/form-data; boundary={boundary}"}


class WebSocket:
    """A client's end. `status` is that of the answer; 101: it is open."""

    def __init__(self, served, path, token=None, headers=(), source=None):
        self.link = served.connect(source)
        lines = [f"GET {path} HTTP/1.1", "Host: 127.0.0.1", "Upgrade: websocket",
                 "Connection: Upgrade", "Sec-WebSocket-Version: 13",
                 "Sec-WebSocket-Key: " + base64.b64encode(os.urandom(16)).decode()]
        lines += [f"{name}: {value}" for name, value in headers]
        if token is not None:
            lines.append("Authorization: Bearer " + token)
        self.link.sendall("\r\n".join(lines + ["", ""]).encode())
        self.rest = b""
        while b"\r\n\r\n" not in self.rest:
            piece = self.link.recv(4096)
            assert piece, "closed in the handshake"
            self.rest += piece
        self.head, self.rest = self.rest.split(b"\r\n\r\n", 1)
        self.status = int(self.head.split()[1])
        if self.status != 101:
            self.close()

    def send(self, text, opcode=1, mask=True, fin=True):
        data = text if isinstance(text, bytes) else text.encode()
        size = len(data)
        frame = bytes([(0x80 if fin else 0) | opcode])
        bit = 0x80 if mask else 0
        if size < 126:
            frame += bytes([bit | size])
        elif size < 65536:
            frame += bytes([bit | 126]) + struct.pack(">H", size)
        else:
            frame += bytes([bit | 127]) + struct.pack(">Q", size)
        if mask:
            key = os.urandom(4)
            frame += key + bytes(b ^ key[i % 4] for i, b in enumerate(data))
        else:
            frame += data
        self.link.sendall(frame)

    def _take(self, count):
        while len(self.rest) < count:
            piece = self.link.recv(65536)
            if not piece:
                raise EOFError
            self.rest += piece
        taken, self.rest = self.rest[:count], self.rest[count:]
        return taken

    def receive(self):
        """The next text message; None when the server closes. Answers pings."""
        try:
            while True:
                first, second = self._take(2)
                size = second & 0x7f
                if size == 126:
                    size = struct.unpack(">H", self._take(2))[0]
                elif size == 127:
                    size = struct.unpack(">Q", self._take(8))[0]
                data = self._take(size)
                if first & 0xf == 8:
                    return None
                if first & 0xf == 9:
                    self.send(data, opcode=10)
                elif first & 0xf == 1:
                    return data.decode()
        except (EOFError, OSError):
            return None

    def close(self):
        self.link.close()


def add_user(users, name, password, roles):
    subprocess.run([PROGRAM, "serve", "user", "add", name, "--users", users, "--roles", roles],
                   input=password + "\n", text=True, check=True, stdout=subprocess.DEVNULL)


def signed_token(users, name, expires):
    """A token as the server makes it, with an end of our choice."""
    with open(users) as file:
        entry = next(user for user in json.load(file)["users"] if user["name"] == name)
    if not os.path.exists(users + ".key"):  # made when it is first needed
        subprocess.run([PROGRAM, "serve", "user", "token", name, "--users", users], check=True,
                       stdout=subprocess.DEVNULL)
    with open(users + ".key") as file:
        key = bytes.fromhex(file.read().strip())

    def text(data):
        return base64.urlsafe_b64encode(data).decode().rstrip("=")
    claims = json.dumps({"u": name, "s": entry["stamp"], "e": expires}, separators=(",", ":"))
    message = "v1." + text(claims.encode())
    return message + "." + text(hmac.new(key, message.encode(), hashlib.sha512).digest()[:32])
