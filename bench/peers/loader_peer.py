#!/usr/bin/env python3
"""The loader beside nnU-Net's: crops of 256x256 a second, two workers each, the same pictures.

    python3 -m venv peer && peer/bin/pip install batchgenerators batchgeneratorsv2 opencv-python-headless
    peer/bin/python bench/peers/loader_peer.py --voxloom build/release/bin/loader_bench --pictures /tmp/pictures

Two peers with nnU-Net's default 2-D transforms: v2 (batchgeneratorsv2: torch, bilinear image) as nnU-Net 2.5
and later run it, v1 (batchgenerators: numpy and SciPy, spline of order 3) as before. Each runs in two worker
processes of one thread, as nnU-Net starts them, batches of 4 with one crop in three forced onto an object.
Runs alternate, so that a drifting machine hurts all alike; the medians and their ratios are printed as JSON.
"""
import argparse
import json
import multiprocessing
import os
import pathlib
import subprocess
import time

for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import cv2
import numpy as np

CROP, BATCH = 256, 4
MARGIN = 1.42 / 0.85  # what the initial patch is larger by: any rotation, smallest scale


def transforms_v2():
    from batchgeneratorsv2.transforms.intensity.brightness import MultiplicativeBrightnessTransform
    from batchgeneratorsv2.transforms.intensity.contrast import BGContrast, ContrastTransform
    from batchgeneratorsv2.transforms.intensity.gamma import GammaTransform
    from batchgeneratorsv2.transforms.intensity.gaussian_noise import GaussianNoiseTransform
    from batchgeneratorsv2.transforms.noise.gaussian_blur import GaussianBlurTransform
    from batchgeneratorsv2.transforms.spatial.low_resolution import SimulateLowResolutionTransform
    from batchgeneratorsv2.transforms.spatial.mirroring import MirrorTransform
    from batchgeneratorsv2.transforms.spatial.spatial import SpatialTransform
    from batchgeneratorsv2.transforms.utils.compose import ComposeTransforms
    from batchgeneratorsv2.transforms.utils.random import RandomTransform
    return ComposeTransforms([
        SpatialTransform((CROP, CROP), patch_center_dist_from_border=0, random_crop=False, p_elastic_deform=0,
                         p_rotation=0.2, rotation=(-np.pi, np.pi), p_scaling=0.2, scaling=(0.7, 1.4),
                         p_synchronize_scaling_across_axes=1, bg_style_seg_sampling=False),
        RandomTransform(GaussianNoiseTransform((0, 0.1), p_per_channel=1, synchronize_channels=True), 0.1),
        RandomTransform(GaussianBlurTransform((0.5, 1.0), synchronize_channels=False, synchronize_axes=False,
                                              p_per_channel=0.5, benchmark=True), 0.2),
        RandomTransform(MultiplicativeBrightnessTransform(BGContrast((0.75, 1.25)), synchronize_channels=False,
                                                          p_per_channel=1), 0.15),
        RandomTransform(ContrastTransform(BGContrast((0.75, 1.25)), preserve_range=True,
                                          synchronize_channels=False, p_per_channel=1), 0.15),
        RandomTransform(SimulateLowResolutionTransform((0.5, 1), synchronize_channels=False, synchronize_axes=True,
                                                       ignore_axes=None, allowed_channels=None,
                                                       p_per_channel=0.5), 0.25),
        RandomTransform(GammaTransform(BGContrast((0.7, 1.5)), p_invert_image=1, synchronize_channels=False,
                                       p_per_channel=1, p_retain_stats=1), 0.1),
        RandomTransform(GammaTransform(BGContrast((0.7, 1.5)), p_invert_image=0, synchronize_channels=False,
                                       p_per_channel=1, p_retain_stats=1), 0.3),
        MirrorTransform(allowed_axes=(0, 1)),
    ])


def transforms_v1():
    from batchgenerators.transforms.abstract_transforms import Compose
    from batchgenerators.transforms.color_transforms import (BrightnessMultiplicativeTransform,
                                                             ContrastAugmentationTransform, GammaTransform)
    from batchgenerators.transforms.noise_transforms import GaussianBlurTransform, GaussianNoiseTransform
    from batchgenerators.transforms.resample_transforms import SimulateLowResolutionTransform
    from batchgenerators.transforms.spatial_transforms import MirrorTransform, SpatialTransform
    return Compose([
        SpatialTransform((CROP, CROP), patch_center_dist_from_border=None, do_elastic_deform=False, do_rotation=True,
                         angle_x=(-np.pi, np.pi), angle_y=(0, 0), angle_z=(0, 0), p_rot_per_axis=1, do_scale=True,
                         scale=(0.7, 1.4), border_mode_data="constant", border_cval_data=0, order_data=3,
                         border_mode_seg="constant", border_cval_seg=-1, order_seg=1, random_crop=False,
                         p_el_per_sample=0, p_scale_per_sample=0.2, p_rot_per_sample=0.2,
                         independent_scale_for_each_axis=False),
        GaussianNoiseTransform(p_per_sample=0.1),
        GaussianBlurTransform((0.5, 1.0), different_sigma_per_channel=True, p_per_sample=0.2, p_per_channel=0.5),
        BrightnessMultiplicativeTransform((0.75, 1.25), p_per_sample=0.15),
        ContrastAugmentationTransform(p_per_sample=0.15),
        SimulateLowResolutionTransform((0.5, 1), per_channel=True, p_per_channel=0.5, order_downsample=0,
                                       order_upsample=3, p_per_sample=0.25),
        GammaTransform((0.7, 1.5), True, True, retain_stats=True, p_per_sample=0.1),
        GammaTransform((0.7, 1.5), False, True, retain_stats=True, p_per_sample=0.3),
        MirrorTransform((0, 1)),
    ])


def initial_crop(image, label, rng, forced):
    """A patch large enough for rotation and scale, padded with zeros (image) and -1 (label)."""
    size = int(CROP * MARGIN)
    h, w = image.shape
    if forced and (label > 0).any():
        ys, xs = np.nonzero(label > 0)
        k = rng.integers(len(ys))
        cy, cx = int(ys[k]), int(xs[k])
    else:
        cy, cx = int(rng.integers(h)), int(rng.integers(w))
    cy = int(np.clip(cy, min(CROP // 2, h // 2), max(h - CROP // 2, h // 2)))
    cx = int(np.clip(cx, min(CROP // 2, w // 2), max(w - CROP // 2, w // 2)))
    y0, x0 = cy - size // 2, cx - size // 2
    data = np.zeros((1, size, size), np.float32)
    seg = np.full((1, size, size), -1, np.int16)
    ya, yb, xa, xb = max(y0, 0), min(y0 + size, h), max(x0, 0), min(x0 + size, w)
    data[0, ya - y0:yb - y0, xa - x0:xb - x0] = image[ya:yb, xa:xb]
    seg[0, ya - y0:yb - y0, xa - x0:xb - x0] = label[ya:yb, xa:xb]
    return data, seg


def worker(version, folder, seed, queue, stop):
    import torch
    torch.set_num_threads(1)
    np.random.seed(seed)
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    images, labels = [], []
    for file in sorted((pathlib.Path(folder) / "image").glob("*.png")):
        image = cv2.imread(str(file), cv2.IMREAD_GRAYSCALE).astype(np.float32)
        images.append((image - image.mean()) / image.std())
        labels.append(cv2.imread(str(file).replace("image", "label"), cv2.IMREAD_GRAYSCALE).astype(np.int16))
    transforms = transforms_v2() if version == "v2" else transforms_v1()
    while not stop.is_set():
        crops = []
        for j in range(BATCH):
            k = int(rng.integers(len(images)))
            crops.append(initial_crop(images[k], labels[k], rng, j == BATCH - 1))
        if version == "v2":
            done = [transforms(image=torch.from_numpy(d), segmentation=torch.from_numpy(s)) for d, s in crops]
            batch = (torch.stack([d["image"] for d in done]), torch.stack([d["segmentation"] for d in done]))
        else:
            made = transforms(data=np.stack([d for d, _ in crops]), seg=np.stack([s for _, s in crops]))
            batch = (torch.from_numpy(np.ascontiguousarray(made["data"])),
                     torch.from_numpy(np.ascontiguousarray(made["seg"])))
        assert batch[0].shape == (BATCH, 1, CROP, CROP)
        queue.put(BATCH)  # batches go through shared memory in nnU-Net; their transfer is left out here


def peer_rate(version, folder, workers, seconds):
    context = multiprocessing.get_context("spawn")
    queue, stop = context.Queue(8), context.Event()
    processes = [context.Process(target=worker, args=(version, folder, i, queue, stop)) for i in range(workers)]
    for p in processes:
        p.start()
    for _ in range(2 * workers + 8):
        queue.get()
    start, crops = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        crops += queue.get()
    passed = time.perf_counter() - start
    stop.set()
    for p in processes:
        while p.is_alive():
            try:
                queue.get(timeout=0.05)
            except Exception:
                pass
        p.join()
    return crops / passed


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--voxloom", required=True, help="the program loader_bench")
    parser.add_argument("--pictures", required=True, help="folder for the generated pictures")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    rates = {"voxloom": [], "batchgeneratorsv2": [], "batchgenerators": []}
    for _ in range(args.rounds):
        out = subprocess.run([args.voxloom, args.pictures, "nnunet", str(args.workers), str(args.seconds)],
                             check=True, capture_output=True, text=True).stdout
        rates["voxloom"].append(json.loads(out)["crops_per_s"])
        rates["batchgeneratorsv2"].append(peer_rate("v2", args.pictures, args.workers, args.seconds))
        rates["batchgenerators"].append(peer_rate("v1", args.pictures, args.workers, args.seconds))
    medians = {name: sorted(values)[len(values) // 2] for name, values in rates.items()}
    print(json.dumps({"crops_per_s": medians, "all": rates,
                      "ratio_v2": medians["voxloom"] / medians["batchgeneratorsv2"],
                      "ratio_v1": medians["voxloom"] / medians["batchgenerators"]}, indent=2))


if __name__ == "__main__":
    main()
