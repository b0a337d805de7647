#!/usr/bin/env python3
"""Writes variants/samples.npz: a few values of every published network at its full size.

  make_variants.py CHECKOUT_OF_MEDSAM2 [VARIANT...]

For each variant and output: 64 values at fixed places and the norm of all. Weights and image follow
from their names (official.py). Variants that are not named keep what the file holds.
"""
import pathlib
import sys
import time

import numpy as np
import torch

import official

COUNT = 64


def sample(values):
    """[COUNT + 1]: values at (i * 2654435761) mod size, then the norm."""
    flat = values.float().flatten().numpy()
    places = (np.arange(COUNT, dtype=np.uint64) * np.uint64(2654435761)) % np.uint64(flat.size)
    return np.append(flat[places], np.linalg.norm(flat.astype(np.float64))).astype(np.float32)


def run(repo, name):
    model = official.build(repo, official.config(repo, name))
    size = model.image_size
    with torch.inference_mode():
        maps = model.forward_image(2 * official.generated("input.image", (1, 3, size, size)))["backbone_fpn"]
        conditioned = maps[-1] + model.no_mem_embed.reshape(1, -1, 1, 1)
        corners = [[0.2 * size, 0.15 * size], [0.65 * size, 0.7 * size]]
        prompt = {
            "point_coords": torch.tensor([corners], dtype=torch.float32),
            "point_labels": torch.tensor([[2, 3]], dtype=torch.int32),
        }
        _, _, iou, low, _, pointer, score = model._forward_sam_heads(
            conditioned, point_inputs=prompt, high_res_features=maps[:-1] or None, multimask_output=False
        )
    out = {f"{name}.f{3 - len(maps) + i}": sample(m) for i, m in enumerate(maps)}
    out[f"{name}.low"] = sample(low)
    out[f"{name}.ptr"] = sample(pointer)
    out[f"{name}.iou"] = iou.numpy().reshape(-1)
    out[f"{name}.score"] = score.numpy().reshape(-1)
    return out


def main():
    repo = pathlib.Path(sys.argv[1])
    torch.set_num_threads(2)
    path = pathlib.Path(__file__).parent / "variants/samples.npz"
    arrays = dict(np.load(path)) if path.exists() else {}
    for name in sys.argv[2:] or official.VARIANTS:
        start = time.perf_counter()
        made = run(repo, name)
        arrays.update(made)
        print(name, f"{time.perf_counter() - start:.1f} s", {k: float(v[-1]) for k, v in made.items()}, flush=True)
    np.savez_compressed(path, **arrays)
    print(path, path.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
