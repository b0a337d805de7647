"""Compares the image layer with Pillow, SciPy, scikit-image and numpy.

usage: image_oracle_test.py IMAGE_ORACLE_TOOL
"""

import pathlib
import subprocess
import sys
import tempfile
import unittest

import numpy as np
import scipy.ndimage
import skimage.measure
import skimage.morphology
from PIL import Image

TOOL = ""


def call(operation, **arrays):
    with tempfile.TemporaryDirectory() as folder:
        source, target = pathlib.Path(folder, "in.npz"), pathlib.Path(folder, "out.npz")
        np.savez(source, **arrays)
        subprocess.run([TOOL, operation, source, target], check=True)
        with np.load(target) as result:
            return dict(result)


def size_pairs(rng):
    """(w, h, w2, h2): edges chosen by hand, then random ones."""
    yield from [
        (1, 1, 1, 1), (1, 1, 7, 5), (7, 5, 1, 1), (2, 1, 1, 2), (1, 300, 300, 1),
        (512, 512, 512, 512), (256, 256, 512, 512), (640, 480, 512, 512), (512, 400, 512, 512),
        (400, 512, 512, 512), (1024, 1024, 512, 512), (512, 512, 1024, 1024), (333, 777, 512, 512),
        (2000, 31, 17, 512), (513, 511, 512, 512), (31, 33, 32, 32), (320, 260, 1024, 1024),
    ]
    for _ in range(150):
        yield tuple(int(v) for v in rng.integers(1, 180, 4))


def ties(n, m):
    """Output pixels of n -> m whose centre falls on the line between two input pixels."""
    return (2 * np.arange(m) + 1) * n % (2 * m) == 0


class ImageOracle(unittest.TestCase):
    def setUp(self):
        self.rng = np.random.default_rng(11)

    def resize_like(self, operation, filter_):
        arrays, expected = {}, []
        for i, (w, h, w2, h2) in enumerate(size_pairs(self.rng)):
            # Hard black and white in every third case: there the clipping counts.
            image = self.rng.integers(0, 256, (h, w), dtype=np.uint8)
            if i % 3 == 0:
                image = np.where(image > 127, 255, 0).astype(np.uint8)
            arrays[f"in{i}"], arrays[f"size{i}"] = image, np.array([w2, h2], np.int64)
            rgb = Image.fromarray(np.repeat(image[:, :, None], 3, axis=2))
            # Two calls fix the order of the axes: Pillow up to 12 starts with x, 13 may start with y.
            rgb = rgb.resize((w2, h), filter_).resize((w2, h2), filter_)
            expected.append(np.asarray(rgb)[:, :, 0])
        got = call(operation, **arrays)
        for i, want in enumerate(expected):
            result = got[f"out{i}"]
            h, w = arrays[f"in{i}"].shape
            if operation == "nearest":
                # A centre that lies exactly between two pixels is a matter of rounding in Pillow.
                tie_x, tie_y = ties(w, want.shape[1]), ties(h, want.shape[0])
                result, want = result[~tie_y][:, ~tie_x], want[~tie_y][:, ~tie_x]
            np.testing.assert_array_equal(result, want, f"{w}x{h}, case {i}")
        print(f"{operation}: {len(expected)} sizes equal to Pillow bit for bit")

    def test_bicubic_equals_pillow(self):
        self.resize_like("resize", Image.Resampling.BICUBIC)

    def test_nearest_equals_pillow(self):
        self.resize_like("nearest", Image.Resampling.NEAREST)

    def grey(self, volume, rule):
        got = call("window", volume=volume, rule=np.frombuffer(rule.encode(), np.uint8))
        return got["grey"], got["range"]

    def test_ct_window_equals_the_scripts(self):
        for dtype in (np.int16, np.float32, np.float64):
            for lo, hi in ((-160.0, 240.0), (-1350.0, 150.0), (0.0, 80.0), (-1000.5, 77.25)):
                volume = self.rng.normal(0, 600, (9, 40, 41)).astype(dtype)
                clipped = np.clip(volume, lo, hi)
                want = (clipped - clipped.min()) / (clipped.max() - clipped.min()) * 255.0
                got, _ = self.grey(volume, f"{lo},{hi}")
                np.testing.assert_array_equal(got, want.astype(np.uint8), f"{dtype} {lo} {hi}")

    def test_percentile_window_equals_the_scripts(self):
        for dtype in (np.int16, np.float64, np.float32):
            volume = np.abs(self.rng.normal(0, 300, (9, 50, 41))).astype(dtype)
            volume[:, :10] = 0
            lo, hi = np.percentile(volume[volume > 0], [0.5, 99.5])
            clipped = np.clip(volume, lo, hi)
            want = (clipped - clipped.min()) / (clipped.max() - clipped.min()) * 255.0
            want[volume == 0] = 0
            want = want.astype(np.uint8)
            got, used = self.grey(volume, "percentile")
            if dtype == np.float32:
                # numpy interpolates in single precision here: a few grey values may round over.
                np.testing.assert_allclose(used[:2], [lo, hi], rtol=1e-6)
                difference = np.abs(got.astype(int) - want)
                self.assertLessEqual(difference.max(), 1)
                self.assertLess((difference > 0).mean(), 1e-3)
            else:
                np.testing.assert_array_equal(used[:2], [lo, hi])
                np.testing.assert_array_equal(got, want)

    def test_mask_functions_equal_scipy_and_scikit_image(self):
        for density, shape in ((0.05, (9, 40, 33)), (0.3, (12, 31, 17)), (0.55, (20, 20, 20)),
                               (0.8, (7, 25, 25)), (0.5, (1, 64, 64))):
            mask = (self.rng.random(shape) < density).astype(np.uint8)
            spacing = self.rng.uniform(0.4, 5.0, 3)
            got = call("mask", mask=mask, spacing=spacing)
            for name, connectivity in (("labels6", 1), ("labels18", 2), ("labels26", 3)):
                want = skimage.measure.label(mask, connectivity=connectivity)
                np.testing.assert_array_equal(got[name], want, f"{name} {shape}")
            distance = scipy.ndimage.distance_transform_edt(mask == 0, sampling=spacing[::-1])
            np.testing.assert_allclose(got["distance"], distance, rtol=2e-6)
            filled = np.stack([scipy.ndimage.binary_fill_holes(s) for s in mask])
            np.testing.assert_array_equal(got["filled"], filled)
            if shape[0] > 1:
                np.testing.assert_array_equal(
                    got["cavities"], scipy.ndimage.binary_fill_holes(mask))

    def test_skeletons_equal_scikit_image(self):
        masks = {}
        for i in range(120):
            shape = tuple(self.rng.integers(1, 60, 2))
            noise = scipy.ndimage.gaussian_filter(self.rng.normal(size=shape), (i % 4) * 0.7)
            masks[f"in{i}"] = (noise > np.quantile(noise, self.rng.uniform(0.1, 0.9))).astype(np.uint8)
        got = call("skeleton", **masks)
        for i in range(len(masks)):
            mask = masks[f"in{i}"] > 0
            np.testing.assert_array_equal(
                got[f"lam_lee{i}"] > 0, skimage.morphology.thin(mask), f"thin {i}")
            np.testing.assert_array_equal(
                got[f"lee{i}"] > 0, skimage.morphology.skeletonize(mask, method="lee") > 0, f"lee {i}")


if __name__ == "__main__":
    TOOL = sys.argv.pop(1)
    unittest.main()
