#!/usr/bin/env python3
"""Makes the slices in this folder from the original series: reduce.py ORIGINAL_FOLDER.

Crops columns 78..445 and rows 80..479, averages 2 x 2 pixels, and writes 01.dcm ... 32.dcm, from
foot to head, with positions and spacing that keep every voxel at its place in the patient.
Needs pydicom and numpy.
"""
import sys
from pathlib import Path

import numpy as np
import pydicom
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

X0, Y0, COLUMNS, ROWS = 78, 80, 184, 200  # first pixel in the original, size of the result
DROP = ["AdmittingDiagnosesDescription", "ReferencedStudySequence", "ReferencedImageSequence",
        "StudyStatusID", "PatientAge", "PatientWeight", "SliceLocation",
        "AcquisitionMatrix", "NumberOfPhaseEncodingSteps"]


def reduced(source):
    ds = pydicom.dcmread(source)
    ds.remove_private_tags()
    for name in DROP:
        if name in ds:
            delattr(ds, name)
    spacing_y, spacing_x = (float(v) for v in ds.PixelSpacing)
    orientation = np.array(ds.ImageOrientationPatient, float)
    # The first new pixel lies between the first four old ones.
    position = (np.array(ds.ImagePositionPatient, float)
                + (X0 + 0.5) * spacing_x * orientation[:3]
                + (Y0 + 0.5) * spacing_y * orientation[3:])
    crop = ds.pixel_array[Y0:Y0 + 2 * ROWS, X0:X0 + 2 * COLUMNS].astype(np.uint32)
    pixels = (crop.reshape(ROWS, 2, COLUMNS, 2).sum((1, 3)) + 2) // 4
    ds.ImagePositionPatient = [f"{v:.6f}" for v in position]
    ds.PixelSpacing = [f"{2 * spacing_y:.7f}", f"{2 * spacing_x:.7f}"]
    ds.Rows, ds.Columns = ROWS, COLUMNS
    ds.SmallestImagePixelValue, ds.LargestImagePixelValue = int(pixels.min()), int(pixels.max())
    ds.ImageType = ["DERIVED", "SECONDARY", "M", "ND"]
    ds.DerivationDescription = "cropped, 2 x 2 pixels averaged"
    ds.SeriesInstanceUID = generate_uid(entropy_srcs=[ds.SeriesInstanceUID, "reduced"])
    ds.SOPInstanceUID = generate_uid(entropy_srcs=[ds.SOPInstanceUID, "reduced"])
    ds.PixelData = pixels.astype("<u2").tobytes()
    ds["PixelData"].VR = "OW"
    meta = pydicom.dataset.FileMetaDataset()
    meta.MediaStorageSOPClassUID = ds.SOPClassUID
    meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta = meta
    return ds


def main():
    slices = [reduced(p) for p in Path(sys.argv[1]).glob("*.dcm")]
    slices.sort(key=lambda ds: float(ds.ImagePositionPatient[2]))
    for number, ds in enumerate(slices, 1):
        ds.save_as(Path(__file__).parent / f"{number:02}.dcm", enforce_file_format=True)


if __name__ == "__main__":
    main()
