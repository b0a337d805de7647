#!/usr/bin/env python3
"""Writes sam_med2d/: small.npz, a shrunken SAM-Med2D of the official code run part by part, and names
and shapes: keys.txt of the published network (ViT-B with adapters at 256 x 256), keys_small.txt.

  make_sam_med2d.py CHECKOUT_OF_SAM_MED2D

The weights are not stored: they and the inputs follow from their names (official.py).
"""
import functools
import pathlib
import sys
import types

import numpy as np
import torch

import official

POINTS = [[[30.5, 41.0], 1], [[60.0, 22.25], 0], [[44.0, 70.0], 1], [[10.0, 80.5], 0], [[52.0, 47.0], 1]]
BOX = [20.0, 16.5, 71.0, 80.0]
HEIGHT, WIDTH = 70, 130


def network(size, embed_dim, depth, heads, window, whole, width, mlp, hidden):
    from segment_anything.modeling.image_encoder import ImageEncoderViT
    from segment_anything.modeling.mask_decoder import MaskDecoder
    from segment_anything.modeling.prompt_encoder import PromptEncoder
    from segment_anything.modeling.transformer import TwoWayTransformer

    grid = size // 16
    model = torch.nn.Module()
    model.image_encoder = ImageEncoderViT(
        depth=depth,
        embed_dim=embed_dim,
        img_size=size,
        mlp_ratio=4,
        norm_layer=functools.partial(torch.nn.LayerNorm, eps=1e-6),
        num_heads=heads,
        patch_size=16,
        qkv_bias=True,
        use_rel_pos=True,
        global_attn_indexes=whole,
        window_size=window,
        out_chans=width,
        adapter_train=True,
    )
    model.prompt_encoder = PromptEncoder(
        embed_dim=width, image_embedding_size=(grid, grid), input_image_size=(size, size), mask_in_chans=16
    )
    model.mask_decoder = MaskDecoder(
        num_multimask_outputs=3,
        transformer=TwoWayTransformer(depth=2, embedding_dim=width, mlp_dim=mlp, num_heads=8),
        transformer_dim=width,
        iou_head_depth=3,
        iou_head_hidden_dim=hidden,
    )
    return model


def write_keys(model, path):
    lines = [f"{key} {tuple(value.shape)}" for key, value in model.state_dict().items()]
    path.write_text("\n".join(lines) + "\n")
    print(path, len(lines), "keys,", sum(p.numel() for p in model.parameters()), "parameters")


def prompt(points, box):
    coords = labels = None
    if points:
        coords = torch.tensor([[p for p, _ in POINTS[:points]]], dtype=torch.float32)
        labels = torch.tensor([[label for _, label in POINTS[:points]]], dtype=torch.int32)
    return (coords, labels) if points else None, torch.tensor([BOX]) if box else None


def main():
    # The package's own __init__ imports a viewer's dependencies.
    package = types.ModuleType("segment_anything")
    package.__path__ = [str(pathlib.Path(sys.argv[1]) / "segment_anything")]
    for name in ("modeling", "utils"):
        part = types.ModuleType(f"segment_anything.{name}")
        part.__path__ = [package.__path__[0] + "/" + name]
        part.Sam = object
        sys.modules[part.__name__] = part
    sys.modules["segment_anything"] = package
    amg = types.ModuleType("segment_anything.utils.amg")
    amg.calculate_stability_score = None
    sys.modules[amg.__name__] = amg
    from segment_anything.utils.onnx import SamOnnxModel

    torch.set_num_threads(1)
    folder = pathlib.Path(__file__).parent / "sam_med2d"
    with torch.device("meta"):
        full = network(256, 768, 12, 12, 14, (2, 5, 8, 11), 256, 2048, 256)
    write_keys(full, folder / "keys.txt")

    # Windows of 4 on a 6 x 6 map: padding takes part.
    model = network(96, 48, 3, 3, 4, (1,), 64, 96, 64).eval()
    model.load_state_dict(
        {key: official.stand_in(key, tuple(value.shape)) for key, value in model.state_dict().items()}
    )
    write_keys(model, folder / "keys_small.txt")
    out = {}
    with torch.no_grad():
        image = 2 * official.generated("input.images", (1, 3, 96, 96))
        encoder = model.image_encoder
        x = encoder.patch_embed(image) + encoder.pos_embed
        for i, block in enumerate(encoder.blocks):
            if i == 0:
                out["adapter0"] = block.Adapter(x)
            x = block(x)
            out[f"block{i}"] = x
        embedding = encoder(image)
        out["embedding"] = embedding
        position = model.prompt_encoder.get_dense_pe()
        earlier = torch.sigmoid(8 * official.generated("input.prev_logits", (1, 1, 24, 24)))
        exported = SamOnnxModel(model=model, return_single_mask=False)
        size = torch.tensor([HEIGHT, WIDTH], dtype=torch.float32)
        cases = {
            "pt1": (1, False, None),
            "pt3": (3, False, None),
            "pt5": (5, False, None),
            "box": (0, True, None),
            "box_pts": (3, True, None),
            "pt3_mask": (3, False, earlier),
            "box_mask": (0, True, earlier),
            "mask": (0, False, earlier),
        }
        for name, (points, box, mask) in cases.items():
            given, corners = prompt(points, box)
            sparse, dense = model.prompt_encoder(points=given, boxes=corners, masks=mask)
            low, ious = model.mask_decoder.predict_masks(
                image_embeddings=embedding,
                image_pe=position,
                sparse_prompt_embeddings=sparse,
                dense_prompt_embeddings=dense,
            )
            out[f"{name}.low"], out[f"{name}.ious"] = low, ious
            if name == "mask":  # the exported graph has no form without points
                continue
            coords = [p for p, _ in POINTS[:points]]
            labels = [label for _, label in POINTS[:points]]
            if box:
                coords, labels = coords + [BOX[:2], BOX[2:]], labels + [2, 3]
            else:
                coords, labels = coords + [[0, 0]], labels + [-1]
            masks, scores, small = exported(
                embedding,
                torch.tensor([coords], dtype=torch.float32),
                torch.tensor([labels], dtype=torch.float32),
                torch.zeros(1, 1, 24, 24) if mask is None else mask,
                torch.tensor([0.0 if mask is None else 1.0]),
                size,
            )
            assert torch.allclose(small, low, atol=1e-5) and torch.allclose(scores, ious, atol=1e-5), name
            if name in ("pt1", "box_mask"):
                out[f"{name}.masks"] = masks[..., ::3, ::3]
    arrays = {name: np.ascontiguousarray(value.float().numpy()) for name, value in out.items()}
    path = folder / "small.npz"
    np.savez_compressed(path, **arrays)
    print(path, path.stat().st_size, "bytes,", sum(p.numel() for p in model.parameters()), "parameters")
    for name, value in arrays.items():
        print(name, value.shape, float(value.min()), float(value.max()), float(value.std()))


if __name__ == "__main__":
    main()
