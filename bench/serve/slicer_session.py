#!/usr/bin/env python3
"""One annotation as 3D Slicer's MONAI Label module makes it, with the time of every step.

usage: slicer_session.py --server URL [--model NAME] [--strategy img_0001] [--client client.py]

Connect, next sample, points on two slices, infer, more points, infer, save, next sample. Requests
are made as the module's client makes them (a connection each, GET /auth/ before); with --client
they are made by that very class. The saved label is read with nibabel and SimpleITK and compared
with the image. The server must run on this machine, or share its folder: Slicer then opens images
by their path. A final label stays in the folder. Needs numpy, nibabel and SimpleITK.
"""
import argparse
import http.client
import json
import os
import sys
import tempfile
import time
import urllib.parse

import nibabel
import numpy as np
import SimpleITK as sitk


class Client:
    """The few calls of the session."""

    def __init__(self, url):
        self.place = urllib.parse.urlparse(url)

    def ask(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection(self.place.hostname, self.place.port)
        connection.request(method, path, body=body, headers=headers or {})
        response = connection.getresponse()
        data = response.read()
        connection.close()
        if response.status != 200:
            raise RuntimeError(f"{method} {path.split('?')[0]}: {response.status} {data[:200]}")
        return response.headers, data

    def form(self, method, path, fields, files=()):
        mark = "----------lImIt_of_THE_fIle_eW_$"
        out = bytearray()
        for name, value in fields.items():
            out += (f'--{mark}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'
                    f"{value}\r\n").encode()
        for name, file in files:
            out += (f'--{mark}\r\nContent-Disposition: form-data; name="{name}"; '
                    f'filename="{file}"\r\nContent-Type: application/octet-stream\r\n\r\n').encode()
            out += open(file, "rb").read() + b"\r\n"
        out += f"--{mark}--\r\n\r\n".encode()
        return self.ask(method, path, bytes(out),
                        {"Content-Type": f"multipart/form-data; boundary={mark}"})

    def auth_enabled(self):
        try:
            return json.loads(self.ask("GET", "/auth/")[1]).get("enabled", False)
        except RuntimeError:
            return False

    def info(self):
        return json.loads(self.ask("GET", "/info/")[1])

    def datastore(self):
        return json.loads(self.ask("GET", "/datastore/?output=all")[1])

    def train_status(self, running):
        try:
            self.ask("GET", f"/train/{'?check_if_running=true' if running else ''}")
            return True
        except RuntimeError:
            return False

    def next_sample(self, strategy, params):
        body = json.dumps({**params, "client_id": "session"})
        return json.loads(self.ask("POST", f"/activelearning/{strategy}", body,
                                   {"Content-Type": "application/json"})[1])

    def infer(self, model, image_id, params):
        headers, data = self.form(
            "POST", f"/infer/{model}?image={urllib.parse.quote_plus(image_id)}",
            {"params": json.dumps({**params, "client_id": "session"})})
        mark = headers["content-type"].split("boundary=")[1].encode()
        _, one, two, _ = data.split(b"--" + mark)
        head, mask = two[2:-2].split(b"\r\n\r\n", 1)
        path = os.path.join(tempfile.gettempdir(), head.decode().split('filename="')[1].split('"')[0])
        with open(path, "wb") as out:
            out.write(mask)
        return path, json.loads(one[2:-2].split(b"\r\n\r\n", 1)[1])

    def save_label(self, image_id, path, params):
        return json.loads(self.form(
            "PUT", f"/datastore/label?image={urllib.parse.quote_plus(image_id)}",
            {"params": json.dumps({**params, "client_id": "session"})}, [("label", path)])[1])


def slicer_client(path, url):
    import importlib.util
    spec = importlib.util.spec_from_file_location("slicer_client", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    made = module.MONAILabelClient(url, tempfile.gettempdir(), "session")
    save = made.save_label
    made.save_label = lambda image_id, file, params: save(image_id, file, params=params)
    return made


class Steps:
    def __call__(self, name, call, tell=lambda result: ""):
        began = time.perf_counter()
        result = call()
        print(f"{name:<44} {(time.perf_counter() - began) * 1e3:9.1f} ms   {tell(result)}",
              flush=True)
        return result


def bright_middle(image):
    """A voxel well inside the brightest smooth part, and how far it reaches along i and j."""
    smooth = sitk.GetArrayFromImage(sitk.DiscreteGaussian(sitk.Cast(image, sitk.sitkFloat32), 9.0))
    border = [max(1, n // 5) for n in smooth.shape]
    inside = smooth[tuple(slice(b, n - b) for b, n in zip(border, smooth.shape))]
    k, j, i = (int(v) + b for v, b in zip(np.unravel_index(inside.argmax(), inside.shape), border))
    return i, j, k


def compare(image_path, label_path):
    image, label = sitk.ReadImage(image_path), sitk.ReadImage(label_path)
    same = image.GetSize() == label.GetSize() and all(
        np.allclose(getattr(image, what)(), getattr(label, what)(), rtol=0, atol=1e-5)
        for what in ("GetSpacing", "GetOrigin", "GetDirection"))
    one, two = nibabel.load(image_path), nibabel.load(label_path)
    same = same and one.shape == two.shape and np.allclose(one.affine, two.affine, atol=1e-4)
    values = sorted(np.unique(np.asanyarray(two.dataobj)).tolist())
    if not same:
        raise AssertionError("the label is not on the image's grid")
    return f"equal in SimpleITK and nibabel, values {[int(v) for v in values]}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--server", required=True)
    parser.add_argument("--model", default="geodesic")
    parser.add_argument("--strategy", default="img_0001")
    parser.add_argument("--client", help="the Slicer extension's client.py")
    args = parser.parse_args()
    client = slicer_client(args.client, args.server) if args.client else Client(args.server)
    step = Steps()

    step("GET /auth/", client.auth_enabled, lambda on: "accounts on" if on else "no accounts")
    info = step("GET /info/", client.info, lambda i: f"models {', '.join(i['models'])}")
    step("GET /train/?check_if_running=true", lambda: client.train_status(True), lambda _: "no")
    labels = info["models"][args.model]["labels"]
    name = next(n for n in labels if n != "background")
    config = {k: v[0] if isinstance(v, list) else v
              for k, v in info["models"][args.model]["config"].items()}

    sample = step(f"POST /activelearning/{args.strategy}",
                  lambda: client.next_sample(args.strategy, {}), lambda s: s["name"])
    image = step("Slicer opens the image by its path", lambda: sitk.ReadImage(sample["path"]),
                 lambda i: "x".join(map(str, i.GetSize())))
    step("GET /datastore/?output=all", client.datastore)
    i, j, k = bright_middle(image)

    def infer(title, points, background, **more):
        params = {**config, **{n: [] for n in info["labels"]}, name: points,
                  "background": background, "label": name, "result_extension": ".nii.gz",
                  "result_dtype": "uint8", **more}

        def tell(answer):
            mask = sitk.GetArrayFromImage(sitk.ReadImage(answer[0]))
            slices = int(mask.any(axis=(1, 2)).sum())
            return (f"{int((mask == labels[name]).sum())} voxels of '{name}' on {slices} slices, "
                    f"server {answer[1]['latencies']['total']:.2f} s")
        return step(title, lambda: client.infer(args.model, sample["id"], params), tell)[0]

    two = [[i, j, k], [i + 3, j, k], [i, j, k + 4]]
    infer(f"infer: 3 points on slices {k} and {k + 4}", two, [])
    infer("infer: the same points again", two, [])
    more = two + [[i, j + 3, k + 4]]
    mask = infer("infer: one more, one of background", more, [[i + 25, j, k]])
    infer("infer: the added points taken back", two, [])
    answer = step("PUT /datastore/label",
                  lambda: client.save_label(sample["id"], mask, {
                      "label_info": [{"name": name, "idx": 1}], "model": args.model}),
                  lambda a: f"label of {a['image']}")
    folder = os.path.dirname(sample["path"])
    stored = os.path.join(folder, "labels", "final", answer["label"] + ".nii.gz")
    if os.path.exists(stored):
        step("the label on disk", lambda: compare(sample["path"], stored), lambda text: text)
    step("GET /info/", client.info,
         lambda i: "{completed} of {total} completed".format(**i["datastore"]))
    following = step("POST /activelearning/first", lambda: client.next_sample("first", {}),
                     lambda s: s.get("name", "nothing is left"))
    if following.get("id") == sample["id"]:
        raise AssertionError("the labelled image came again")
    return 0


if __name__ == "__main__":
    sys.exit(main())
