"""Checks our ONNX files with onnx.checker and ONNX Runtime.

usage: onnx_oracle_test.py ONNX_ORACLE_TOOL GOLDEN_NPZ
"""

import pathlib
import subprocess
import sys
import tempfile
import unittest

import numpy as np
import onnx
import onnxruntime

TOOL, GOLDEN = "", ""


def session(path):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 2
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


class OnnxOracle(unittest.TestCase):
    def close(self, found, expected, tolerance, what):
        self.assertEqual(found.shape, expected.shape, what)
        self.assertLess(float(np.abs(found - expected).max()), tolerance, what)

    def check_variant(self, variant, tolerance):
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            subprocess.run([TOOL, variant, folder], check=True)
            for file in ("encoder", "encoder_external", "decoder"):
                onnx.checker.check_model(str(folder / f"{file}.onnx"), full_check=True)
            model = onnx.load(str(folder / "encoder_external.onnx"), load_external_data=False)
            outside = [t for t in model.graph.initializer if t.data_location == 1]
            self.assertGreater(len(outside), 50)
            with np.load(folder / "expected.npz") as data:
                expected = dict(data)

            image = {"image": expected["image"]}
            encoder = session(folder / "encoder.onnx")
            names = [o.name for o in encoder.get_outputs()]
            self.assertEqual(names, [k for k in ("f0", "f1", "f2") if k in expected])
            features = dict(zip(names, encoder.run(None, image)))
            external = session(folder / "encoder_external.onnx").run(None, image)
            for key, other in zip(names, external):
                self.close(features[key], expected[key], tolerance, f"{variant} {key}")
                self.assertTrue(np.array_equal(features[key], other), f"{variant} {key} external")
            self.check_decoder(folder, expected, names, tolerance, variant)
            return features, session(folder / "decoder.onnx")

    def check_decoder(self, folder, expected, names, tolerance, variant):
        decoder = session(folder / "decoder.onnx")
        base = {k: expected[k] for k in names} | {"f2": expected["conditioned"]}
        cases = sorted({k.rsplit(".", 1)[0] for k in expected if k.startswith("heads.")})
        self.assertEqual(len(cases), 6)
        for case in cases:
            given = case.endswith(".mask")
            masks, ious, score, pointers = decoder.run(None, base | {
                "point_coords": expected[case + ".points"],
                "point_labels": expected[case + ".labels"],
                "mask_input": expected["mask"] if given else np.full_like(expected["mask"], np.nan),
                "has_mask_input": np.array([float(given)], np.float32)})
            what = f"{variant} {case}"
            best = int(ious[0, 1:].argmax()) + 1
            present = score[0, 0] > 0
            self.assertTrue(present, what)
            self.close(masks[:, 1:], expected[case + ".masks"], 2 * tolerance, what)
            self.close(ious[:, 1:], expected[case + ".ious"], tolerance, what)
            self.close(score, expected[case + ".score"], tolerance, what)
            self.close(pointers[:, best], expected[case + ".pointer"], tolerance, what)

    def test_shrunken_against_the_original(self):
        features, _ = self.check_variant("shrunken", 1e-4)
        with np.load(GOLDEN) as golden:
            for level in range(3):
                self.close(features[f"f{level}"], golden[f"forward_image.{level}"], 1e-4,
                           f"golden level {level}")

    def test_sam_med2d_against_the_original(self):
        path = pathlib.Path(GOLDEN).parent.parent / "sam_med2d/small.npz"
        with tempfile.TemporaryDirectory() as name, np.load(path) as golden:
            folder = pathlib.Path(name)
            subprocess.run([TOOL, "sam-med2d", folder], check=True)
            for file in ("encoder", "decoder"):
                onnx.checker.check_model(str(folder / f"{file}.onnx"), full_check=True)
            with np.load(folder / "inputs.npz") as data:
                inputs = dict(data)
            [embedding] = session(folder / "encoder.onnx").run(None, {"input_image": inputs["image"]})
            self.close(embedding, golden["embedding"], 1e-4, "embedding")
            decoder = session(folder / "decoder.onnx")
            cases = [key.split(".")[0] for key in inputs if key.endswith(".points")]
            self.assertEqual(len(cases), 7)
            for case in cases:
                mask = inputs.get(case + ".mask")
                masks, ious, low = decoder.run(["masks", "iou_predictions", "low_res_masks"], {
                    "image_embeddings": golden["embedding"],
                    "point_coords": inputs[case + ".points"],
                    "point_labels": inputs[case + ".labels"],
                    "mask_input": np.zeros((1, 1, 24, 24), np.float32) if mask is None else mask,
                    "has_mask_input": np.array([float(mask is not None)], np.float32),
                    "orig_im_size": np.array([70, 130], np.float32)})
                self.close(low, golden[case + ".low"], 1e-4, case)
                self.close(ious, golden[case + ".ious"], 1e-4, case)
                self.assertEqual(masks.shape, (1, 4, 70, 130), case)
                if case + ".masks" in golden:
                    self.close(masks[..., ::3, ::3], golden[case + ".masks"], 1e-4, case)

    def test_medsam2_at_full_size(self):
        self.check_variant("medsam2_t512", 1e-4)

    def test_efficienttam_at_full_size(self):
        self.check_variant("efficienttam_ti_512", 1e-4)


if __name__ == "__main__":
    GOLDEN = sys.argv.pop()
    TOOL = sys.argv.pop()
    unittest.main()
