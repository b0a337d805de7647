"""Makes small DICOM series for dicom_oracle.py. All voxels are random, seeded; nothing is real."""
import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

CT = "1.2.840.10008.5.1.4.1.1.2"
ENHANCED_MR = "1.2.840.10008.5.1.4.1.1.4.1"
XA = "1.2.840.10008.5.1.4.1.1.12.1"
SECONDARY = "1.2.840.10008.5.1.4.1.1.7.2"
DOSE = "1.2.840.10008.5.1.4.1.1.481.2"
AXIAL = [1, 0, 0, 0, 1, 0]


def rotation(degrees_x, degrees_y, degrees_z):
    a, b, c = np.radians([degrees_x, degrees_y, degrees_z])
    rx = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    ry = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    rz = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    return rz @ ry @ rx


OBLIQUE = [round(float(v), 9) for v in np.concatenate(
    [rotation(20, -15, 35)[:, 0], rotation(20, -15, 35)[:, 1]])]


def smooth(rng, shape, low, high, dtype):
    """Noise with some structure, so that lossy codecs have something to keep."""
    z, y, x = np.meshgrid(*(np.linspace(0, 1, n) for n in shape), indexing="ij")
    field = 0.5 + 0.4 * np.sin(5 * x + 3 * z) * np.cos(4 * y) + 0.05 * rng.standard_normal(shape)
    return (low + np.clip(field, 0, 1) * (high - low)).round().astype(dtype)


def base(uid, sop_class=CT, modality="CT"):
    ds = Dataset()
    ds.SOPClassUID = sop_class
    ds.SOPInstanceUID = generate_uid()
    ds.PatientName, ds.PatientID = "Test^Oracle", "T1"
    ds.PatientBirthDate, ds.PatientSex = "", "O"
    ds.StudyInstanceUID = generate_uid(entropy_srcs=["study"])
    ds.StudyDate, ds.StudyTime, ds.StudyID, ds.AccessionNumber = "20200102", "101112", "7", ""
    ds.ReferringPhysicianName = ""
    ds.SeriesInstanceUID = uid
    ds.SeriesNumber = 3
    ds.Modality = modality
    ds.FrameOfReferenceUID = generate_uid(entropy_srcs=["frame"])
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return ds


def pixels(ds, array, stored=None, photometric="MONOCHROME2", samples=1):
    bits = array.dtype.itemsize * 8
    ds.Rows, ds.Columns = array.shape[-2:] if samples == 1 else array.shape[-3:-1]
    ds.SamplesPerPixel, ds.PhotometricInterpretation = samples, photometric
    if samples > 1:
        ds.PlanarConfiguration = 0
    ds.BitsAllocated, ds.BitsStored = bits, stored or bits
    ds.HighBit = ds.BitsStored - 1
    ds.PixelRepresentation = int(array.dtype.kind == "i")
    data = array.astype(array.dtype.newbyteorder("<")).tobytes()
    ds.PixelData = data + b"\0" * (len(data) % 2)
    ds["PixelData"].VR = "OB" if bits == 8 else "OW"


def save(ds, path, syntax=ExplicitVRLittleEndian):
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    if syntax == "implicit":
        ds.file_meta.TransferSyntaxUID = pydicom.uid.ImplicitVRLittleEndian
    elif syntax == "big":
        ds.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRBigEndian
        if ds.BitsAllocated == 16:
            ds.PixelData = np.frombuffer(ds.PixelData, "<u2").astype(">u2").tobytes()
    elif syntax == "deflated":
        ds.file_meta.TransferSyntaxUID = pydicom.uid.DeflatedExplicitVRLittleEndian
    ds.save_as(path, enforce_file_format=True)


def series(folder, array, orientation=AXIAL, spacing=(0.7, 0.9), step=2.5, origin=(-31.5, 17.25, 40),
           stored=None, rescale=None, order="forward", syntax=None, compress=None, shift=(0, 0, 0),
           uid=None, edit=None, photometric="MONOCHROME2", samples=1, subfolders=False):
    """One file a slice. `shift`: how far a slice slides within the plane (gantry tilt), mm.
    `edit(ds, z)` may change a data set, or return False to leave it out."""
    folder.mkdir(parents=True, exist_ok=True)
    uid = uid or generate_uid()
    row, column = np.array(orientation[:3]), np.array(orientation[3:])
    normal = np.cross(row, column)
    depth = array.shape[0]
    for z in range(depth):
        ds = base(uid)
        position = np.array(origin) + z * (step * normal + np.array(shift))
        ds.ImagePositionPatient = [f"{v:.8f}"[:16] for v in position]
        ds.ImageOrientationPatient = [f"{v:.10f}"[:16] for v in orientation]
        ds.PixelSpacing = [spacing[1], spacing[0]]
        ds.SliceThickness = step
        ds.InstanceNumber = depth - z if order == "reversed" else z + 1
        if rescale is not None:
            slope, intercept = rescale(z) if callable(rescale) else rescale
            ds.RescaleSlope, ds.RescaleIntercept = f"{slope:.10g}", f"{intercept:.10g}"
        pixels(ds, array[z], stored, photometric, samples)
        if edit and edit(ds, z) is False:
            continue
        if compress:
            compress(ds)
        if order == "shuffled":
            name = f"{(z * 7919) % 1000:04}"
        else:
            name = f"IM{ds.InstanceNumber:04}.dcm"
        target = folder / str(z % 3) if subfolders else folder
        target.mkdir(exist_ok=True)
        save(ds, target / name, syntax or ds.file_meta.TransferSyntaxUID)
    return uid


def enhanced(path, array, orientation=OBLIQUE, spacing=(0.8, 1.1), step=3.0, compress=None,
             rescale=(2.0, -100.0), shuffle=True):
    """Enhanced MR: frames in random order, functional groups shared and per frame."""
    uid = generate_uid()
    ds = base(uid, ENHANCED_MR, "MR")
    ds.InstanceNumber = 1
    row, column = np.array(orientation[:3]), np.array(orientation[3:])
    normal = np.cross(row, column)
    order = np.random.default_rng(5).permutation(len(array)) if shuffle else np.arange(len(array))
    shared = Dataset()
    measures = Dataset()
    measures.PixelSpacing = [spacing[1], spacing[0]]
    measures.SliceThickness = step
    measures.SpacingBetweenSlices = step
    shared.PixelMeasuresSequence = Sequence([measures])
    plane = Dataset()
    plane.ImageOrientationPatient = [f"{v:.10f}"[:16] for v in orientation]
    shared.PlaneOrientationSequence = Sequence([plane])
    transform = Dataset()
    transform.RescaleSlope, transform.RescaleIntercept = rescale
    transform.RescaleType = "US"
    shared.PixelValueTransformationSequence = Sequence([transform])
    ds.SharedFunctionalGroupsSequence = Sequence([shared])
    frames = []
    for z in order:
        frame, position = Dataset(), Dataset()
        position.ImagePositionPatient = [
            f"{v:.8f}"[:16] for v in np.array([10.0, -20.0, 30.0]) + float(z) * step * normal]
        frame.PlanePositionSequence = Sequence([position])
        frames.append(frame)
    ds.PerFrameFunctionalGroupsSequence = Sequence(frames)
    ds.NumberOfFrames = len(array)
    pixels(ds, array[order])
    if compress:
        compress(ds)
    path.parent.mkdir(parents=True, exist_ok=True)
    save(ds, path)
    return uid


def multiframe(path, array, sop_class=XA, modality="XA", edit=None, compress=None,
               photometric="MONOCHROME2", samples=1):
    """Classic multi-frame: no functional groups, no positions unless `edit` adds them."""
    ds = base(generate_uid(), sop_class, modality)
    ds.InstanceNumber = 4
    ds.ImagerPixelSpacing = [0.4, 0.3]
    ds.NumberOfFrames = len(array)
    pixels(ds, array, photometric=photometric, samples=samples)
    if edit:
        edit(ds)
    if compress:
        compress(ds)
    path.parent.mkdir(parents=True, exist_ok=True)
    save(ds, path)
    return ds
