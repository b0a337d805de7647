#!/usr/bin/env python3
"""Walks the whole protocol of the annotation server as clients speak it.

VOXLOOM names the program and EXAMPLES the folder with the bundled series; ctest sets both.
"""
import io
import json
import os
import tempfile
import time
import unittest
import urllib.parse
import zipfile

import numpy as np
import SimpleITK as sitk

from served import Served, ball, form, make_folder, read_bytes, same_grid

IN_BALL = [20, 18, 10]
CLICK = {"intersection": [IN_BALL], "background": []}


def setUpModule():
    global served, folder, temporary
    temporary = tempfile.TemporaryDirectory()
    folder = temporary.name
    make_folder(os.path.join(folder, "studies"))
    served = Served(os.path.join(folder, "studies"))
    # Series are looked for behind the start.
    deadline = time.monotonic() + 20
    while not any(not o["image"]["ext"] for o in served.objects().values()):
        assert time.monotonic() < deadline, "the series is not found"
        time.sleep(0.02)


def tearDownModule():
    served.stop()
    temporary.cleanup()


def study(name):
    return os.path.join(folder, "studies", name)


def series_id():
    return next(i for i, o in served.objects().items() if not o["image"]["ext"])


class Takeover(unittest.TestCase):
    def test_a_folder_of_monai_label_is_taken_over(self):
        document = served.get("/datastore/?output=all").json
        self.assertEqual(document["name"], "lab")
        self.assertEqual(list(document)[:4], ["name", "description", "images_dir", "labels_dir"])
        entry = document["objects"]["case_1"]
        self.assertEqual(entry["image"]["info"]["note"], "kept")
        self.assertEqual(entry["labels"]["final"]["info"]["client_id"], "u")
        self.assertNotIn("gone", document["objects"])
        self.assertIn("other", document["objects"])
        stats = served.get("/datastore/").json
        self.assertEqual((stats["total"], stats["completed"]), (5, 1))
        self.assertEqual(stats["label_tags"]["final"], 1)

    def test_pairs_for_training(self):
        pairs = served.get("/datastore/?output=train").json
        self.assertEqual([os.path.basename(p["image"]) for p in pairs], ["case_1.nii.gz"])
        self.assertTrue(os.path.exists(pairs[0]["label"]))

    def test_dataset_zip(self):
        answer = served.get("/datastore/dataset?limit_cases=3")
        self.assertEqual(answer.headers["content-type"], "application/zip")
        names = zipfile.ZipFile(io.BytesIO(answer.body)).namelist()
        self.assertEqual(set(names), {"image/case_1.nii.gz", "label/case_1.nii.gz", "metadata.json"})


class Info(unittest.TestCase):
    def test_keys_in_order(self):
        info = served.get("/info/").json
        self.assertEqual(list(info), ["name", "description", "version", "labels", "models",
                                      "trainers", "strategies", "scoring", "train_stats",
                                      "datastore"])
        model = info["models"]["geodesic"]
        self.assertEqual(model["dimension"], 3)
        values = [v for k, v in model["labels"].items() if k != "background"]
        self.assertEqual(values, list(range(1, len(values) + 1)))
        self.assertEqual(list(info["strategies"])[:3], ["random", "first", "last"])

    def test_either_spelling_without_redirect(self):
        for path in ("/info", "/info/", "/datastore", "/train/?all=true", "/batch/infer?all=1",
                     "/batch/infer/?all=1", "/session", "/logs"):
            self.assertNotIn(served.get(path).status, (301, 302, 307, 308), path)
        self.assertEqual(served.get("/info").body, served.get("/info/").body)


class Errors(unittest.TestCase):
    def expect(self, status, detail, method, path, body=None, headers=None):
        answer = served.ask(method, path, body, headers)
        self.assertEqual(answer.status, status, (path, answer.body[:200]))
        self.assertEqual(answer.headers["content-type"], "application/json", path)
        if isinstance(detail, str):
            self.assertIn(detail, answer.detail, path)
        elif detail:
            self.assertEqual(answer.detail[0]["type"], detail["type"], path)
            self.assertEqual(answer.detail[0]["loc"], detail["loc"], path)
        return answer

    def test_routes_and_methods(self):
        self.assertEqual(served.get("/nope").json, {"detail": "Not Found"})
        answer = self.expect(405, "Method Not Allowed", "POST", "/info/")
        self.assertEqual(answer.headers["allow"], "GET")
        self.assertEqual(served.ask("HEAD", "/info/").status, 405)
        self.expect(404, "Resource NOT Found", "GET", "/ohif/")
        self.expect(404, "", "GET", "/auth/")

    def test_missing_and_wrong_parameters(self):
        missing = {"type": "missing", "loc": ["query", "image"]}
        self.assertEqual(served.get("/datastore/image").json, {"detail": [
            {"type": "missing", "loc": ["query", "image"], "msg": "Field required", "input": None}]})
        self.expect(422, missing, "PUT", "/datastore/label", *form({}, [("label", "a.nii", b"x")]))
        self.expect(422, {"type": "missing", "loc": ["body", "label"]}, "PUT",
                    "/datastore/label?image=case_1", *form({"params": {}}))
        self.expect(422, {"type": "missing", "loc": ["body", "file"]}, "PUT", "/datastore/",
                    *form({"params": {}}))
        self.expect(422, {"type": "missing", "loc": ["body", "files"]}, "PUT", "/session/")
        self.expect(422, {"type": "enum", "loc": ["query", "output"]}, "POST",
                    "/infer/geodesic?image=case_1&output=x")
        self.expect(422, {"type": "enum", "loc": ["query", "images"]}, "POST",
                    "/batch/infer/geodesic?images=x")

    def test_bodies(self):
        head = {"Content-Type": "application/json"}
        self.expect(422, {"type": "json_invalid", "loc": ["body", 1]}, "POST",
                    "/activelearning/first", "{", {**head})
        self.expect(422, {"type": "dict_type", "loc": ["body"]}, "POST", "/activelearning/first",
                    "[1]", head)
        self.expect(400, "Missing boundary", "POST", "/infer/geodesic?image=case_1", b"x",
                    {"Content-Type": "multipart/form-data"})
        body, headers = form({"params": {}}, [("label", "a.nii.gz", b"x" * 100)])
        # Cut before the end: the part that was not complete is as if it had not been sent.
        self.expect(422, {"type": "missing", "loc": ["body", "label"]}, "PUT",
                    "/datastore/label?image=case_1", body[:-60], headers)
        self.expect(400, "params", "POST", "/infer/geodesic?image=case_1", *form({"params": "{"}))
        self.expect(400, "params", "POST", "/infer/geodesic?image=case_1", *form({"params": "[]"}))

    def test_unknown_things(self):
        for method, path in (("POST", "/infer/none?image=case_1"),
                             ("POST", "/infer/geodesic?image=none"),
                             ("POST", "/activelearning/none"), ("POST", "/scoring/none"),
                             ("POST", "/batch/infer/none"), ("POST", "/train/none"),
                             ("DELETE", "/datastore/?id=none"), ("GET", "/session/none"),
                             ("DELETE", "/session/none"), ("GET", "/model/none"),
                             ("GET", "/model/geodesic"), ("GET", "/model/info/geodesic"),
                             ("GET", "/datastore/image?image=none"),
                             ("GET", "/datastore/label?label=case_1&tag=none")):
            self.expect(404, "", method, path)
        self.expect(404, "", "PUT", "/datastore/label?image=none",
                    *form({}, [("label", "a.nii.gz", read_bytes(study("case_1.nii.gz")))]))
        self.expect(400, "Neither Image nor File", "POST", "/infer/geodesic")

    def test_nothing_is_written_outside_the_folder(self):
        file = [("file", "x.nii.gz", read_bytes(study("case_1.nii.gz")))]
        for bad in ("../x", "/tmp/x", "a/b", "..", ".hidden"):
            name = urllib.parse.quote_plus(bad)
            answer = served.send("PUT", f"/datastore/?image={name}", {}, file)
            self.assertEqual(answer.status, 400, (bad, answer.body))
            answer = served.send("PUT", f"/datastore/label?image=case_2&tag={name}", {},
                                 [("label", "x.nii.gz", file[0][2])])
            self.assertEqual(answer.status, 400, (bad, answer.body))
        answer = served.infer("/etc/passwd", CLICK)
        self.assertEqual(answer.status, 404)

    def test_labels_that_are_none(self):
        self.expect(400, "", "PUT", "/datastore/label?image=case_2",
                    *form({}, [("label", "case_2.nii.gz", b"abc")]))
        small = os.path.join(folder, "small.nii.gz")
        sitk.WriteImage(sitk.Image(3, 3, 3, sitk.sitkUInt8), small)
        self.expect(400, "", "PUT", "/datastore/label?image=case_2",
                    *form({}, [("label", "case_2.nii.gz", read_bytes(small))]))
        self.assertEqual(served.objects()["case_2"]["labels"], {})


class Infer(unittest.TestCase):
    def check(self, answer, suffix):
        mask, params = served.mask(folder, answer)
        self.assertTrue(same_grid(mask, ball()))
        self.assertEqual(mask.GetPixelIDTypeAsString(), "8-bit unsigned integer")
        self.assertIn(suffix, answer.parts()[1][0].decode())
        values = set(np.unique(sitk.GetArrayViewFromImage(mask)).tolist())
        self.assertLessEqual(values - {0}, set(params["label_names"].values()))
        return sitk.GetArrayFromImage(mask), params

    def test_body_forms(self):
        head = {"Content-Type": "application/x-www-form-urlencoded"}
        text = urllib.parse.urlencode({"params": json.dumps(CLICK)})
        url = "/infer/geodesic?image=case_2"
        one, _ = self.check(served.ask("POST", url, text, head), ".nii.gz")
        two, _ = self.check(served.infer("case_2", CLICK), ".nii.gz")
        self.assertTrue((one == two).all())
        self.assertEqual(one[10, 18, 20], 1)
        for body, headers in ((None, {}), ("{}", {"Content-Type": "application/json"}),
                              form({"params": ""})):
            answer = served.ask("POST", url, body, headers)
            self.assertEqual(answer.status, 200, answer.body)

    def test_outputs(self):
        answer = served.infer("case_2", CLICK, output="json")
        self.assertEqual(answer.headers["content-type"], "application/json")
        self.assertEqual(answer.json["label_names"], {"intersection": 1, "uncertain": 2})
        self.assertEqual(list(answer.json["latencies"])[-1], "total")
        answer = served.infer("case_2", {**CLICK, "result_extension": ".nrrd"}, output="image")
        self.assertTrue(answer.body.startswith(b"NRRD"))
        self.assertRegex(answer.headers["content-disposition"], r'attachment; filename=".+\.nrrd"')
        answer = served.infer("case_2", {**CLICK, "result_extension": ".nrrd"}, output="all")
        self.assertRegex(answer.headers["content-type"],
                         "^multipart/form-data; boundary=[0-9a-f]{32}$")
        self.assertEqual(int(answer.headers["content-length"]), len(answer.body))
        (first, params), (second, _) = answer.parts()
        self.assertEqual(first, b'Content-Disposition: form-data; name="params"\r\n'
                                b"Content-Type: application/json")
        self.assertRegex(second.decode(), r'name="image"; filename="[^/"]+\.nrrd"\r\n'
                                          r"Content-Type: application/octet-stream")
        self.assertIn(b'": ', params)
        answer = served.infer("case_2", CLICK, output="dicom_seg")
        self.assertEqual(answer.status, 400)
        self.assertIn("non-DICOM datastore", answer.detail)
        for extension in (".nrrd", ".nii", ".nii.gz"):
            for compress in (False, True):
                self.check(served.infer("other", {**CLICK, "result_extension": extension,
                                                  "result_compress": compress}), extension)

    def test_file_instead_of_an_id(self):
        data = read_bytes(study("case_2.nii.gz"))
        one, _ = self.check(served.infer("", CLICK, files=[("file", "C:\\scans\\a.nii.gz", data)]),
                            ".nii.gz")
        two, _ = self.check(served.infer("case_2", CLICK), ".nii.gz")
        self.assertTrue((one == two).all())
        self.assertNotIn("a", served.objects())

    def test_a_file_that_is_no_image_is_named_as_the_sent_one(self):
        answer = served.infer("", CLICK, files=[("file", "a.nii.gz", b"none")])
        self.assertEqual(answer.status, 400)
        self.assertIn("the sent image", answer.detail)
        self.assertNotIn(".state", answer.detail)

    def test_points_are_the_whole_truth(self):
        one, _ = self.check(served.infer("case_3", {**CLICK, "client_id": "p"}), "")
        more = {"intersection": [IN_BALL], "background": [[24, 18, 10]], "client_id": "p"}
        two, _ = self.check(served.infer("case_3", more), "")
        self.assertFalse((one == two).all())
        self.assertNotEqual(two[10, 18, 24], 1)
        three, _ = self.check(served.infer("case_3", {**CLICK, "client_id": "p"}), "")
        self.assertTrue((one == three).all())

    def test_clients_do_not_share_points(self):
        served.infer("case_3", {"background": [[20, 20, 10]], "client_id": "one"})
        answer = served.infer("case_3", {**CLICK, "client_id": "two"})
        self.assertEqual(self.check(answer, "")[0][10, 18, 20], 1)

    def test_one_slice(self):
        array, _ = self.check(served.infer("case_3", {**CLICK, "slice": 10}), "")
        self.assertEqual(np.flatnonzero(array.any(axis=(1, 2))).tolist(), [10])

    def test_roi_in_any_order_bounds_the_mask(self):
        array, _ = self.check(served.infer("case_3", {"roi": [28, 12, 10, 26, 14, 7]}), "")
        found = np.argwhere(array)
        self.assertGreater(len(found), 0)
        self.assertGreaterEqual(found[:, 0].min(), 7)
        self.assertLessEqual(found[:, 0].max(), 14)

    def test_unknown_label_gives_a_blank_mask_and_says_so(self):
        array, params = self.check(served.infer("case_3", {"liver": [IN_BALL]}), "")
        self.assertFalse(array.any())
        self.assertIn("liver", json.dumps(params))

    def test_points_outside_are_refused_by_name(self):
        answer = served.infer("case_3", {"intersection": [[400, 0, 0]]})
        self.assertEqual(answer.status, 400)
        self.assertIn("intersection", answer.detail)

    def test_save_label_keeps_the_prediction(self):
        params = {**CLICK, "save_label": True, "label_tag": "guess"}
        self.assertEqual(served.infer("case_3", params).status, 200)
        label = served.objects()["case_3"]["labels"]["guess"]
        self.assertEqual(label["info"]["model"], "geodesic")
        self.assertIn("label_names", label["info"]["params"])
        self.assertEqual(served.ask("DELETE", "/datastore/label?id=case_3&tag=guess").status, 200)


class Datastore(unittest.TestCase):
    def test_image_from_upload_to_removal(self):
        data = read_bytes(study("case_2.nii.gz"))
        total = served.get("/info/").json["datastore"]["total"]
        for name, wanted, given in (("a b.c.nii.gz", "", "a b.c"), ("x.nii.gz", "d \u00e9", "d \u00e9")):
            query = f"?image={urllib.parse.quote_plus(wanted)}" if wanted else ""
            answer = served.send("PUT", f"/datastore/{query}", {"params": {"k": 1}},
                                 [("file", name, data)])
            self.assertEqual(answer.json, {"image": given})
            quoted = urllib.parse.quote_plus(given)
            info = served.get(f"/datastore/image/info?image={quoted}").json
            self.assertEqual((info["k"], info["user"], info["name"]), (1, "admin", given + ".nii.gz"))
            self.assertEqual(served.get("/info/").json["datastore"]["total"], total + 1)
            answer = served.get(f"/datastore/image?image={quoted}")
            self.assertEqual(answer.body, data)
            self.assertEqual(answer.headers["content-type"], "application/octet-stream")
            self.assertEqual(answer.headers["content-disposition"],
                             f"attachment; filename*=utf-8''{urllib.parse.quote(given)}.nii.gz")
            self.assertEqual(served.ask("DELETE", f"/datastore/image?id={quoted}").json, {})
            self.assertEqual(served.get("/datastore/").json["total"], total)

    def test_head_and_checksum(self):
        import hashlib
        digest = hashlib.sha256(read_bytes(study("case_2.nii.gz"))).hexdigest()
        for query, status in (("case_2", 200), ("none", 404), (f"case_2&check_sum={digest}", 200),
                              (f"case_2&check_sum=SHA256:{digest}", 200),
                              ("case_2&check_sum=SHA256:00", 404)):
            answer = served.ask("HEAD", f"/datastore/image?image={query}")
            self.assertEqual((answer.status, answer.body), (status, b""), query)
        self.assertEqual(served.ask("HEAD", "/datastore/label?image=case_1").status, 200)
        self.assertEqual(served.ask("HEAD", "/datastore/label?image=case_1&tag=no").status, 404)

    def test_ranges_and_validators(self):
        data = read_bytes(study("case_2.nii.gz"))
        url = "/datastore/image?image=case_2"
        answer = served.get(url, Range="bytes=10-19")
        self.assertEqual((answer.status, answer.body), (206, data[10:20]))
        self.assertEqual(answer.headers["content-range"], f"bytes 10-19/{len(data)}")
        self.assertEqual(served.get(url, Range="bytes=-5").body, data[-5:])
        self.assertEqual(served.get(url, Range=f"bytes={len(data)}-").status, 416)
        whole = served.get(url)
        self.assertEqual(whole.headers["accept-ranges"], "bytes")
        self.assertEqual(served.get(url, **{"If-None-Match": whole.headers["etag"]}).status, 304)

    def test_label_and_its_info(self):
        path = os.path.join(folder, "case_2.nrrd")
        sitk.WriteImage(sitk.Cast(ball() > 200, sitk.sitkUInt8), path)
        url = "/datastore/label?image=case_2&tag=version_1"
        answer = served.send("PUT", url, {"params": {"client_id": "r"}},
                             [("label", "case_2.nrrd", read_bytes(path))])
        self.assertEqual(answer.json, {"image": "case_2", "label": "case_2"})
        self.assertEqual(served.get("/datastore/").json["label_tags"]["version_1"], 1)
        answer = served.get("/datastore/label?label=case_2&tag=version_1")
        self.assertEqual(answer.body, read_bytes(path))
        self.assertEqual(answer.headers["content-disposition"], 'attachment; filename="case_2.nrrd"')
        meta = {"segmentationMeta": {"status": "flagged", "comment": "a+b & c"}}
        body = urllib.parse.urlencode({"params": json.dumps(meta)})
        answer = served.ask("PUT", "/datastore/updatelabelinfo?label=case_2&tag=version_1", body,
                            {"Content-Type": "application/x-www-form-urlencoded"})
        self.assertEqual((answer.status, answer.body), (200, b"null"))
        info = served.get("/datastore/label/info?label=case_2&tag=version_1").json
        self.assertEqual((info["client_id"], info["segmentationMeta"]), ("r", meta["segmentationMeta"]))
        # Another format takes the place of the first; no orphan stays.
        other = os.path.join(folder, "again.nii.gz")
        sitk.WriteImage(sitk.ReadImage(path), other)
        served.send("PUT", url, {}, [("label", "again.nii.gz", read_bytes(other))])
        self.assertEqual(os.listdir(study("labels/version_1")), ["case_2.nii.gz"])
        self.assertEqual(served.ask("DELETE", "/datastore/label?id=case_2&tag=version_1").json, {})
        self.assertNotIn("version_1", served.get("/datastore/").json["label_tags"])
        self.assertEqual(served.ask("DELETE", "/datastore/label?id=case_2&tag=no").json, {})

    def test_image_info_merges(self):
        answer = served.send("PUT", "/datastore/image/info?image=case_3", {"info": {"seen": True}})
        self.assertEqual((answer.status, answer.body), (200, b"null"))
        info = served.get("/datastore/image/info?image=case_3").json
        self.assertTrue(info["seen"] and info["name"] == "case_3.nii.gz")
        self.assertTrue(os.path.exists(info["path"]))
        self.assertEqual(served.get("/datastore/image/info?image=none").json, {})


class Sessions(unittest.TestCase):
    def test_one_file(self):
        data = read_bytes(study("case_2.nii.gz"))
        made = served.send("PUT", "/session/?expiry=600", {"client_id": "x"},
                           [("files", "case.nii.gz", data)]).json
        url = "/session/" + made["session_id"]
        info = served.get(url).json
        self.assertEqual(info["name"], made["session_id"])
        self.assertTrue(os.path.isdir(info["path"]))
        answer = served.get(url + "?image=true")
        self.assertEqual((answer.body, answer.headers["content-type"]),
                         (data, "application/octet-stream"))
        mask, _ = served.mask(folder, served.infer(
            "unused", CLICK, more="&session_id=" + made["session_id"]))
        self.assertTrue(same_grid(mask, ball()))
        self.assertEqual(served.ask("DELETE", url).json["name"], made["session_id"])
        self.assertFalse(os.path.exists(info["path"]))
        self.assertEqual(served.get(url).detail, f"Session ({made['session_id']}) Not Found")

    def series(self):
        names = sorted(os.listdir(study("series")))[:6]
        return [(name, read_bytes(study("series/" + name))) for name in names]

    def check_series(self, made):
        answer = served.infer("", {"roi": [60, 90, 60, 90, 1, 4], "result_extension": ".nrrd"},
                              more="&session_id=" + made["session_id"])
        mask, _ = served.mask(folder, answer)
        self.assertEqual(mask.GetSize()[2], 6)
        self.assertEqual(served.ask("DELETE", "/session/" + made["session_id"]).status, 200)

    def test_several_files_are_a_series(self):
        files = [("files", name, data) for name, data in self.series()]
        self.check_series(served.send("PUT", "/session/", {}, files).json)

    def test_an_archive_is_unpacked(self):
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            for name, data in self.series():
                archive.writestr("series/" + name, data)
        self.check_series(served.send("PUT", "/session/?uncompress=True", {},
                                      [("files", "s.zip", packed.getvalue())]).json)

    def test_a_series_has_no_single_file(self):
        files = [("files", name, data) for name, data in self.series()]
        made = served.send("PUT", "/session/", {}, files).json
        answer = served.get(f"/session/{made['session_id']}?image=true")
        self.assertEqual(answer.status, 404)
        self.assertEqual(served.ask("DELETE", "/session/" + made["session_id"]).status, 200)


class Dicom(unittest.TestCase):
    def test_a_series_through_everything(self):
        uid = series_id()
        reader = sitk.ImageSeriesReader()
        reader.SetFileNames(reader.GetGDCMSeriesFileNames(study("series")))
        want = reader.Execute()
        answer = served.get("/datastore/image?image=" + uid)
        self.assertEqual(answer.status, 200)
        path = os.path.join(folder, "series.nii.gz")
        with open(path, "wb") as out:
            out.write(answer.body)
        got = sitk.ReadImage(path)
        self.assertTrue(same_grid(got, want))
        self.assertTrue((sitk.GetArrayFromImage(got) == sitk.GetArrayFromImage(want)).all())
        name = answer.headers["content-disposition"].split('"')[1]
        self.assertTrue(name.endswith((".nii.gz", ".nii")), name)
        self.assertEqual(served.ask("HEAD", "/datastore/image?image=" + uid).status, 200)
        self.assertEqual(served.get("/datastore/image/info?image=" + uid).json["SeriesInstanceUID"],
                         uid)

        size = want.GetSize()
        middle = [n // 2 for n in size]
        mask, _ = served.mask(folder, served.infer(uid, {"intersection": [middle]}))
        self.assertTrue(same_grid(mask, want))
        label = os.path.join(folder, "label.nii.gz")
        sitk.WriteImage(mask, label)
        answer = served.send("PUT", "/datastore/label?image=" + uid, {},
                             [("label", "l.nii.gz", read_bytes(label))])
        self.assertEqual(answer.json, {"image": uid, "label": uid})
        answer = served.get(f"/datastore/label?label={uid}&tag=final")
        self.assertEqual(answer.body, read_bytes(label))
        params = {"intersection": [middle], "label_info": [{"name": "intersection", "idx": 1}]}
        answer = served.infer(uid, params, output="dicom_seg")
        self.assertEqual(answer.headers["content-type"], "application/dicom")
        self.assertEqual(answer.body[128:132], b"DICM")
        self.assertEqual(served.infer(uid, {"intersection": [middle]}, output="dicom_seg").status, 404)
        self.assertEqual(served.ask("DELETE", f"/datastore/label?id={uid}&tag=final").status, 200)

    def test_the_next_sample_of_a_series_can_be_loaded(self):
        uid = series_id()
        sample = served.post_json("/activelearning/img_0000", {"client_id": "d"}).json
        self.assertEqual((sample["id"], sample["SeriesInstanceUID"]), (uid, uid))
        self.assertTrue(sample["name"].endswith((".nii.gz", ".nii")), sample["name"])
        self.assertTrue(os.path.isfile(sample["path"]))


class Sampling(unittest.TestCase):
    def test_body_may_be_absent_and_clients_get_their_own(self):
        for client in ("a", "b"):
            sample = served.post_json("/activelearning/first", {"client_id": client}).json
            for key in ("id", "name", "path"):
                self.assertTrue(sample[key])
            again = served.post_json("/activelearning/first", {"client_id": client}).json
            self.assertEqual(again["id"], sample["id"])
            strategy = served.objects()[sample["id"]]["image"]["info"]["strategy"]
            self.assertEqual(strategy["first"]["client_id"], client)
        self.assertEqual(served.ask("POST", "/activelearning/random").status, 200)

    def test_numbered_keys_name_their_image(self):
        strategies = served.get("/info/").json["strategies"]
        numbered = [name for name in strategies if name.startswith("img_")]
        self.assertEqual(numbered[0], "img_0000")
        for name in numbered[1:]:
            sample = served.post_json("/activelearning/" + name).json
            self.assertIn(sample["id"], strategies[name]["description"])


class Jobs(unittest.TestCase):
    def test_batch_then_scoring(self):
        answer = served.post_json("/batch/infer/geodesic?images=labeled&run_sync=true",
                                  {"roi": [12, 28, 10, 26, 6, 14], "multi_gpu": True})
        self.assertEqual(answer.status, 200, answer.body)
        result = answer.json["case_1"]
        self.assertEqual((result["label"], result["tag"]), ("case_1", "original"))
        self.assertEqual(served.objects()["case_1"]["labels"]["original"]["info"]["model"], "geodesic")
        answer = served.post_json("/scoring/dice?run_sync=True")
        self.assertGreater(answer.json["case_1"], 0.5)
        self.assertEqual(served.get("/datastore/image/info?image=case_1").json["dice"],
                         answer.json["case_1"])
        answer = served.post_json("/scoring/?run_sync=true")
        self.assertEqual(list(answer.json), ["dice"])

    def test_a_job_in_the_background(self):
        task = served.post_json("/batch/infer/geodesic?images=unlabeled",
                                {"max_batch_size": 1, "label_tag": "auto"}).json
        self.assertRegex(task["id"], "^[0-9a-f-]{36}$")
        self.assertIn(task["status"], ("SUBMITTED", "RUNNING"))
        self.assertTrue(task["start_ts"])
        deadline = time.monotonic() + 30
        while served.get("/batch/infer").json["status"] not in ("DONE", "ERROR"):
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.05)
        task = served.get("/batch/infer/").json
        self.assertEqual(task["status"], "DONE", task)
        self.assertTrue(task["end_ts"] and task["details"])
        self.assertIn(task["id"], [t["id"] for t in served.get("/batch/infer?all=true").json])
        answer = served.get("/batch/infer?check_if_running=true")
        self.assertEqual((answer.status, answer.detail),
                         (404, "No Batch_infer Tasks are currently Running"))
        self.assertEqual(served.ask("DELETE", "/batch/infer/").body, b"null")

    def test_training_answers(self):
        self.assertEqual(served.get("/train/?check_if_running=true").detail,
                         "No Train Tasks are currently Running")
        self.assertEqual(served.get("/train/").detail, "No Train Tasks Found")
        self.assertEqual(served.post_json("/train/", {"model": "x"}).json, {})
        self.assertEqual(served.ask("DELETE", "/train/").body, b"null")


class Pages(unittest.TestCase):
    def test_every_listed_route_is_there(self):
        paths = served.get("/openapi.json").json["paths"]
        self.assertGreater(len(paths), 20)
        values = {"model": "none", "strategy": "none", "method": "none", "session_id": "none"}
        for path, methods in paths.items():
            for method in methods:
                answer = served.ask(method.upper(), path.format_map(values))
                self.assertNotEqual(answer.status, 405, (method, path))
                if answer.status == 404 and method != "head":
                    self.assertNotEqual(answer.detail, "Not Found", (method, path))

    def test_pages(self):
        self.assertIn(b"<html", served.get("/").body)
        self.assertEqual(served.get("/docs").status, 200)
        self.assertEqual(served.get("/favicon.ico").status, 200)
        self.assertEqual(served.get("/healthz").body, b"ok\n")
        self.assertEqual(served.ask("HEAD", "/healthz").status, 200)
        self.assertIn(b"voxloom_images ", served.get("/metrics").body)
        self.assertEqual(served.ask("POST", "/reload").json, {})
        self.assertTrue(served.get("/logs/").headers["content-type"].startswith("text/html"))
        log = served.get("/logs/?text=true&lines=0")
        self.assertTrue(log.headers["content-type"].startswith("text/plain"))
        self.assertIn("/info", log.body.decode())
        self.assertEqual(served.get("/logs/gpu").status, 200)

    def test_logs_hold_no_names_of_images(self):
        served.infer("case_2", CLICK)
        served.get("/datastore/image?image=none-of-that-name")
        log = served.get("/logs/?text=true&lines=0").body.decode()
        for name in ("case_2", "none-of-that-name", series_id(), folder):
            self.assertNotIn(name, log)

    def test_cors(self):
        origin = {"Origin": "http://localhost:3000"}  # of this machine, as a local OHIF's
        asked = {"Access-Control-Request-Method": "PUT",
                 "Access-Control-Request-Headers": "x-one,content-type"}
        answer = served.get("/nope", **origin)
        self.assertEqual(answer.headers["access-control-allow-origin"], origin["Origin"])
        answer = served.ask("OPTIONS", "/datastore/label", headers={**origin, **asked})
        self.assertEqual((answer.status, answer.body), (200, b"OK"))
        self.assertEqual(answer.headers["access-control-allow-headers"], "x-one,content-type")
        self.assertIn("PUT", answer.headers["access-control-allow-methods"])
        self.assertEqual(answer.headers["access-control-max-age"], "600")
        foreign = {"Origin": "http://viewer.example"}  # no accounts: not from anywhere
        self.assertNotIn("access-control-allow-origin", served.get("/nope", **foreign).headers)
        answer = served.ask("OPTIONS", "/datastore/label", headers={**foreign, **asked})
        self.assertEqual(answer.status, 400)


if __name__ == "__main__":
    unittest.main(verbosity=2)
