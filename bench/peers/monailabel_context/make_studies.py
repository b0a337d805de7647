#!/usr/bin/env python3
"""Makes the images that MONAI Label's tests name: make_studies.py OUT VOLUME [VOLUME ...]

Parts of the given volumes, large enough for the click (140, 210, 28) of the tests; the ones that
are smaller are continued by mirroring. Needs SimpleITK.
"""
import os
import sys

import SimpleITK as sitk

SIZE = (160, 216, 32)  # i, j, k


def part(path):
    image = sitk.ReadImage(path)
    pad = [max(0, want - have) for want, have in zip(SIZE, image.GetSize())]
    image = sitk.MirrorPad(image, [0, 0, 0], pad)
    start = [(have - want) // 2 for want, have in zip(SIZE, image.GetSize())]
    return sitk.RegionOfInterest(image, SIZE, start)


def main():
    out, volumes = sys.argv[1], sys.argv[2:]
    os.makedirs(os.path.join(out, "labels", "final"))
    for n, number in enumerate((2, 3, 6, 8, 9, 10)):
        image = part(volumes[n % len(volumes)])
        sitk.WriteImage(image, os.path.join(out, f"spleen_{number}.nii.gz"))
        if number in (3, 9):
            mask = sitk.OtsuThreshold(sitk.Cast(image, sitk.sitkFloat32), 0, 1)
            sitk.WriteImage(mask, os.path.join(out, "labels", "final", f"spleen_{number}.nii.gz"))


main()
