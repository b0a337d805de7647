#!/usr/bin/env python3
"""A served network: its slice features are shared, its weights can be put aside and brought back.

VOXLOOM names the program, CHECKPOINT the maker of stand-in checkpoints, SOURCE the sources; ctest
sets them.
"""
import os
import subprocess
import tempfile
import time
import unittest

import SimpleITK as sitk

from served import PROGRAM, Served, ball, read_bytes

DEPTH = 4


def setUpModule():
    global served, folder, temporary, checkpoint
    temporary = tempfile.TemporaryDirectory()
    folder = temporary.name
    checkpoint = os.path.join(folder, "MedSAM2_latest.pt")
    keys = os.path.join(os.environ["SOURCE"], "tests/golden/medsam2/keys/medsam2.txt")
    subprocess.run([os.environ["CHECKPOINT"], keys, checkpoint], check=True)
    os.environ["VOXLOOM_MODELS"] = os.path.join(folder, "models")
    os.mkdir(os.environ["VOXLOOM_MODELS"])
    subprocess.run([PROGRAM, "model", "convert", checkpoint, "-o",
                    os.path.join(folder, "models", "medsam2"), "--no-gate", "--quiet"], check=True,
                   stdout=subprocess.DEVNULL)
    studies = os.path.join(folder, "studies")
    os.mkdir(studies)
    for name in ("one", "two"):
        sitk.WriteImage(ball((40, 36, DEPTH), (20, 18, 2)), os.path.join(studies, f"{name}.nii.gz"))
    served = Served(studies, "--precision", "f32", "--engine", "torch", "--prefetch", "0")


def tearDownModule():
    served.stop()
    temporary.cleanup()


def click(client, label, image="one"):
    params = {"client_id": client, "label": label, "foreground": [[20, 18, 2]], "background": []}
    return served.infer(image, params, model="SAM", output="json")


def models():
    return list(served.get("/info/").json["models"])


def metric(name):
    text = served.get("/metrics").body.decode()
    return next(float(line.split()[-1]) for line in text.splitlines()
                if line.split("{")[0].split(" ")[0] in (name, name + "_total"))


class Weights(unittest.TestCase):
    def test_1_a_slice_is_encoded_once_for_all_labels_and_clients(self):
        first = click("a", "intersection").json
        self.assertEqual(first["slices_encoded"], DEPTH)
        for client, label in (("a", "tumour"), ("b", "intersection")):
            more = click(client, label).json
            self.assertEqual(more["slices_encoded"], 0)

    def test_2_the_first_clicks_use_what_was_made_ahead(self):
        self.assertEqual(served.post_json("/activelearning/last", {"client_id": "a"}).json["id"], "two")
        deadline = time.monotonic() + 120
        while metric("voxloom_prefetched") < 1:
            self.assertLess(time.monotonic(), deadline, "nothing is made ahead")
            time.sleep(0.05)
        for client in ("a", "b"):
            self.assertEqual(click(client, "intersection", "two").json["slices_encoded"], 0)

    def test_3_weights_that_were_put_aside_are_not_served_until_they_are_back(self):
        self.assertEqual(models(), ["SAM", "geodesic"])
        before = served.get("/model/info/SAM").json["checksum"]
        self.assertEqual(served.ask("DELETE", "/model/SAM").json, {})
        self.assertEqual(models(), ["geodesic"])
        self.assertEqual(os.listdir(os.path.join(folder, "models"))[0].split(".")[-1], "deleted")
        for answer in (click("a", "intersection"), served.post_json("/batch/infer/SAM", {}),
                       served.get("/model/info/SAM"), served.ask("DELETE", "/model/SAM")):
            self.assertEqual(answer.status, 404)
            self.assertIn("SAM", answer.detail)
        self.assertIn("is not served", click("a", "intersection").detail)
        point = {"foreground": [[20, 18, 2]]}
        self.assertEqual(served.infer("one", point, output="json").status, 200)

        bad = served.send("PUT", "/model/SAM", files=[("file", "x.pt", b"no checkpoint")])
        self.assertEqual(bad.status, 400, bad.body)
        self.assertEqual(models(), ["geodesic"])
        put = served.send("PUT", "/model/SAM", files=[("file", "x.pt", read_bytes(checkpoint))])
        self.assertEqual(put.status, 200, put.body)
        self.assertEqual(put.json["checksum"], before)
        self.assertEqual(models(), ["SAM", "geodesic"])
        self.assertEqual(click("a", "intersection").json["slices_encoded"], DEPTH)


if __name__ == "__main__":
    unittest.main()
