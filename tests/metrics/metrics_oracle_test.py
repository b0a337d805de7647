"""Compares surface metrics with the published program (pip: Surface-Distance-Based-Measures), and
pixel metrics with SciPy and scikit-image.

usage: metrics_oracle_test.py METRICS_ORACLE_TOOL

Cubic voxels must agree to rounding. With other spacings surface areas may differ by a few percent
in cells with bent polygons (see surface_area.cpp); distances are the same.
"""

import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

import numpy as np
import scipy.ndimage
import skimage.measure
import skimage.morphology

np.Inf = np.inf  # The published program still uses the name that numpy 2 dropped.
import surface_distance  # noqa: E402

TOOL = ""


def ours(truth, predicted, spacing, tolerance):
    with tempfile.TemporaryDirectory() as folder:
        source, target = pathlib.Path(folder, "in.npz"), pathlib.Path(folder, "out.npz")
        np.savez(source, truth=truth.astype(np.uint8), predicted=predicted.astype(np.uint8),
                 spacing=np.array(spacing, float), tolerance=np.array([tolerance]))
        subprocess.run([TOOL, source, target], check=True)
        with np.load(target) as result:
            return result["values"]


def theirs(truth, predicted, spacing, tolerance):
    d = surface_distance.compute_surface_distances(truth, predicted, spacing[::-1])
    a, b = d["surfel_areas_gt"], d["surfel_areas_pred"]
    average = (d["distances_gt_to_pred"] @ a + d["distances_pred_to_gt"] @ b) / (a.sum() + b.sum())
    return np.array([
        surface_distance.compute_surface_dice_at_tolerance(d, tolerance),
        surface_distance.compute_robust_hausdorff(d, 95),
        surface_distance.compute_robust_hausdorff(d, 100),
        average,
        surface_distance.compute_dice_coefficient(truth, predicted),
        a.sum(),
    ])


def blob(rng, shape, sigma):
    noise = scipy.ndimage.gaussian_filter(rng.normal(size=shape), sigma)
    return noise > np.quantile(noise, 0.7)


class SurfaceOracle(unittest.TestCase):
    def test_cubic_voxels_agree(self):
        rng = np.random.default_rng(5)
        for sigma in (0.6, 1.5, 3.0):
            truth = blob(rng, (24, 30, 28), sigma)
            predicted = np.roll(truth, (1, 2, -1), (0, 1, 2)) ^ (rng.random(truth.shape) < 0.002)
            spacing, tolerance = (1.5, 1.5, 1.5), 2.0
            np.testing.assert_allclose(ours(truth, predicted, spacing, tolerance),
                                       theirs(truth, predicted, spacing, tolerance), rtol=1e-5)

    def test_other_spacings_agree_closely(self):
        rng = np.random.default_rng(6)
        for spacing in ((0.7, 0.7, 3.0), (1.0, 2.0, 0.5)):
            truth = blob(rng, (24, 30, 28), 2.0)
            predicted = np.roll(truth, (1, 1, -2), (0, 1, 2))
            a = ours(truth, predicted, spacing, 1.2)
            b = theirs(truth, predicted, spacing, 1.2)
            print("spacing", spacing, "ours", a.round(4), "published", b.round(4))
            self.assertAlmostEqual(a[0], b[0], delta=0.005)  # Surface Dice.
            self.assertAlmostEqual(a[1], b[1], delta=max(spacing))  # HD95 may step by one element.
            np.testing.assert_allclose(a[[2, 4]], b[[2, 4]], rtol=1e-5)
            np.testing.assert_allclose(a[[3, 5]], b[[3, 5]], rtol=0.02)


def our_pixels(truth, predicted, truth_line, predicted_line):
    with tempfile.TemporaryDirectory() as folder:
        source, target = pathlib.Path(folder, "in.npz"), pathlib.Path(folder, "out.npz")
        np.savez(source, **{name: value.astype(np.uint8) for name, value in (
            ("truth", truth), ("predicted", predicted), ("truth_line", truth_line),
            ("predicted_line", predicted_line))})
        subprocess.run([TOOL, source, target], check=True)
        with np.load(target) as result:
            return result["values"]


def directed(a, b):
    return scipy.ndimage.distance_transform_edt(~b)[a]


def their_pixels(truth, predicted, truth_line, predicted_line):
    cross = scipy.ndimage.generate_binary_structure(2, 1)
    s, t = (m & ~scipy.ndimage.binary_erosion(m, cross) for m in (truth, predicted))
    a, b = directed(s, t), directed(t, s)
    both = np.concatenate([a, b])
    u, v = directed(predicted_line, truth_line), directed(truth_line, predicted_line)
    return np.array([
        both.max(),
        max(np.percentile(a, 95), np.percentile(b, 95)),
        np.percentile(both, 95),
        both.mean(),
        (a.mean() + b.mean()) / 2,
        u.mean(),
        v.mean(),
        (u.mean() + v.mean()) / 2,
        max(u.max(), v.max()),
        skimage.measure.label(predicted, connectivity=2).max(),
        skimage.measure.euler_number(predicted, connectivity=2),
    ])


class PixelOracle(unittest.TestCase):
    def test_random_masks_agree(self):
        rng = np.random.default_rng(7)
        for i in range(12):
            shape = tuple(rng.integers(8, 60, 2))
            truth, predicted = (blob(rng, shape, 0.3 + 0.3 * i) for _ in range(2))
            lines = [skimage.morphology.skeletonize(m) for m in (truth, predicted)]
            np.testing.assert_allclose(our_pixels(truth, predicted, *lines),
                                       their_pixels(truth, predicted, *lines), rtol=1e-12)

    def test_the_example_gives_its_centre_line_distances(self):
        golden = pathlib.Path(__file__).parent.parent / "golden/guidewire/losses_metrics_32x32.json"
        example = json.loads(golden.read_text())
        truth = np.array([[c == "1" for c in row] for row in example["gt_rows"]])
        predicted = np.array(example["pred"]) > 0.5
        lines = [skimage.morphology.skeletonize(m) for m in (truth, predicted)]
        got = our_pixels(truth, predicted, *lines)
        np.testing.assert_allclose(got[5:9], [4.9229, 1.1042, 3.0136, 13], atol=5e-5)


if __name__ == "__main__":
    TOOL = sys.argv.pop(1)
    unittest.main()
