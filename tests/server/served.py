"""A `voxloom serve` of its own for a test: starts it, asks it, stops or kills it."""
import http.client
import json
import os
import shutil
import signal
import subprocess
import time
import urllib.parse

import numpy as np
import SimpleITK as sitk

PROGRAM = os.environ.get("VOXLOOM", "voxloom")
EXAMPLES = os.environ.get("EXAMPLES", "examples")


class Answer:
    def __init__(self, response):
        self.status = response.status
        self.headers = {k.lower(): v for k, v in response.getheaders()}
        self.body = response.read()

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def detail(self):
        return self.json["detail"]

    def parts(self):
        """The parts of a multipart answer: [(header lines, body)]."""
        boundary = self.headers["content-type"].split("boundary=")[1].encode()
        pieces = self.body.split(b"--" + boundary)
        assert pieces[0] == b"" and pieces[-1] == b"--\r\n", "the frame of the multipart answer"
        return [tuple(piece[2:-2].split(b"\r\n\r\n", 1)) for piece in pieces[1:-1]]


def form(fields=(), files=(), boundary="----------lImIt_of_THE_fIle_eW_$"):
    """A multipart body as Slicer's client writes it, and its headers."""
    out = bytearray()
    for name, value in dict(fields).items():
        text = value if isinstance(value, str) else json.dumps(value)
        out += f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'.encode()
        out += text.encode() + b"\r\n"
    for name, filename, data in files:
        out += (f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"; '
                f'filename="{filename}"\r\nContent-Type: application/octet-stream\r\n\r\n').encode()
        out += data + b"\r\n"
    out += f"--{boundary}--\r\n\r\n".encode()
    return bytes(out), {"Content-Type": f"multipart/form-data; boundary={boundary}"}


class Served:
    """A server on a folder. Its state lies beside the folder."""

    def __init__(self, studies, *options):
        self.studies, self.options = studies, options
        self.state = studies + ".state"
        self.start()

    def start(self):
        self.output = open(self.studies + ".out", "w+")
        self.process = subprocess.Popen(
            [PROGRAM, "serve", "--studies", self.studies, "--port", "0", "--state-dir", self.state,
             "--rate", "0", *self.options], stdout=self.output, stderr=subprocess.STDOUT)
        while True:
            text = self.printed()
            if "stop with" in text:
                break
            assert self.process.poll() is None, f"the server has ended: {text}"
            time.sleep(0.01)
        self.url = text.split("serving ")[1].split()[0]
        self.port = int(self.url.rsplit(":", 1)[1])

    def printed(self):
        return read_bytes(self.studies + ".out").decode()

    def stop(self):
        """Asks it to end; its exit status must be 0."""
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(30)
        self.output.close()
        assert status == 0, f"status {status} at the end: {self.printed()}"

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.output.close()

    def ask(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body=body, headers=headers or {})
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def get(self, path, **headers):
        return self.ask("GET", path, headers=headers)

    def post_json(self, path, value=None):
        if value is None:
            return self.ask("POST", path)
        return self.ask("POST", path, json.dumps(value), {"Content-Type": "application/json"})

    def send(self, method, path, fields=(), files=()):
        return self.ask(method, path, *form(fields, files))

    def infer(self, image, params=None, model="geodesic", output=None, files=(), more=""):
        query = f"/infer/{model}?image={urllib.parse.quote_plus(image)}{more}"
        query += f"&output={output}" if output else ""
        return self.send("POST", query, {} if params is None else {"params": params}, files)

    def objects(self):
        return self.get("/datastore/?output=all").json["objects"]

    def mask(self, folder, answer):
        """The mask of an `output=all` answer as an image, and the params beside it."""
        assert answer.status == 200, f"{answer.status} {answer.body[:300]}"
        (_, params), (head, data) = answer.parts()
        name = head.decode().split('filename="')[1].split('"')[0]
        path = os.path.join(folder, name)
        with open(path, "wb") as out:
            out.write(data)
        return sitk.ReadImage(path), json.loads(params)


def ball(size=(40, 36, 20), centre=(20, 18, 10), radius=7, seed=1):
    """A noisy volume with a bright ball on an oblique grid, int16."""
    k, j, i = np.meshgrid(*(np.arange(n) for n in reversed(size)), indexing="ij")
    far = np.sqrt((i - centre[0])**2 + (j - centre[1])**2 + (1.5 * (k - centre[2]))**2)
    noise = np.random.default_rng(seed).normal(0, 8, far.shape)
    image = sitk.GetImageFromArray((np.where(far < radius, 300, 100) + noise).astype(np.int16))
    image.SetSpacing((0.8, 0.9, 1.5))
    image.SetOrigin((-12.5, 30.25, 7.0))
    image.SetDirection((0, 1, 0, -1, 0, 0, 0, 0, 1))
    return image


def same_grid(one, other):
    return one.GetSize() == other.GetSize() and all(
        np.allclose(getattr(one, what)(), getattr(other, what)(), rtol=0, atol=1e-4)
        for what in ("GetSpacing", "GetOrigin", "GetDirection"))


def read_bytes(path):
    with open(path, "rb") as file:
        return file.read()


def make_folder(folder):
    """Images, a DICOM series, and an index and labels as MONAI Label leaves them."""
    os.makedirs(os.path.join(folder, "labels", "final"))
    for number in (1, 2, 3):
        sitk.WriteImage(ball(seed=number), os.path.join(folder, f"case_{number}.nii.gz"))
    sitk.WriteImage(ball(seed=4), os.path.join(folder, "other.nrrd"))
    shutil.copytree(os.path.join(EXAMPLES, "vs_mr_dicom"), os.path.join(folder, "series"))
    label = sitk.Cast(ball(seed=1) > 200, sitk.sitkUInt8)
    sitk.WriteImage(label, os.path.join(folder, "labels", "final", "case_1.nii.gz"))
    image = {"ext": ".nii.gz", "info": {"ts": 1700000000, "name": "case_1.nii.gz", "note": "kept",
                                        "strategy": {"random": {"ts": 1700000100, "client_id": "u"}}}}
    final = {"ext": ".nii.gz", "info": {"label_info": [{"name": "intersection", "idx": 1}],
                                        "client_id": "u", "ts": 1700000200, "name": "case_1.nii.gz"}}
    gone = {"image": {"ext": ".nii.gz", "info": {"name": "gone.nii.gz"}}, "labels": {}}
    index = {"name": "lab", "description": "Ours", "images_dir": ".", "labels_dir": "labels",
             "objects": {"case_1": {"image": image, "labels": {"final": final}}, "gone": gone}}
    with open(os.path.join(folder, "datastore_v2.json"), "w") as file:
        json.dump(index, file, indent=2)
