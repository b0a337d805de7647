#!/usr/bin/env python3
"""Drives `voxloom serve` with the client class of MONAI Label's 3D Slicer extension.

usage: monailabel_client.py --client .../MONAILabelLib/client.py --server URL --studies DIR
                            [--tls-server URL] [--model NAME] [--image ID]

Every call of the class in the order in which Slicer makes them, then what MITK, OHIF and the
Reviewer send, parsed as those programs parse it. The server must allow everything to everyone
(no accounts). --studies is its folder on this machine: masks are compared with the images there.
It adds an image and labels to the folder, and removes them again.
Needs Python 3.8 to 3.12 (the class uses `cgi`), requests, numpy and SimpleITK.
Ends with 1 when a step fails.
"""
import argparse
import gzip
import http.client
import importlib.util
import json
import os
import re
import socket
import ssl
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request

import numpy as np
import SimpleITK as sitk

from client_checks import Table, expect, raises


def load_client(path):
    spec = importlib.util.spec_from_file_location("slicer_client", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def same_grid(mask, image):
    expect(mask.GetSize() == image.GetSize(), f"size {mask.GetSize()} of {image.GetSize()}")
    for what in ("GetSpacing", "GetOrigin", "GetDirection"):
        mine, other = getattr(mask, what)(), getattr(image, what)()
        expect(np.allclose(mine, other, rtol=0, atol=1e-4), f"{what[3:]} {mine} of {other}")


def inner_point(image):
    """A voxel in the middle of the brightest smooth part: something a model can grow from."""
    smooth = sitk.GetArrayFromImage(sitk.DiscreteGaussian(sitk.Cast(image, sitk.sitkFloat32), 4.0))
    border = [max(1, n // 5) for n in smooth.shape]
    inside = smooth[tuple(slice(b, n - b) for b, n in zip(border, smooth.shape))]
    k, j, i = (int(v) + b for v, b in zip(np.unravel_index(inside.argmax(), inside.shape), border))
    return [i, j, k]


class Session:
    """What the steps share."""

    def __init__(self, args, table):
        self.args, self.table = args, table
        self.module = load_client(args.client)
        self.url = args.server.rstrip("/")
        self.folder = tempfile.mkdtemp(prefix="monailabel_client_")
        self.client = self.new_client()
        self.info = self.client.info()
        self.model = args.model or next(iter(self.info["models"]))
        self.id = args.image or self.first_file_id()
        self.path = self.image_path(self.id)
        self.image = sitk.ReadImage(self.path)
        self.point = inner_point(self.image)

    def new_client(self):
        # Slicer makes one object a call.
        return self.module.MONAILabelClient(self.url, self.folder, "conformance")

    def objects(self):
        return self.new_client().datastore()["objects"]

    def first_file_id(self):
        return next(i for i, entry in self.objects().items() if entry["image"]["ext"])

    def image_path(self, image_id):
        return os.path.join(self.args.studies, image_id + self.objects()[image_id]["image"]["ext"])

    def label(self):
        return next(n for n in self.info["models"][self.model]["labels"] if n != "background")

    def prompts(self, **more):
        params = {name: [] for name in self.info["labels"]}
        params[self.label()] = [self.point]
        config = self.info["models"][self.model]["config"]
        params.update({k: v[0] if isinstance(v, list) else v for k, v in config.items()})
        params.update(result_extension=".nrrd", result_dtype="uint8", label=self.label(), **more)
        return params

    def check_mask(self, path, params, image=None, suffix=".nrrd"):
        expect(path and os.path.exists(path), f"no mask file, {path!r}")
        expect(path.endswith(suffix), f"the mask is {os.path.basename(path)}, not {suffix}")
        mask = sitk.ReadImage(path)
        same_grid(mask, image if image is not None else self.image)
        expect(mask.GetPixelIDTypeAsString() == "8-bit unsigned integer", "the mask is not uint8")
        values = set(np.unique(sitk.GetArrayViewFromImage(mask)).tolist()) - {0}
        names = params["label_names"]
        expect(values <= set(names.values()), f"values {values} outside {names}")
        expect("latencies" in params, "no latencies")
        return mask, values


def slicer(s):
    table, client = s.table, s.new_client

    with table.step("auth_enabled is False"):
        expect(client().auth_enabled() is False, "it says accounts are on")
    with table.step("info: keys and types"):
        info = client().info()
        for key, kind in (("name", str), ("description", str), ("version", str), ("labels", list),
                          ("models", dict), ("trainers", dict), ("strategies", dict),
                          ("scoring", dict), ("train_stats", dict), ("datastore", dict)):
            expect(isinstance(info[key], kind), f"{key} is no {kind.__name__}")
        expect(info["version"] and info["labels"] and info["strategies"], "an empty entry")
        expect(not info.get("config"), "a top-level config stops Slicer")
        for name, model in info["models"].items():
            expect(model["type"] in ("segmentation", "deepgrow", "deepedit", "scribbles"),
                   f"{name}: Slicer has no list for type {model['type']}")
            expect(model["dimension"] in (2, 3) and isinstance(model["description"], str), name)
            expect(isinstance(model["labels"], (list, dict)), f"{name}: labels")
            for key, value in model["config"].items():
                texts = value if isinstance(value, (list, dict)) else []
                expect(all(isinstance(v, str) for v in texts), f"{name}.{key}: not all text")
    with table.step("upload_image with blank, dot and umlaut") as remark:
        s.new_id = "case a.b \u00e9"
        answer = client().upload_image(s.path, s.new_id)
        expect(answer == {"image": s.new_id}, f"answer {answer}")
        remark.append("id echoed")
    with table.step("datastore contains it"):
        entry = s.objects()[s.new_id]["image"]
        expect(entry["info"]["client_id"] == "conformance", f"info {entry['info']}")
    with table.step("next_sample first") as remark:
        sample = client().next_sample("first", {})
        for key in ("id", "name", "path"):
            expect(sample[key], f"no {key}")
        expect(os.path.exists(sample["path"]), "its path does not exist")
        again = client().next_sample("first", {})
        remark.append(f"id {again['id'][:20]}")
        expect(again["strategy"]["first"]["client_id"] == "conformance", "no strategy.first")
    with table.step("image download as Slicer makes it, checksum") as remark:
        url = f"{s.url}/datastore/image?image=" + urllib.parse.quote_plus(s.id)
        with urllib.request.urlopen(url) as response:
            data = response.read()
            name = s.module.MONAILabelUtils.get_filename(response.headers["content-disposition"])
        expect(data == open(s.path, "rb").read(), "other bytes than the file")
        expect(name == os.path.basename(s.path), f"name {name}")
        sample = next((n for n in (client().next_sample("first", {}),) if n["id"] == s.id), None)
        if sample and "checksum" in sample:
            import hashlib
            expect(sample["checksum"] == "SHA256:" + hashlib.sha256(data).hexdigest(), "checksum")
            remark.append("checksum equal")
    with table.step("create_session, get_session"):
        made = client().create_session(s.path)
        s.session = made["session_id"]
        expect(client().get_session(s.session)["name"] == s.session, "another session")

    def infer(label, image_id, **call):
        with table.step(label) as remark:
            params = s.prompts()
            path, result = client().infer(s.model, image_id, params, **call)
            mask, values = s.check_mask(path, result)
            i, j, k = s.point
            expect(mask[i, j, k] == result["label_names"][s.label()], "the click is not in it")
            array = sitk.GetArrayViewFromImage(mask)
            slices = np.flatnonzero(array.any(axis=(1, 2)))
            expect({k - 1, k + 1} <= set(slices.tolist()), f"slices {slices} without neighbours")
            remark.append(f"{int((array > 0).sum())} voxels, {len(slices)} slices")
            s.mask = path

    infer("infer by id: grid, values, both neighbours", s.id)
    infer("infer again with the same click", s.id)
    infer("infer with session_id", "nothing-of-that-name", session_id=s.session)
    infer("infer with file", "", file=s.path)
    with table.step("infer on one slice: the others are empty"):
        path, result = client().infer(s.model, s.id, s.prompts(slice=s.point[2]))
        array = sitk.GetArrayFromImage(s.check_mask(path, result)[0])
        expect(set(np.flatnonzero(array.any(axis=(1, 2)))) <= {s.point[2]}, "another slice")
    with table.step("infer with a box in any order"):
        i, j, k = s.point
        roi = [i + 12, i - 12, j - 12, j + 12, k + 2, k - 2]
        params = s.prompts(roi=roi)
        params[s.label()] = []
        array = sitk.GetArrayFromImage(s.check_mask(*client().infer(s.model, s.id, params))[0])
        expect(array.any(), "nothing was found in the box")
    with table.step("infer: a click too much and its deletion"):
        params = s.prompts()
        params["background"] = [[s.point[0] + 3, s.point[1], s.point[2]]]
        client().infer(s.model, s.id, params)
        path, _ = client().infer(s.model, s.id, s.prompts())
        one, two = (sitk.GetArrayFromImage(sitk.ReadImage(p)) for p in (path, s.mask))
        expect((one == two).all(), "the deleted click still has an effect")
    with table.step("infer with deepgrow keys"):
        params = {"foreground": [s.point], "background": [], "label": s.label(),
                  "result_extension": ".nrrd", "result_dtype": "uint8", "reset_state": True}
        mask = s.check_mask(*client().infer(s.model, s.id, params))[0]
        expect(sitk.GetArrayViewFromImage(mask).any(), "empty mask")
    with table.step("infer without prompts: a mask, or params alone"):
        path, result = client().infer(s.model, s.id, {"result_extension": ".nrrd"})
        expect(path is None or s.check_mask(path, result), "no mask")
    with table.step("infer, result as the image's own format"):
        params = s.prompts()
        del params["result_extension"]
        suffix = ".nii.gz" if s.path.endswith(".nii.gz") else os.path.splitext(s.path)[1]
        s.check_mask(*client().infer(s.model, s.id, params), suffix=suffix)
    with table.step("infer, compressed"):
        s.check_mask(*client().infer(s.model, s.id, s.prompts(result_compress=True)))
    with table.step("infer with a label file: a mask, or why not") as remark:
        params = s.prompts(label_info=[{"name": "foreground_scribbles", "id": 1}],
                           selected_label_name=s.label())

        def scribbles():
            s.check_mask(*client().infer(s.model, s.id, params, label_in=s.mask))
        if s.info["models"][s.model]["type"] == "scribbles":
            scribbles()
        else:  # Slicer sends none to such a model
            remark.append(raises(scribbles, "Status: 400").strip()[-60:])

    with table.step("save_label"):
        info = {"label_info": [{"name": s.label(), "idx": 1}], "model": s.model}
        s.completed = client().info()["datastore"]["completed"]
        answer = client().save_label(s.new_id, s.mask, params=info)
        expect(answer == {"image": s.new_id, "label": s.new_id}, f"answer {answer}")
        final = s.objects()[s.new_id]["labels"]["final"]["info"]
        expect(final["label_info"] == info["label_info"], f"info {final}")
        expect(final["client_id"] == "conformance" and final["name"], f"info {final}")
    with table.step("info: completed counts up"):
        expect(client().info()["datastore"]["completed"] == s.completed + 1, "it does not")
    with table.step("download_label"):
        path = client().download_label(s.new_id, "final")
        expect(path.endswith(".nrrd"), f"{path} has another extension")
        same = sitk.GetArrayFromImage(sitk.ReadImage(path)) == sitk.GetArrayFromImage(
            sitk.ReadImage(s.mask))
        expect(same.all(), "other voxels than were saved")
    with table.step("download_label of a missing tag: 404"):
        raises(lambda: client().download_label(s.new_id, "none"), "Status: 404")
    with table.step("train_status, train_stop, train_start"):
        expect(client().train_status(True) is False, "it trains")
        raises(lambda: client().train_status(False), "Status: 404")
        expect(client().train_stop() is None, "something was stopped")
        if not client().info()["trainers"]:
            raises(lambda: client().train_start(s.model, {}), "Status: 404")
    with table.step("remove_session; then 404"):
        client().remove_session(s.session)
        raises(lambda: client().get_session(s.session), "Status: 404")
    with table.step("unknown model, image, strategy: status and reason") as remark:
        raises(lambda: client().infer("no-such-model", s.id, {}), "Status: 404")
        raises(lambda: client().infer(s.model, "no-such-image", s.prompts()), "Status: 404")
        text = raises(lambda: client().next_sample("no-such-strategy", {}), "Status: 404")
        remark.append(text.strip()[:80])
    with table.step("a click outside the image: 400 with the key"):
        params = s.prompts()
        params[s.label()] = [[10**6, 0, 0]]
        raises(lambda: client().infer(s.model, s.id, params), s.label())
    with table.step("wsi_infer: refused with a status"):
        raises(lambda: client().wsi_infer(s.model, s.id, {}), "Status: 4")


def actions(s):
    """The orders of requests behind Slicer's buttons, each preceded by GET /auth/."""
    client, table = s.new_client, s.table

    with table.step("connect: info, train?check_if_running"):
        client().auth_enabled(), client().info(), client().train_status(True)
    with table.step("next sample: sample, image, datastore, original label"):
        client().auth_enabled()
        sample = client().next_sample("random", {})
        urllib.request.urlopen(f"{s.url}/datastore/image?image="
                               + urllib.parse.quote_plus(sample["id"])).read()
        labels = client().datastore()["objects"][sample["id"]]["labels"]
        if "original" in labels:
            client().download_label(sample["id"], "original")
    with table.step("quick random samples: none fails"):
        for _ in range(8):
            client().next_sample("random", {})
    with table.step("own volume: session, get before each infer"):
        made = client().create_session(s.path)["session_id"]
        for _ in range(2):
            client().get_session(made)
            s.check_mask(*client().infer(s.model, "volume", s.prompts(), session_id=made))
        client().remove_session(made)
    with table.step("/auth/, /train/, /info/ while a model runs") as remark:
        done = threading.Event()

        def work():
            try:
                client().infer(s.model, s.id, s.prompts(reset_state=True))
            finally:
                done.set()
        thread = threading.Thread(target=work)
        thread.start()
        times = []
        while not done.is_set() and len(times) < 300:
            for call in (client().auth_enabled, lambda: client().train_status(True), client().info):
                began = time.perf_counter()
                call()
                times.append(time.perf_counter() - began)
        thread.join()
        times.sort()
        remark.append(f"{len(times)} calls, p50 {times[len(times) // 2] * 1e3:.1f} ms, "
                      f"slowest {times[-1] * 1e3:.1f} ms")


def raw(url, method, path, body=None, headers=None):
    """A request without any library's help; https without verification, as MITK does."""
    parts = urllib.parse.urlparse(url)
    if parts.scheme == "https":
        connection = http.client.HTTPSConnection(
            parts.hostname, parts.port, context=ssl._create_unverified_context(), timeout=120)
    else:
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=120)
    connection.request(method, path, body=body, headers=headers or {})
    response = connection.getresponse()
    data = response.read()
    headers = {k.lower(): v for k, v in response.getheaders()}
    connection.close()
    return response.status, headers, data


def form(fields, files=()):
    limit = "b0undary"
    out = bytearray()
    for name, value in fields.items():
        out += f'--{limit}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
    for name, filename, data in files:
        out += (f'--{limit}\r\nContent-Disposition: form-data; name="{name}"; '
                f'filename="{filename}"\r\nContent-Type: application/octet-stream\r\n\r\n').encode()
        out += data + b"\r\n"
    out += f"--{limit}--\r\n".encode()
    return bytes(out), {"Content-Type": f"multipart/form-data; boundary={limit}"}


def mitk(s, url):
    """GET /info/, then a volume with every click; the answer is cut by literal strings."""
    volume = os.path.join(s.folder, "post_from_mitk.nii.gz")
    sitk.WriteImage(s.image, volume)
    data = open(volume, "rb").read()

    def click(params):
        expect(raw(url, "GET", "/info/")[0] == 200, "/info/")
        body, headers = form({"params": json.dumps(params)},
                             [("file", "post_from_mitk.nii.gz", data)])
        status, answer, body = raw(url, "POST", f"/infer/{s.model}", body, headers)
        expect(status == 200, f"status {status}: {body[:200]}")
        expect("content-length" in answer and "transfer-encoding" not in answer, "chunked")
        boundary = answer["content-type"].split("boundary=")[1]
        expect(re.fullmatch("[0-9a-f]{32}", boundary), f"boundary {boundary}")
        parts = body.split(b"--" + boundary.encode())
        expect(parts[0] == b"", "a preamble")
        json_mark, file_mark = b"Content-Type: application/json", b"Content-Type: application/octet-stream"
        expect(json_mark in parts[1] and file_mark in parts[2], "the order or the type lines")
        result = json.loads(parts[1].split(json_mark)[1])
        mask = os.path.join(s.folder, "mitk.nii.gz")
        with open(mask, "wb") as out:
            out.write(parts[2].split(file_mark + b"\r\n\r\n")[1][:-2])
        return s.check_mask(mask, result, suffix=".nii.gz")[0], result

    where = "MITK over " + url.split(":")[0]
    with s.table.step(f"{where}: info has what it needs"):
        info = json.loads(raw(url, "GET", "/info/")[2])
        expect(all(isinstance(info[k], t) for k, t in
                   (("name", str), ("description", str), ("labels", list))), "keys")
    with s.table.step(f"{where}: first click"):
        mask, result = click({"foreground": [s.point], "background": [], "reset_state": True})
        expect(sitk.GetArrayViewFromImage(mask).max() == 1, "value 1 is the label")
        expect(isinstance(result["label_names"], dict), "label_names is no object")
    with s.table.step(f"{where}: second click, restore_label_idx"):
        i, j, k = s.point
        click({"foreground": [s.point, [i, j, k - 1]], "background": [], "restore_label_idx": True})


def parse_nrrd(data):
    """The rules of the JavaScript parser that OHIF uses: strict, inline data, plain vectors."""
    head, payload = data.split(b"\n\n", 1)
    lines = head.decode("ascii").split("\n")
    expect(re.fullmatch(r"NRRD000\d", lines[0].strip()), "the magic line")
    fields = {}
    for line in lines[1:]:
        if line.startswith("#") or not line:
            continue
        found = re.match(r"^([^:]+):(=| )(.*)$", line)
        expect(found, f"the line {line!r}")
        fields[found[1].strip().lower()] = found[3].strip()
    for name in ("dimension", "type", "encoding", "sizes"):
        expect(name in fields, f"no {name}")
    for name in ("units", "labels", "space units", "data file", "datafile"):
        expect(name not in fields, f"{name} is there")
    for name in ("space directions", "space origin"):
        for vector in fields[name].split(" "):
            expect(re.fullmatch(r"\([^() ]*\)|none", vector), f"{name}: {vector!r}")
    if fields["encoding"] in ("gzip", "gz"):
        payload = gzip.decompress(payload)
    sizes = [int(v) for v in fields["sizes"].split()]
    expect(fields["type"] in ("uint8", "uchar", "unsigned char", "uint8_t"), fields["type"])
    expect(len(payload) == int(np.prod(sizes)), f"{len(payload)} bytes of {sizes}")
    return sizes, np.frombuffer(payload, np.uint8).reshape(sizes[::-1])


def ohif(s):
    series = next((i for i, e in s.objects().items() if "SeriesInstanceUID" in e["image"]["info"]), None)
    origin = {"Origin": "http://viewer.example:3000"}
    with s.table.step("OHIF: preflight and CORS headers"):
        asked = {"Access-Control-Request-Method": "POST",
                 "Access-Control-Request-Headers": "content-type"}
        status, headers, _ = raw(s.url, "OPTIONS", f"/infer/{s.model}", headers={**origin, **asked})
        expect(status == 200, f"preflight {status}")
        expect(headers["access-control-allow-origin"] == origin["Origin"], "preflight's origin")
        expect("POST" in headers["access-control-allow-methods"], "methods")
        for path in ("/info/", "/no/such/path"):
            _, headers, _ = raw(s.url, "GET", path, headers=origin)
            expect(headers["access-control-allow-origin"] in ("*", origin["Origin"]), path)
    for title, image_id in (("a file", s.id), ("a DICOM series", series)):
        if image_id is None:
            continue
        with s.table.step(f"OHIF: prompts on {title}, NRRD as it parses it") as remark:
            size = s.image.GetSize()
            point = s.point
            if image_id == series:
                downloaded = os.path.join(s.folder, "series.nii.gz")
                status, _, data = raw(s.url, "GET", "/datastore/image?image=" + series)
                expect(status == 200, f"image {status}")
                open(downloaded, "wb").write(data)
                volume = sitk.ReadImage(downloaded)
                size, point = volume.GetSize(), inner_point(volume)
            body, headers = form({"params": json.dumps({
                s.label(): [point], "background": [], "result_extension": ".nrrd",
                "result_dtype": "uint8", "result_compress": False, "restore_label_idx": False})})
            status, answer, data = raw(
                s.url, "POST",
                f"/infer/{s.model}?image={urllib.parse.quote(image_id)}&output=image", body,
                {**headers, **origin})
            expect(status == 200, f"status {status}: {data[:200]}")
            sizes, voxels = parse_nrrd(data)
            expect(tuple(sizes) == size, f"{sizes} of {size}")
            i, j, k = point
            expect(voxels[k, j, i] == s.info["models"][s.model]["labels"][s.label()], "the click")
            remark.append(f"{int((voxels > 0).sum())} voxels")
    if series:
        with s.table.step("OHIF: next sample has the DICOM fields"):
            client = s.new_client()
            samples = [client.next_sample(name, {}) for name in ("first", "last")]
            found = [x for x in samples if x["id"] == series]
            expect(found and found[0]["StudyInstanceUID"], f"samples {[x['id'] for x in samples]}")


def reviewer(s):
    with s.table.step("Reviewer: / and the document"):
        expect(raw(s.url, "GET", "/")[0] == 200, "/")
        expect(s.new_id in s.objects(), "the document")
    label = urllib.parse.quote_plus(s.new_id)
    with s.table.step("Reviewer: updatelabelinfo, urlencoded"):
        meta = {"segmentationMeta": {"status": "approved", "approvedBy": "r", "level": "easy",
                                     "comment": "a & b = \u00e9", "editTime": "1"}}
        body = urllib.parse.urlencode({"params": json.dumps(meta)})
        status, _, data = raw(s.url, "PUT", f"/datastore/updatelabelinfo?label={label}&tag=final",
                              body, {"Content-Type": "application/x-www-form-urlencoded"})
        expect(status == 200, f"status {status} {data[:100]}")
        info = s.objects()[s.new_id]["labels"]["final"]["info"]
        expect(info["segmentationMeta"] == meta["segmentationMeta"], f"info {info}")
        expect("label_info" in info, "the earlier info is gone")
    with s.table.step("Reviewer: another version of a label, removed again"):
        version = os.path.join(s.folder, s.new_id + ".nrrd")
        sitk.WriteImage(sitk.ReadImage(s.mask), version)
        s.new_client().save_label(s.new_id, version, tag="version_1")
        expect("version_1" in s.objects()[s.new_id]["labels"], "not listed")
        status, _, data = raw(s.url, "GET", f"/datastore/label?label={label}&tag=version_1")
        expect(status == 200 and data == open(version, "rb").read(), "other bytes")
        expect(raw(s.url, "DELETE", f"/datastore/label?id={label}&tag=version_1")[0] == 200, "")
        expect("version_1" not in s.objects()[s.new_id]["labels"], "still listed")


def wire(s):
    """What only shows on the socket."""
    parts = urllib.parse.urlparse(s.url)
    with s.table.step("GET with a stale Content-Length is answered") as remark:
        with socket.create_connection((parts.hostname, parts.port), timeout=5) as sock:
            began = time.perf_counter()
            sock.sendall(b"GET /info/ HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                         b"Content-Length: 31\r\n\r\n")
            expect(sock.recv(64).startswith(b"HTTP/1.1 200"), "no 200")
            remark.append(f"{(time.perf_counter() - began) * 1e3:.1f} ms")
    with s.table.step("clean-up: the added image and its labels go") as remark:
        image = urllib.parse.quote_plus(s.new_id)
        before = s.new_client().info()["datastore"]["total"]
        expect(raw(s.url, "DELETE", f"/datastore/label?id={image}&tag=final")[0] == 200, "label")
        expect(raw(s.url, "DELETE", f"/datastore/?id={image}")[0] == 200, "image")
        expect(s.new_client().info()["datastore"]["total"] == before - 1, "the count")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--client", required=True, help="MONAILabelLib/client.py")
    parser.add_argument("--server", required=True, help="http://host:port")
    parser.add_argument("--studies", required=True, help="the server's folder")
    parser.add_argument("--tls-server", help="a server of the same studies with https, for MITK")
    parser.add_argument("--model", help="default: the first served")
    parser.add_argument("--image", help="default: the first that is a file")
    args = parser.parse_args()
    socket.setdefaulttimeout(300)  # the class sets none
    table = Table()
    s = Session(args, table)
    print(f"model {s.model}, image {s.id} {s.image.GetSize()}, click {s.point}")
    slicer(s)
    actions(s)
    mitk(s, args.tls_server or s.url)
    ohif(s)
    reviewer(s)
    wire(s)
    table.print()
    return 1 if table.failed else 0


if __name__ == "__main__":
    sys.exit(main())
