"""Writes segment/mask_loss.npz: the losses of SAM 2's training recipe from their formulas, in float64.

Formulas: sigmoid focal loss (Lin et al. 2017), Dice with +1 smoothing, L1 of the predicted overlap,
cross-entropy of the object score; of three masks the one with the smallest 20 focal + Dice counts.
Run: python make_segment_loss.py (numpy only; seed 20261125).
"""
import pathlib

import numpy as np

SIZE, OBJECTS, MASKS = 16, 4, 3
WEIGHTS = dict(focal=20.0, dice=1.0, iou=1.0, object=1.0)


def sigmoid(z):
    return 1.0 / (1.0 + np.exp(-z))


def cross_entropy(z, y):
    return np.maximum(z, 0) - z * y + np.log1p(np.exp(-np.abs(z)))


def focal(z, y):
    p = sigmoid(z)
    p_true = np.where(y > 0, p, 1 - p)
    alpha = np.where(y > 0, 0.25, 0.75)
    return float((alpha * (1 - p_true) ** 2 * cross_entropy(z, y)).mean())


def dice(z, y):
    p = sigmoid(z)
    return float(1 - (2 * (p * y).sum() + 1) / (p.sum() + y.sum() + 1))


def overlap(z, y):
    mask = z > 0
    return float(np.logical_and(mask, y > 0).sum() / max(1, np.logical_or(mask, y > 0).sum()))


def losses(logits, ious, scores, truth):
    sums = dict(focal=0.0, dice=0.0, iou=0.0, object=0.0)
    for n in range(len(truth)):
        y = truth[n]
        present = bool(y.any())
        sums["object"] += float(cross_entropy(scores[n, 0], float(present)))
        if not present:
            continue
        parts = [(focal(z, y), dice(z, y)) for z in logits[n]]
        best = min(range(len(parts)), key=lambda m: 20 * parts[m][0] + parts[m][1])
        sums["focal"] += parts[best][0]
        sums["dice"] += parts[best][1]
        sums["iou"] += float(
            np.mean([abs(ious[n, m] - overlap(z, y)) for m, z in enumerate(logits[n])])
        )
    return {name: value / len(truth) for name, value in sums.items()}


def main():
    rng = np.random.default_rng(20261125)
    y, x = np.mgrid[:SIZE, :SIZE]
    truth = np.zeros((OBJECTS, SIZE, SIZE), np.float32)
    for n in range(OBJECTS - 1):  # the last object is not there
        centre, radius = rng.uniform(4, 12, 2), rng.uniform(2, 6)
        truth[n] = (x - centre[0]) ** 2 + (y - centre[1]) ** 2 < radius**2
    logits = rng.normal(0, 2, (OBJECTS, MASKS, SIZE, SIZE)).astype(np.float32)
    logits += (3 * (truth[:, None] - 0.4) * rng.uniform(0, 2, (OBJECTS, MASKS, 1, 1))).astype(
        np.float32
    )
    ious = rng.uniform(0, 1, (OBJECTS, MASKS)).astype(np.float32)
    scores = rng.normal(0, 2, (OBJECTS, 1)).astype(np.float32)
    arrays = dict(logits=logits, ious=ious, scores=scores, truth=truth)
    wide = {name: value.astype(np.float64) for name, value in arrays.items()}
    for case, masks in (("multi", slice(None)), ("single", slice(0, 1))):
        parts = losses(wide["logits"][:, masks], wide["ious"][:, masks], wide["scores"], wide["truth"])
        for name, value in parts.items():
            arrays[f"{case}.{name}"] = np.float32([value])
        arrays[f"{case}.total"] = np.float32([sum(WEIGHTS[k] * v for k, v in parts.items())])
    folder = pathlib.Path(__file__).parent / "segment"
    folder.mkdir(exist_ok=True)
    np.savez(folder / "mask_loss.npz", **arrays)


if __name__ == "__main__":
    main()
