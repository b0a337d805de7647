#!/usr/bin/env python3
"""Times the official MedSAM2 predictor on one volume: the peer of `voxloom bench segment`.

Needs a checkout of bowang-lab/MedSAM2 (--repo), Python with torch, numpy, pyyaml and pillow, and a
checkpoint in the official layout. Prints one JSON object. Nothing of that repository is changed
or copied; Hydra and the other packages that inference does not need are replaced by empty modules.
"""
import argparse
import contextlib
import json
import pathlib
import resource
import sys
import time


def build(repo, variant):
    """The official predictor, by the builder that the golden values were made with."""
    sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[2] / "tests" / "golden"), str(repo)]
    import official

    official.stub_modules()
    return official.instantiate(official.config(repo, variant))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repo", type=pathlib.Path, required=True)
    parser.add_argument("--variant", default="medsam2_t512", help="a name of tests/golden/official.py")
    parser.add_argument("--checkpoint", type=pathlib.Path, required=True)
    parser.add_argument("--volume", type=pathlib.Path, required=True, help=".npz with imgs [D, H, W] uint8")
    parser.add_argument("--box", required=True, help="x0,y0,x1,y1 on the key slice")
    parser.add_argument("--key", type=int, required=True)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--bf16", action="store_true", help="the official scripts' autocast, on the CPU")
    parser.add_argument("--mode", choices=["propagate", "key"], default="propagate")
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--masks", type=pathlib.Path, help="write the forward and backward masks here (.npz)")
    args = parser.parse_args()

    import numpy as np
    import torch
    from PIL import Image

    torch.set_num_threads(args.threads)
    predictor = build(args.repo, args.variant).eval()
    state_dict = torch.load(args.checkpoint, map_location="cpu", weights_only=True)["model"]
    predictor.load_state_dict(state_dict)

    # Prompting a slice ahead of the pass leaves only bfloat16 memory, which stops the official
    # code outside autocast (its issues 308, 577): cast the memory as autocast would.
    attend = predictor.memory_attention.forward
    predictor.memory_attention.forward = lambda **k: attend(**{**k, "memory": k["memory"].float()})

    volume = np.load(args.volume)["imgs"]
    depth, height, width = volume.shape
    size = predictor.image_size

    def prepare(slices):
        out = np.zeros((len(slices), 3, size, size), np.float32)
        for i, plane in enumerate(slices):
            resized = Image.fromarray(plane).convert("RGB").resize((size, size))
            out[i] = np.array(resized).transpose(2, 0, 1)
        out = out.astype(np.float64) / 255.0
        mean = np.array((0.485, 0.456, 0.406))[:, None, None]
        std = np.array((0.229, 0.224, 0.225))[:, None, None]
        return torch.from_numpy((out - mean) / std).float()

    box = np.array([float(v) for v in args.box.split(",")], np.float32)
    autocast = torch.autocast("cpu", dtype=torch.bfloat16) if args.bf16 else contextlib.nullcontext()
    seconds, passes = [], {}
    with torch.inference_mode(), autocast:
        for _ in range(args.repeat):
            start = time.perf_counter()
            if args.mode == "key":
                state = predictor.init_state(prepare(volume[args.key : args.key + 1]), height, width)
                predictor.add_new_points_or_box(state, 0, 1, box=box)
            else:
                state = predictor.init_state(prepare(volume), height, width)
                for name, first, reverse in (("forward", 0, False), ("backward", depth - 1, True)):
                    predictor.reset_state(state)
                    predictor.add_new_points_or_box(state, args.key, 1, box=box)
                    masks = np.zeros(volume.shape, np.uint8)
                    for frame, _, logits in predictor.propagate_in_video(
                        state, start_frame_idx=first, reverse=reverse
                    ):
                        masks[frame] = logits[0, 0].float().numpy() > 0
                    passes[name] = masks
            seconds.append(time.perf_counter() - start)
    if args.masks:
        np.savez_compressed(args.masks, **passes)
    print(
        json.dumps(
            {
                "peer": "MedSAM2 (official)",
                "mode": args.mode,
                "precision": "bf16 autocast" if args.bf16 else "f32",
                "slices": depth,
                "threads": args.threads,
                "seconds": seconds,
                "seconds_median": sorted(seconds)[len(seconds) // 2],
                "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
                "voxels": {k: int(v.sum()) for k, v in passes.items()},
            }
        )
    )


if __name__ == "__main__":
    main()
