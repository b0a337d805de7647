"""Makes tests/golden/clahe.npz with OpenCV: python3 make_clahe.py OUT.npz"""
import sys

import cv2
import numpy as np

rng = np.random.default_rng(5)
arrays = {}
for i, (h, w, clip, tx, ty) in enumerate([(64, 64, 2.0, 8, 8), (61, 83, 4.0, 8, 8), (64, 90, 0.0, 5, 4), (50, 48, 1.0, 6, 7), (33, 40, 40.0, 1, 1)]):
    y, x = np.mgrid[0:h, 0:w]
    image = np.clip(90 + 60 * np.sin(x / 9) * np.cos(y / 7) + rng.normal(0, 8, (h, w)), 0, 255).astype(np.uint8)
    arrays[f"in{i}"] = image
    arrays[f"out{i}"] = cv2.createCLAHE(clipLimit=clip, tileGridSize=(tx, ty)).apply(image)
    arrays[f"options{i}"] = np.array([clip, tx, ty], np.float64)
np.savez_compressed(sys.argv[1], **arrays)
