#include "voxloom/io/dicom_series.h"

#include <fstream>

#include <dcmtk/dcmdata/dcrleerg.h>
#include <dcmtk/dcmjpeg/djencode.h>
#include <dcmtk/dcmjpls/djencode.h>

#include "dicom_fixture.h"

using namespace voxloom;      // NOLINT(*-using-namespace)
using namespace voxloom::io;  // NOLINT(*-using-namespace)
using image::PixelType;
using testing::ElementsAre;
using testing::Pointwise;

class DicomSeriesTest : public DicomTest {
 protected:
  image::Volume read(const std::string& uid = "") {
    const auto source = open_dicom_series(folder_, uid);
    return source->read_slab(0, source->geometry().size[2]);
  }
  void open(const std::string& uid = "") { static_cast<void>(open_dicom_series(folder_, uid)); }
  void expect_slices(const image::Volume& volume, int count) {
    ASSERT_EQ(volume.type(), PixelType::kUint16);
    std::vector<uint16_t> all;
    for (int z = 0; z < count; ++z) {
      for (const auto v : slice_values(z)) all.push_back(v);
    }
    EXPECT_THAT(volume.as<uint16_t>(), testing::ElementsAreArray(all));
  }
  void set(DcmDataset& d, const DcmTagKey& tag, const char* value) {
    ASSERT_TRUE(d.putAndInsertString(tag, value).good());
  }
};

TEST_F(DicomSeriesTest, SortsAlongTheNormalWhateverTheInstanceNumbers) {
  write_series(4, [](int z, DicomSliceSpec& s) { s.instance = 9 - 2 * z; });
  const auto volume = read();
  expect_slices(volume, 4);
  const auto& g = volume.geometry();
  EXPECT_THAT(g.size, ElementsAre(6, 4, 4));
  EXPECT_THAT(g.spacing_mm, ElementsAre(0.5, 0.75, 2.0));
  EXPECT_THAT(g.origin_mm, ElementsAre(-10, 20, 0));
}

TEST_F(DicomSeriesTest, KeepsAnObliqueAndDescendingGridRightHanded) {
  // Rows run to the left-back, columns to the feet: the normal points to the right-back.
  write_series(3, [](int z, DicomSliceSpec& s) {
    s.orientation = "0.8\\0.6\\0\\0\\0\\-1";
    s.origin_xy = std::to_string(-0.6 * 3 * z) + "\\" + std::to_string(0.8 * 3 * z);
    s.z_mm = 5;
  });
  const auto g = read().geometry();
  EXPECT_NEAR(g.spacing_mm[2], 3.0, 1e-6);
  EXPECT_THAT(g.direction,
              Pointwise(testing::DoubleNear(1e-6),
                        std::vector<double>{0.8, 0, -0.6, 0.6, 0, 0.8, 0, -1, 0}));
}

TEST_F(DicomSeriesTest, ShearsTheGridForAGantryTilt) {
  write_series(
      5, [](int z, DicomSliceSpec& s) { s.origin_xy = "-10\\" + std::to_string(20 + 0.5 * z); });
  const auto g = read().geometry();
  const auto last = image::world_from_voxel(g, {0, 0, 4});
  EXPECT_THAT(last, Pointwise(testing::DoubleNear(1e-6), std::vector<double>{-10, 22, 8}));
}

TEST_F(DicomSeriesTest, ReadsOnlyTheSlicesOfASlab) {
  write_series(5);
  const auto source = open_dicom_series(folder_);
  std::filesystem::remove(folder_ / "s1.dcm");
  std::filesystem::remove(folder_ / "s5.dcm");
  const auto slab = source->read_slab(1, 3);
  EXPECT_THAT(slab.geometry().origin_mm, ElementsAre(-10, 20, 2));
  EXPECT_EQ(slab.as<uint16_t>()[0], 100);
  EXPECT_EQ(slab.as<uint16_t>()[24], 200);
  EXPECT_THROW(static_cast<void>(source->read_slab(0, 1)), Error);
  EXPECT_THAT([&] { static_cast<void>(source->read_slab(3, 6)); },
              FailsWith(ErrorCode::kInvalidArgument, Words{"[3, 6)"}));
}

TEST_F(DicomSeriesTest, SaysBetweenWhichFilesASliceIsMissing) {
  write_series(6);
  std::filesystem::remove(folder_ / "s3.dcm");
  EXPECT_THAT([&] { open(); },
              FailsWith(ErrorCode::kDataCorrupt,
                        Words{"1 slice(s) missing",
                              "'s2.dcm' (instance 2, 2 mm)",
                              "'s4.dcm' (instance 4, 6 mm)",
                              "must be 2 mm"}));
}

TEST_F(DicomSeriesTest, SaysWhichSliceIsDoubled) {
  write_series(4);
  write_series(
      3, [](int, DicomSliceSpec& s) { s.z_mm = 4; }, "more");
  std::filesystem::remove(folder_ / "more" / "s1.dcm");
  std::filesystem::remove(folder_ / "more" / "s2.dcm");
  EXPECT_THAT([&] { open(); },
              FailsWith(ErrorCode::kDataCorrupt,
                        Words{"doubled", "s3.dcm", "more/s3.dcm", "4 mm", "1 such pair"}));
}

TEST_F(DicomSeriesTest, TakesGapsWithinTenPercent) {
  write_series(5, [](int z, DicomSliceSpec& s) { s.z_mm += z == 2 ? 0.15 : 0.0; });
  EXPECT_NEAR(read().geometry().spacing_mm[2], 2.0, 1e-9);
  write_series(5, [](int z, DicomSliceSpec& s) { s.z_mm += z == 2 ? 0.5 : 0.0; });
  EXPECT_THAT([&] { open(); },
              FailsWith(ErrorCode::kDataCorrupt, Words{"evenly spaced", "2.5 mm"}));
}

TEST_F(DicomSeriesTest, RefusesAMixedSeries) {
  write_series(4, [](int z, DicomSliceSpec& s) {
    if (z == 2) s.orientation = "0\\1\\0\\0\\0\\-1";
  });
  EXPECT_THAT([&] { open(); },
              FailsWith(ErrorCode::kDataCorrupt, Words{"one orientation", "s1.dcm", "s3.dcm"}));
  write_series(4, [](int z, DicomSliceSpec& s) {
    if (z == 3) s.spacing = "0.75\\0.6";
  });
  EXPECT_THAT([&] { open(); },
              FailsWith(ErrorCode::kDataCorrupt, Words{"one pixel spacing", "0.6", "s4.dcm"}));
  write_series(4, [](int z, DicomSliceSpec& s) {
    if (z == 1) s.edit = [](DcmDataset& d) { d.putAndInsertUint16(DCM_Rows, 3).good(); };
  });
  EXPECT_THAT([&] { open(); },
              FailsWith(ErrorCode::kDataCorrupt, Words{"one size", "6x4", "6x3", "s2.dcm"}));
}

TEST_F(DicomSeriesTest, ListsSeveralSeriesAndWantsAChoice) {
  write_series(3);
  write_series(
      2, [](int, DicomSliceSpec& s) { s.series_uid = "9.8.7"; }, "deep/er");
  std::ofstream(folder_ / "readme.txt") << "not an image";
  const auto series = list_series(folder_);
  ASSERT_EQ(series.size(), 2U);
  EXPECT_EQ(series[0],
            (SeriesInfo{.uid = "1.2.3.4",
                        .modality = "CT",
                        .description = "",
                        .files = 3,
                        .frames = 3,
                        .rows = 4,
                        .columns = 6,
                        .study_uid = "1.2.3"}));
  EXPECT_THAT([&] { open(); },
              FailsWith(ErrorCode::kInvalidArgument,
                        Words{"2 DICOM series", "1.2.3.4  CT  3 images of 6x4", "9.8.7"}));
  EXPECT_EQ(read("9.8.7").geometry().size[2], 2);
  EXPECT_THAT([&] { open("5.5"); },
              FailsWith(ErrorCode::kNotFound, Words{"no series '5.5'", "9.8.7"}));
}

TEST_F(DicomSeriesTest, MasksAndExtendsStoredBits) {
  write_series(1, [](int, DicomSliceSpec& s) {
    s.edit = [](DcmDataset& d) {
      d.putAndInsertUint16(DCM_PixelRepresentation, 1).good();
      std::vector<Uint16> words(24, 0xA7FF);  // The upper four bits are no part of the value.
      words[1] = 0x0800;
      words[2] = 0x3FFF;
      d.putAndInsertUint16Array(DCM_PixelData, words.data(), 24).good();
    };
  });
  const auto volume = read();
  ASSERT_EQ(volume.type(), PixelType::kInt16);
  EXPECT_EQ(volume.as<int16_t>()[0], 2047);
  EXPECT_EQ(volume.as<int16_t>()[1], -2048);
  EXPECT_EQ(volume.as<int16_t>()[2], -1);
}

TEST_F(DicomSeriesTest, RescalesToInt16WhenWholeAndToFloatOtherwise) {
  write_series(2, [&](int, DicomSliceSpec& s) {
    s.edit = [&](DcmDataset& d) {
      set(d, DCM_RescaleSlope, "2");
      set(d, DCM_RescaleIntercept, "-1024");
    };
  });
  auto volume = read();
  ASSERT_EQ(volume.type(), PixelType::kInt16);
  EXPECT_EQ(volume.as<int16_t>()[25], 2 * 101 - 1024);
  write_series(2, [&](int z, DicomSliceSpec& s) {
    s.edit = [this, z](DcmDataset& d) { set(d, DCM_RescaleSlope, z == 0 ? "1" : "0.25"); };
  });
  volume = read();
  ASSERT_EQ(volume.type(), PixelType::kFloat32);
  EXPECT_FLOAT_EQ(volume.as<float>()[25], 25.25F);
}

TEST_F(DicomSeriesTest, DecodesEverySyntaxAlike) {
  DcmRLEEncoderRegistration::registerCodecs();
  DJEncoderRegistration::registerCodecs();
  DJLSEncoderRegistration::registerCodecs();
  for (const auto syntax : {EXS_LittleEndianImplicit,
                            EXS_BigEndianExplicit,
                            EXS_DeflatedLittleEndianExplicit,
                            EXS_RLELossless,
                            EXS_JPEGProcess14,
                            EXS_JPEGProcess14SV1,
                            EXS_JPEGLSLossless}) {
    SCOPED_TRACE(DcmXfer(syntax).getXferName());
    write_series(3, [&](int, DicomSliceSpec& s) {
      s.syntax = syntax;
      s.edit = [&](DcmDataset& d) { ASSERT_TRUE(d.chooseRepresentation(syntax, nullptr).good()); };
    });
    expect_slices(read(), 3);
  }
}

TEST_F(DicomSeriesTest, ReadsFramesOfEnhancedObjectsByTheirPosition) {
  write_series(1, [](int, DicomSliceSpec& s) {
    s.edit = [](DcmDataset& d) {
      for (const auto& tag :
           {DCM_ImagePositionPatient, DCM_ImageOrientationPatient, DCM_PixelSpacing}) {
        delete d.remove(tag);
      }
      DcmItem *shared = nullptr, *group = nullptr;
      d.findOrCreateSequenceItem(DCM_SharedFunctionalGroupsSequence, shared).good();
      shared->findOrCreateSequenceItem(DCM_PixelMeasuresSequence, group).good();
      group->putAndInsertString(DCM_PixelSpacing, "0.75\\0.5").good();
      shared->findOrCreateSequenceItem(DCM_PlaneOrientationSequence, group).good();
      group->putAndInsertString(DCM_ImageOrientationPatient, "1\\0\\0\\0\\1\\0").good();
      std::vector<Uint16> pixels;
      for (const int z : {2, 0, 1}) {  // Frames are stored out of order.
        DcmItem* frame = nullptr;
        d.findOrCreateSequenceItem(DCM_PerFrameFunctionalGroupsSequence, frame, -2).good();
        frame->findOrCreateSequenceItem(DCM_PlanePositionSequence, group).good();
        const std::string position = "1\\2\\" + std::to_string(4 * z);
        group->putAndInsertString(DCM_ImagePositionPatient, position.c_str()).good();
        frame->findOrCreateSequenceItem(DCM_PixelValueTransformationSequence, group).good();
        group->putAndInsertString(DCM_RescaleSlope, "1").good();
        group->putAndInsertString(DCM_RescaleIntercept, z == 1 ? "-5" : "0").good();
        for (const auto v : slice_values(z)) pixels.push_back(v);
      }
      d.putAndInsertString(DCM_NumberOfFrames, "3").good();
      d.putAndInsertUint16Array(DCM_PixelData, pixels.data(), pixels.size()).good();
    };
  });
  const auto volume = read();
  EXPECT_THAT(volume.geometry().spacing_mm, ElementsAre(0.5, 0.75, 4));
  EXPECT_THAT(volume.geometry().origin_mm, ElementsAre(1, 2, 0));
  ASSERT_EQ(volume.type(), PixelType::kInt16);
  const auto v = volume.as<int16_t>();
  EXPECT_EQ(v[0], 0);
  EXPECT_EQ(v[24], 95);
  EXPECT_EQ(v[48], 200);
}

TEST_F(DicomSeriesTest, NamesTheTruncatedFile) {
  write_series(3);
  std::filesystem::resize_file(folder_ / "s2.dcm",
                               std::filesystem::file_size(folder_ / "s2.dcm") - 10);
  EXPECT_THAT([&] { read(); }, FailsWith(ErrorCode::kDataCorrupt, Words{"s2.dcm"}));
}

TEST_F(DicomSeriesTest, RefusesLyingHeaders) {
  const auto broken = [&](const std::function<void(DcmDataset&)>& edit) {
    write_series(1, [&](int, DicomSliceSpec& s) { s.edit = edit; });
    return [&] { read(); };
  };
  EXPECT_THAT(broken([&](DcmDataset& d) { set(d, DCM_NumberOfFrames, "2000000000"); }),
              FailsWith(ErrorCode::kDataCorrupt, Words{"2000000000 frames", "truncated?"}));
  EXPECT_THAT(broken([&](DcmDataset& d) { set(d, DCM_NumberOfFrames, "-3"); }),
              FailsWith(ErrorCode::kDataCorrupt, Words{"NumberOfFrames", "-3"}));
  EXPECT_THAT(broken([&](DcmDataset& d) { d.putAndInsertUint16(DCM_BitsStored, 20).good(); }),
              FailsWith(ErrorCode::kDataCorrupt, Words{"BitsStored 20"}));
  EXPECT_THAT(broken([&](DcmDataset& d) { set(d, DCM_PixelSpacing, "0\\1"); }),
              FailsWith(ErrorCode::kDataCorrupt, Words{"spacing must be positive"}));
  EXPECT_THAT(broken([&](DcmDataset& d) { set(d, DCM_RescaleSlope, "0"); }),
              FailsWith(ErrorCode::kDataCorrupt, Words{"RescaleSlope"}));
  EXPECT_THAT(broken([&](DcmDataset& d) { set(d, DCM_ImagePositionPatient, "1\\2\\nan"); }),
              FailsWith(ErrorCode::kDataCorrupt, Words{"finite"}));
  EXPECT_THAT(
      broken([&](DcmDataset& d) { set(d, DCM_ImageOrientationPatient, "1\\0\\0\\1\\0\\0"); }),
      FailsWith(ErrorCode::kDataCorrupt, Words{"right angles"}));
  EXPECT_THAT(broken([&](DcmDataset& d) { delete d.remove(DCM_PixelData); }),
              FailsWith(ErrorCode::kDataCorrupt, Words{"s1.dcm"}));
}

TEST_F(DicomSeriesTest, RefusesSequencesThatNestTooDeep) {
  // Explicit coding: preamble, no meta group, then a sequence in an item in a sequence ...
  std::string bytes(128, '\0');
  bytes += "DICM";
  bytes += std::string("\x02\0\x10\0UI\x14\0", 8) + std::string("1.2.840.10008.1.2.1\0", 20);
  for (int i = 0; i < 100000; ++i) {
    bytes += std::string("\x08\0\x40\x11SQ\0\0\xFF\xFF\xFF\xFF", 12);
    bytes += std::string("\xFE\xFF\0\xE0\xFF\xFF\xFF\xFF", 8);
  }
  std::ofstream(folder_ / "deep.dcm", std::ios::binary) << bytes;
  EXPECT_THAT([&] { read(); }, FailsWith(ErrorCode::kDataCorrupt, Words{"deep.dcm", "64 deep"}));
}

TEST_F(DicomSeriesTest, TellsDicomFromOtherFiles) {
  write_series(1);
  EXPECT_TRUE(is_dicom_file(folder_ / "s1.dcm"));
  std::ofstream(folder_ / "a.txt") << std::string(500, 'x');
  EXPECT_FALSE(is_dicom_file(folder_ / "a.txt"));
  EXPECT_FALSE(is_dicom_file(folder_));
  EXPECT_THAT([&] { static_cast<void>(list_series(folder_ / "absent")); },
              FailsWith(ErrorCode::kNotFound, Words{"absent"}));
}
