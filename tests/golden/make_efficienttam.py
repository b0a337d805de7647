#!/usr/bin/env python3
"""Writes efficienttam/small.npz: a shrunken EfficientTAM of the official code, run module by module.

  make_efficienttam.py CHECKOUT_OF_MEDSAM2

The weights are not stored: they and the inputs follow from their names (official.py).
"""
import pathlib
import sys

import numpy as np
import torch

import official

KEY, SLICES, HEIGHT, WIDTH = 5, 12, 100, 90


def shrunken(repo):
    tree = official.config(repo, "efficienttam_ti_512")
    tree["image_size"] = 128
    encoder = tree["image_encoder"]
    # Windows of 5 on an 8 x 8 map: padding takes part.
    encoder["trunk"].update(embed_dim=48, depth=4, num_heads=3, window_size=5, window_block_indexes=[0, 2])
    encoder["neck"].update(d_model=64, backbone_channel_list=[48])
    encoder["neck"]["position_encoding"]["num_pos_feats"] = 64
    attention = tree["memory_attention"]
    attention.update(d_model=64, num_layers=2)
    attention["layer"].update(d_model=64, dim_feedforward=96)
    for part in ("self_attention", "cross_attention"):
        attention["layer"][part].update(feat_sizes=[8, 8], embedding_dim=64)
    attention["layer"]["cross_attention"]["kv_in_dim"] = 16
    memory = tree["memory_encoder"]
    memory.update(in_dim=64, out_dim=16)
    memory["position_encoding"]["num_pos_feats"] = 16
    memory["mask_downsampler"]["embed_dim"] = 64
    memory["fuser"]["layer"]["dim"] = 64
    return tree


def main():
    repo = pathlib.Path(sys.argv[1])
    torch.set_num_threads(1)
    model = official.build(repo, shrunken(repo))
    images = 2 * official.generated("input.images", (SLICES, 3, 128, 128))
    out = {}

    with torch.inference_mode():
        first = model.forward_image(images[:1])
        out["trunk"] = model.image_encoder.trunk(images[:1])[0]
        f2 = first["backbone_fpn"][0]
        out["f2"] = f2
        out["position"] = first["vision_pos_enc"][0]

        conditioned = f2 + model.no_mem_embed.reshape(1, -1, 1, 1)
        earlier = 8 * official.generated("input.prev_logits", (1, 1, 32, 32))
        box = ([[28, 19], [85, 90]], [2, 3])
        cases = {
            "box": (box, False, None),
            "pt1": (([[42.5, 51.25]], [1]), True, None),
            "none": (None, True, None),
            "box_prevmask": (box, False, earlier),
        }
        for name, (points, multimask, mask) in cases.items():
            inputs = None
            if points is not None:
                inputs = {
                    "point_coords": torch.tensor([points[0]], dtype=torch.float32),
                    "point_labels": torch.tensor([points[1]], dtype=torch.int32),
                }
            low_multi, _, ious, low, _, pointer, score = model._forward_sam_heads(
                conditioned, point_inputs=inputs, mask_inputs=mask, multimask_output=multimask
            )
            values = {"low_multi": low_multi, "ious": ious, "low": low, "ptr": pointer, "score": score}
            out.update({f"heads.{name}.{key}": value for key, value in values.items()})

        square = torch.zeros(1, 1, 128, 128)
        square[..., 30:90, 40:100] = 1
        taken = model._use_mask_as_output(f2, None, square)
        out["heads.mask.low"], out["heads.mask.ptr"] = taken[3], taken[5]

        logits = 6 * official.generated("input.high_logits", (1, 1, 128, 128))
        tokens = f2.flatten(2).permute(2, 0, 1)
        for name, binarise, score in (("binarize1", True, 5.0), ("binarize0", False, 5.0), ("absent", False, -5.0)):
            features, position = model._encode_new_memory(
                [tokens], [(8, 8)], logits, torch.full((1, 1), score), binarise
            )
            out[f"memory_encoder.{name}"] = features
        out["memory_encoder.pos"] = position[-1]

        out["memory_attention.out"] = model.memory_attention(
            curr=[tokens],
            curr_pos=[out["position"].flatten(2).permute(2, 0, 1)],
            memory=official.generated("input.memory", (204, 1, 16)),
            memory_pos=official.generated("input.memory_pos", (204, 1, 16)),
            num_obj_ptr_tokens=12,
        )

        rows = torch.zeros(HEIGHT, WIDTH, dtype=torch.bool)
        rows[20:60, 30:70] = True
        state = model.init_state(images, HEIGHT, WIDTH)
        for name in ("box", "pt1", "mask"):
            for side, reverse, probe in (("fwd", False, 7), ("rev", True, 3)):
                model.reset_state(state)
                if name == "box":
                    model.add_new_points_or_box(state, KEY, 1, box=np.array([20, 15, 60, 70], np.float32))
                elif name == "pt1":
                    model.add_new_points_or_box(
                        state, KEY, 1, points=np.array([[30, 40]], np.float32), labels=np.array([1], np.int32)
                    )
                else:
                    model.add_new_mask(state, KEY, 1, rows)
                for frame, _, video in model.propagate_in_video(state, start_frame_idx=KEY, reverse=reverse):
                    outputs = state["output_dict_per_obj"][0]
                    stored = outputs["cond_frame_outputs" if frame == KEY else "non_cond_frame_outputs"][frame]
                    prefix = f"track.{name}.{side}.{frame}."
                    # Half of the rows and columns: the file stays small, and an error reaches them.
                    out[prefix + "low"] = stored["pred_masks"][..., ::2, ::2]
                    if frame in (KEY, probe):
                        out[prefix + "ptr"] = stored["obj_ptr"]
                        out[prefix + "mem_bf16"] = stored["maskmem_features"].float()
    arrays = {name: np.ascontiguousarray(value.float().numpy()) for name, value in out.items()}
    path = pathlib.Path(__file__).parent / "efficienttam/small.npz"
    np.savez_compressed(path, **arrays)
    print(path, path.stat().st_size, "bytes,", len(arrays), "arrays,", sum(p.numel() for p in model.parameters()))
    for name, value in arrays.items():
        if ".fwd.11" in name or name.startswith("heads.") or "." not in name:
            print(name, value.shape, float(value.min()), float(value.max()))


if __name__ == "__main__":
    main()
