#pragma once

// Small DICOM files made with DCMTK, for the unit tests.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dctk.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "voxloom/core/error.h"

namespace voxloom::io {

/// One slice of 6 x 4 pixels, 0.5 x 0.75 mm; pixel i of slice z has the value 100 * z + i.
struct DicomSliceSpec {
  static constexpr int kColumns = 6, kRows = 4;
  double z_mm = 0.0;
  int instance = 1;
  std::string series_uid = "1.2.3.4";
  std::string orientation = "1\\0\\0\\0\\1\\0";
  std::string origin_xy = "-10\\20";
  std::string spacing = "0.75\\0.5";  // Between rows first.
  E_TransferSyntax syntax = EXS_LittleEndianExplicit;
  std::function<void(DcmDataset&)> edit;  // Called last.
};

inline std::vector<Uint16> slice_values(int z) {
  std::vector<Uint16> values(DicomSliceSpec::kColumns * DicomSliceSpec::kRows);
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<Uint16>(100 * static_cast<size_t>(z) + i);
  }
  return values;
}

inline void fill_slice(DcmDataset& d,
                       const DicomSliceSpec& spec,
                       const std::vector<Uint16>& values) {
  const auto put = [&](const DcmTagKey& tag, const std::string& value) {
    ASSERT_TRUE(d.putAndInsertString(tag, value.c_str()).good());
  };
  const auto number = [&](const DcmTagKey& tag, int value) {
    ASSERT_TRUE(d.putAndInsertUint16(tag, static_cast<Uint16>(value)).good());
  };
  put(DCM_SOPClassUID, UID_CTImageStorage);
  put(DCM_SOPInstanceUID, "1.2.3.4.5." + std::to_string(spec.instance));
  put(DCM_StudyInstanceUID, "1.2.3");
  put(DCM_SeriesInstanceUID, spec.series_uid);
  put(DCM_FrameOfReferenceUID, "1.2.9");
  put(DCM_Modality, "CT");
  put(DCM_PatientName, "Secret^Name");
  put(DCM_PatientID, "secret-id");
  put(DCM_InstanceNumber, std::to_string(spec.instance));
  put(DCM_ImagePositionPatient, spec.origin_xy + "\\" + std::to_string(spec.z_mm));
  put(DCM_ImageOrientationPatient, spec.orientation);
  put(DCM_PixelSpacing, spec.spacing);
  put(DCM_PhotometricInterpretation, "MONOCHROME2");
  number(DCM_SamplesPerPixel, 1);
  number(DCM_Rows, DicomSliceSpec::kRows);
  number(DCM_Columns, DicomSliceSpec::kColumns);
  number(DCM_BitsAllocated, 16);
  number(DCM_BitsStored, 12);
  number(DCM_HighBit, 11);
  number(DCM_PixelRepresentation, 0);
  ASSERT_TRUE(d.putAndInsertUint16Array(DCM_PixelData, values.data(), values.size()).good());
  if (spec.edit) spec.edit(d);
}

inline void write_slice(const std::filesystem::path& path,
                        const DicomSliceSpec& spec,
                        const std::vector<Uint16>& values) {
  DcmFileFormat file;
  fill_slice(*file.getDataset(), spec, values);
  std::filesystem::create_directories(path.parent_path());
  ASSERT_TRUE(file.saveFile(path.c_str(), spec.syntax).good());
}

/// A folder of its own for each test.
class DicomTest : public testing::Test {
 protected:
  void SetUp() override {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    folder_ = std::filesystem::path(testing::TempDir()) /
              (std::string("dicom_") + test->test_suite_name() + "_" + test->name());
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  /// Slices at 0, 2, 4, ... mm named s1.dcm, s2.dcm, ...; `edit` may change each spec.
  void write_series(int count,
                    const std::function<void(int, DicomSliceSpec&)>& edit = {},
                    const std::string& sub_folder = "") {
    for (int z = 0; z < count; ++z) {
      DicomSliceSpec spec;
      spec.z_mm = 2.0 * z;
      spec.instance = z + 1;
      if (edit) edit(z, spec);
      write_slice(
          folder_ / sub_folder / ("s" + std::to_string(z + 1) + ".dcm"), spec, slice_values(z));
    }
  }

  std::filesystem::path folder_;
};

MATCHER_P2(FailsWith, code, words, "") {
  try {
    arg();
  } catch (const Error& e) {
    *result_listener << "which throws " << std::string(error_code_name(e.code())) << ": "
                     << e.what();
    if (e.code() != code) return false;
    for (const std::string& word : words) {
      if (std::string(e.what()).find(word) == std::string::npos) return false;
    }
    return std::string(e.what()).find("ecret") == std::string::npos;
  }
  *result_listener << "which does not throw";
  return false;
}

using Words = std::vector<std::string>;

}  // namespace voxloom::io
