"""What the benches and tests of a running `voxloom serve` share: files, the process, HTTP, WebSocket.

Standard library only.
"""
import base64
import gzip
import http.client
import json
import os
import pathlib
import signal
import socket
import struct
import subprocess
import time


# ---- files ----

def nifti(size, voxels, code=2, spacing=(1.0, 1.0, 1.0)):
    """The bytes of a NIfTI-1 file; code 2: uint8, 4: int16. `voxels` are its bytes, x fastest."""
    bits = {2: 8, 4: 16}[code]
    header = bytearray(352)
    struct.pack_into("<i", header, 0, 348)
    struct.pack_into("<8h", header, 40, 3, *size, 1, 1, 1, 1)
    struct.pack_into("<2h", header, 70, code, bits)
    struct.pack_into("<8f", header, 76, 1.0, *spacing, 0.0, 0.0, 0.0, 0.0)
    struct.pack_into("<3f", header, 108, 352.0, 1.0, 0.0)
    header[123] = 2  # mm
    struct.pack_into("<2h", header, 252, 0, 1)  # sform: scanner
    for row in range(3):
        values = [0.0] * 4
        values[row] = spacing[row]
        struct.pack_into("<4f", header, 280 + 16 * row, *values)
    header[344:348] = b"n+1\0"
    return bytes(header) + bytes(voxels)


def block_image(size, low=100, high=900):
    """An int16 volume with a bright block in its middle: something that a click can find."""
    nx, ny, nz = size
    dark, bright = struct.pack("<h", low), struct.pack("<h", high)
    plain = dark * nx
    a, b = nx // 4, nx - nx // 4
    striped = dark * a + bright * (b - a) + dark * (nx - b)
    slice_out = plain * ny
    y0, y1 = ny // 4, ny - ny // 4
    slice_in = plain * y0 + striped * (y1 - y0) + plain * (ny - y1)
    z0, z1 = nz // 4, nz - nz // 4
    return nifti(size, slice_out * z0 + slice_in * (z1 - z0) + slice_out * (nz - z1), code=4)


def counter_label(size, counter):
    """A uint8 label whose every four voxels hold `counter`: a mixture of two saves shows."""
    return nifti(size, struct.pack("<I", counter) * (size[0] * size[1] * size[2] // 4))


def label_counter(data, size):
    """The counter of counter_label(), or None where the bytes are not one whole save."""
    voxels = data[352:]
    if len(voxels) != size[0] * size[1] * size[2] or len(voxels) < 4:
        return None
    return struct.unpack("<I", voxels[:4])[0] if voxels == voxels[:4] * (len(voxels) // 4) else None


def read_nrrd(data):
    """(header fields, voxel bytes) of an attached NRRD."""
    head, _, body = data.partition(b"\n\n")
    lines = head.decode().split("\n")
    if not lines[0].startswith("NRRD000"):
        raise ValueError("no NRRD")
    fields = dict(line.split(": ", 1) for line in lines[1:] if ": " in line)
    if fields["encoding"] in ("gzip", "gz"):
        body = gzip.decompress(body)
    return fields, body


def make_studies(folder, count, size=(8, 8, 8)):
    """`count` equal images; hard links, so that thousands cost nothing."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True)
    first = folder / "case_00000.nii.gz"
    first.write_bytes(gzip.compress(block_image(size)))
    for i in range(1, count):
        (folder / f"case_{i:05d}.nii.gz").write_bytes(first.read_bytes())
    return folder


# ---- the process ----

def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Process:
    """A server as a child process; `start_s` is the time to its first whole answer to GET /info/."""

    def __init__(self, command, port, log, env=None, cwd=None, patience_s=120):
        self.port = port
        self.log = open(log, "ab")
        begin = time.monotonic()
        self.process = subprocess.Popen(command, stdout=self.log, stderr=self.log, env=env, cwd=cwd,
                                        start_new_session=True)
        while True:
            try:
                answer = Http(port, timeout=60).get("/info/")
                if answer.status == 200:
                    break
            except OSError:
                pass
            if self.process.poll() is not None:
                raise RuntimeError(f"{command[0]} ended with {self.process.returncode}, see {log}")
            if time.monotonic() - begin > patience_s:
                self.kill()
                raise RuntimeError(f"{command[0]} does not answer, see {log}")
            time.sleep(0.002)
        self.start_s = time.monotonic() - begin
        self.info = answer

    def rss_mb(self):
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
        return 0.0

    def threads(self):
        return len(os.listdir(f"/proc/{self.process.pid}/task"))

    def files(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def alive(self):
        return self.process.poll() is None

    def kill(self):
        """As the power going: every process of the server, at once."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
        self.log.close()

    def stop(self, patience_s=40):
        """Returns the exit status."""
        self.process.terminate()
        try:
            return self.process.wait(patience_s)
        except subprocess.TimeoutExpired:
            return None
        finally:
            self.kill()


def start_voxloom(program, studies, work, extra=(), port=None):
    """`voxloom serve` without its limit of requests a second for one address."""
    port = port or free_port()
    work = pathlib.Path(work)
    command = [str(program), "serve", "--studies", str(studies), "--port", str(port), "--rate", "0",
               "--state-dir", str(work / "state"), *extra]
    return Process(command, port, work / "server.log", cwd=work)


# ---- HTTP ----

class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)

    def parts(self):
        """{name: (file name or None, bytes)} of a multipart answer."""
        kind = self.headers["content-type"]
        boundary = b"--" + kind.split("boundary=")[1].encode()
        out = {}
        for piece in self.body.split(boundary)[1:-1]:
            head, _, content = piece[2:].partition(b"\r\n\r\n")
            line = next(x for x in head.decode().split("\r\n") if x.lower().startswith("content-disp"))
            values = dict(x.strip().split("=", 1) for x in line.split(";")[1:])
            name = values.get("filename")
            out[values["name"].strip('"')] = (name and name.strip('"'), content[:-2])
        return out


def multipart(fields=None, files=None):
    """(body, content type); files: {field: (file name, bytes)}."""
    boundary = "voxloomBench" + os.urandom(8).hex()
    out = []
    for name, value in (fields or {}).items():
        out.append(f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'.encode()
                   + value.encode() + b"\r\n")
    for name, (filename, data) in (files or {}).items():
        out.append((f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"; '
                    f'filename="{filename}"\r\n\r\n').encode() + data + b"\r\n")
    out.append(f"--{boundary}--\r\n".encode())
    return b"".join(out), f"multipart/form-data; boundary={boundary}"


class Http:
    """One client; keeps its connection unless told otherwise."""

    def __init__(self, port, keep=True, timeout=120):
        self.port, self.keep, self.timeout = port, keep, timeout
        self.connection = None

    def close(self):
        if self.connection:
            self.connection.close()
        self.connection = None

    def request(self, method, path, body=None, content_type=None):
        fresh = self.connection is None
        if fresh:
            self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=self.timeout)
            self.connection.connect()
            self.connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        headers = {"Content-Type": content_type} if content_type else {}
        try:
            self.connection.request(method, path, body=body, headers=headers)
            response = self.connection.getresponse()
            answer = Answer(response.status, {k.lower(): v for k, v in response.getheaders()},
                            response.read())
        except http.client.RemoteDisconnected as e:
            self.close()
            if not fresh and method == "GET":  # an idle connection may have been closed meanwhile
                return self.request(method, path, body, content_type)
            raise ConnectionResetError(str(e)) from e
        except (OSError, http.client.HTTPException):
            self.close()
            raise
        if not self.keep or response.will_close:
            self.close()
        return answer

    def get(self, path):
        return self.request("GET", path)

    def post_json(self, path, value):
        return self.request("POST", path, json.dumps(value), "application/json")

    def form(self, method, path, fields=None, files=None):
        body, kind = multipart(fields, files)
        return self.request(method, path, body, kind)

    def infer(self, model, image, params, output="all", **query):
        target = f"/infer/{model}?output={output}"
        if image:
            target += f"&image={image}"
        for name, value in query.items():
            target += f"&{name}={value}"
        return self.form("POST", target, {"params": json.dumps(params)})

    def put_label(self, image, data, tag="final", params=None, name="label.nii"):
        return self.form("PUT", f"/datastore/label?image={image}&tag={tag}",
                         {"params": json.dumps(params or {})}, {"label": (name, data)})


class WebSocket:
    """A client of text messages; enough of RFC 6455 for the server's own streams."""

    def __init__(self, port, path, timeout=30):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall((f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\n"
                             f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
                             "Sec-WebSocket-Version: 13\r\n\r\n").encode())
        self.buffer = b""
        head = self._until(b"\r\n\r\n")
        if b" 101 " not in head.split(b"\r\n")[0]:
            raise ConnectionError(head.split(b"\r\n")[0].decode())

    def _more(self):
        data = self.socket.recv(65536)
        if not data:
            raise ConnectionError("closed")
        self.buffer += data

    def _until(self, mark):
        while mark not in self.buffer:
            self._more()
        head, _, self.buffer = self.buffer.partition(mark)
        return head

    def _take(self, count):
        while len(self.buffer) < count:
            self._more()
        data, self.buffer = self.buffer[:count], self.buffer[count:]
        return data

    def receive(self):
        """The next text message; None once the server closes."""
        while True:
            first, second = self._take(2)
            length = second & 127
            if length == 126:
                length = struct.unpack(">H", self._take(2))[0]
            elif length == 127:
                length = struct.unpack(">Q", self._take(8))[0]
            payload = self._take(length)
            if first & 15 == 8:
                return None
            if first & 15 == 9:
                self._send(10, payload)
            elif first & 15 in (1, 2):
                return payload.decode()

    def _send(self, code, payload):
        mask = os.urandom(4)
        masked = bytes(b ^ mask[i % 4] for i, b in enumerate(payload))
        self.socket.sendall(bytes([0x80 | code, 0x80 | len(payload)]) + mask + masked)

    def close(self, politely=True):
        try:
            if politely:
                self._send(8, struct.pack(">H", 1000))
        except OSError:
            pass
        self.socket.close()


# ---- numbers ----

def median(values):
    values = sorted(values)
    middle = len(values) // 2
    if not values:
        return float("nan")
    return values[middle] if len(values) % 2 else (values[middle - 1] + values[middle]) / 2


def quantile(values, q):
    values = sorted(values)
    return values[round(q * (len(values) - 1))] if values else float("nan")
