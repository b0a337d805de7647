#!/usr/bin/env python3
"""A server that is killed loses no label that it acknowledged, and the next one ends in peace."""
import os
import tempfile
import threading
import time
import unittest

import SimpleITK as sitk

from served import Served, ball, make_folder, read_bytes


class Killed(unittest.TestCase):
    def test_acknowledged_labels_survive(self):
        with tempfile.TemporaryDirectory() as folder:
            make_folder(os.path.join(folder, "studies"))
            served = Served(os.path.join(folder, "studies"))
            label = os.path.join(folder, "l.nii.gz")
            kept = {}
            for round_number in range(3):
                stop = threading.Event()

                def save():
                    number = 0
                    while not stop.is_set():
                        number += 1
                        mask = sitk.Cast(ball(seed=number) > 200, sitk.sitkUInt8) * (number % 5 + 1)
                        sitk.WriteImage(mask, label)
                        data = read_bytes(label)
                        tag = ("final", "version_1")[number % 2]
                        try:
                            answer = served.send(
                                "PUT", f"/datastore/label?image=case_2&tag={tag}",
                                {"params": {"number": number, "round": round_number}},
                                [("label", "l.nii.gz", data)])
                        except (ConnectionError, OSError, AssertionError):
                            return
                        if answer.status == 200:
                            kept[tag] = (number, round_number, data)

                thread = threading.Thread(target=save)
                thread.start()
                time.sleep(0.5 + 0.13 * round_number)
                served.kill()
                stop.set()
                thread.join()
                self.assertEqual(set(kept), {"final", "version_1"})
                served.start()
                for tag, (number, of_round, data) in kept.items():
                    info = served.objects()["case_2"]["labels"][tag]["info"]
                    got = served.get(f"/datastore/label?label=case_2&tag={tag}")
                    # The one on its way when the server died may be there instead, whole.
                    newer = (info["round"], info["number"]) > (of_round, number)
                    self.assertTrue(newer or got.body == data, (tag, info, number))
                    check = os.path.join(folder, "check.nii.gz")
                    with open(check, "wb") as out:
                        out.write(got.body)
                    self.assertEqual(sitk.ReadImage(check).GetSize(), ball().GetSize())
            served.stop()


class Ended(unittest.TestCase):
    def test_all_samples_then_an_empty_object_then_status_0(self):
        with tempfile.TemporaryDirectory() as folder:
            studies = os.path.join(folder, "studies")
            os.makedirs(studies)
            for number in (1, 2):
                sitk.WriteImage(ball(seed=number), os.path.join(studies, f"c{number}.nii.gz"))
            mask = os.path.join(folder, "m.nii.gz")
            sitk.WriteImage(sitk.Cast(ball() > 200, sitk.sitkUInt8), mask)
            served = Served(studies)
            for strategy in ("first", "last"):
                sample = served.post_json("/activelearning/" + strategy, {"client_id": "u"}).json
                served.send("PUT", "/datastore/label?image=" + sample["id"], {},
                            [("label", "m.nii.gz", read_bytes(mask))])
            for strategy in ("first", "last", "random"):
                answer = served.post_json("/activelearning/" + strategy, {"client_id": "u"})
                self.assertEqual((answer.status, answer.json), (200, {}), strategy)
            datastore = served.get("/info/").json["datastore"]
            self.assertEqual((datastore["total"], datastore["completed"]), (2, 2))
            served.stop()


if __name__ == "__main__":
    unittest.main(verbosity=2)
