#include "voxloom/io/dicom_seg.h"

#include "voxloom/io/dicom_series.h"

#include "dicom_fixture.h"

using namespace voxloom;      // NOLINT(*-using-namespace)
using namespace voxloom::io;  // NOLINT(*-using-namespace)
using testing::ElementsAreArray;

class DicomSegTest : public DicomTest {
 protected:
  void SetUp() override {
    DicomTest::SetUp();
    write_series(
        5, [](int, DicomSliceSpec& s) { s.orientation = "0.8\\0.6\\0\\-0.6\\0.8\\0"; }, "ct");
    labels_ = image::LabelVolume(open_dicom_series(source())->geometry());
    for (const size_t i : {25, 26, 31}) labels_.voxels()[i] = 7;        // Slice 1.
    for (const size_t i : {74, 75, 80, 81}) labels_.voxels()[i] = 300;  // Slice 3.
    labels_.voxels()[72] = 7;
    labels_.labels = {{7, "tumour"}, {300, "\u00d6hr"}};
  }
  std::filesystem::path source() const { return folder_ / "ct"; }
  std::filesystem::path seg() const { return folder_ / "seg.dcm"; }
  void write(Overwrite overwrite = Overwrite::kRefuse) {
    write_dicom_seg(labels_, source(), "", seg(), overwrite, {.algorithm_name = "test"});
  }

  image::LabelVolume labels_;
};

TEST_F(DicomSegTest, ComesBackOnTheGridOfTheSeries) {
  write();
  const auto back = read_dicom_seg(seg(), &labels_.geometry());
  EXPECT_TRUE(image::same_grid(back.geometry(), labels_.geometry()));
  EXPECT_THAT(back.voxels(), ElementsAreArray(labels_.voxels()));
  EXPECT_EQ(back.labels, labels_.labels);
}

TEST_F(DicomSegTest, SpansTheLabelledSlicesWithoutTheSeries) {
  write();
  const auto back = read_dicom_seg(seg());
  EXPECT_TRUE(image::same_grid(back.geometry(), image::slab_geometry(labels_.geometry(), 1, 4)));
  EXPECT_THAT(back.voxels(), ElementsAreArray(labels_.voxels().subspan(24, 72)));
}

TEST_F(DicomSegTest, RefersToTheSourceAndCopiesThePatient) {
  write();
  DcmFileFormat file;
  ASSERT_TRUE(file.loadFile(seg().c_str()).good());
  DcmDataset& d = *file.getDataset();
  const auto text = [](DcmItem& item, const DcmTagKey& tag) {
    OFString value;
    item.findAndGetOFStringArray(tag, value).good();
    return std::string(value.c_str());
  };
  EXPECT_EQ(text(d, DCM_PatientID), "secret-id");
  EXPECT_EQ(text(d, DCM_StudyInstanceUID), "1.2.3");
  EXPECT_EQ(text(d, DCM_FrameOfReferenceUID), "1.2.9");
  EXPECT_EQ(text(d, DCM_SegmentationType), "BINARY");
  EXPECT_EQ(text(d, DCM_NumberOfFrames), "3");
  DcmItem* item = nullptr;
  ASSERT_TRUE(d.findAndGetSequenceItem(DCM_ReferencedSeriesSequence, item).good());
  EXPECT_EQ(text(*item, DCM_SeriesInstanceUID), "1.2.3.4");
  // Frames: label 7 on slices 1 and 3, then label 300 on slice 3.
  const char* sources[] = {"1.2.3.4.5.2", "1.2.3.4.5.4", "1.2.3.4.5.4"};
  const Uint16 segments[] = {1, 1, 2};
  for (long i = 0; i < 3; ++i) {
    DcmItem *frame = nullptr, *group = nullptr;
    ASSERT_TRUE(d.findAndGetSequenceItem(DCM_PerFrameFunctionalGroupsSequence, frame, i).good());
    ASSERT_TRUE(frame->findAndGetSequenceItem(DCM_DerivationImageSequence, group).good());
    ASSERT_TRUE(group->findAndGetSequenceItem(DCM_SourceImageSequence, group).good());
    EXPECT_EQ(text(*group, DCM_ReferencedSOPInstanceUID), sources[i]);
    ASSERT_TRUE(frame->findAndGetSequenceItem(DCM_SegmentIdentificationSequence, group).good());
    Uint16 segment = 0;
    ASSERT_TRUE(group->findAndGetUint16(DCM_ReferencedSegmentNumber, segment).good());
    EXPECT_EQ(segment, segments[i]);
  }
}

TEST_F(DicomSegTest, SaysHowTheGridDiffers) {
  auto g = labels_.geometry();
  g.spacing_mm[2] = 2.5;
  g.origin_mm[0] += 1;
  const image::LabelVolume moved(g);
  EXPECT_THAT(
      [&] {
        write_dicom_seg(moved, source(), "", seg(), Overwrite::kRefuse, {.algorithm_name = "test"});
      },
      FailsWith(ErrorCode::kInvalidArgument,
                Words{"spacing in mm [0.5, 0.75, 2], got [0.5, 0.75, 2.5]", "origin"}));
  EXPECT_FALSE(std::filesystem::exists(seg()));
}

TEST_F(DicomSegTest, RefusesAnEmptyMapAndAnExistingFile) {
  write();
  EXPECT_THAT([&] { write(); }, FailsWith(ErrorCode::kAlreadyExists, Words{"--force"}));
  EXPECT_NO_THROW(write(Overwrite::kReplace));
  const image::LabelVolume empty(labels_.geometry());
  EXPECT_THAT(
      [&] {
        write_dicom_seg(
            empty, source(), "", seg(), Overwrite::kReplace, {.algorithm_name = "test"});
      },
      FailsWith(ErrorCode::kInvalidArgument, Words{"at least one labelled voxel"}));
  EXPECT_THAT([&] { write_dicom_seg(labels_, source(), "", seg(), Overwrite::kReplace); },
              FailsWith(ErrorCode::kInvalidArgument, Words{"algorithm_name"}));
}

TEST_F(DicomSegTest, RefusesOverlapAndAForeignGrid) {
  write();
  auto far = labels_.geometry();
  far.origin_mm[2] += 1;
  EXPECT_THAT([&] { static_cast<void>(read_dicom_seg(seg(), &far)); },
              FailsWith(ErrorCode::kInvalidArgument, Words{"frame 1", "grid"}));
  DcmFileFormat file;
  ASSERT_TRUE(file.loadFile(seg().c_str()).good());
  const std::vector<Uint8> ones(10, 0xFF);
  file.getDataset()->putAndInsertUint8Array(DCM_PixelData, ones.data(), 10).good();
  ASSERT_TRUE(file.saveFile((folder_ / "all.dcm").c_str(), EXS_LittleEndianExplicit).good());
  EXPECT_THAT([&] { static_cast<void>(read_dicom_seg(folder_ / "all.dcm")); },
              FailsWith(ErrorCode::kUnsupported, Words{"overlap", "7 and 300"}));
  EXPECT_THAT([&] { static_cast<void>(read_dicom_seg(source() / "s1.dcm")); },
              FailsWith(ErrorCode::kInvalidArgument, Words{"Segmentation"}));
}

TEST_F(DicomSegTest, DoesNotHideTheSeriesBesideIt) {
  write();
  EXPECT_EQ(open_dicom_series(folder_)->geometry().size[2], 5);
  EXPECT_EQ(open_dicom_series(seg())->geometry().size[2], 3);
}

TEST_F(DicomSegTest, KeepsTheColoursAndCodesOfSegments) {
  SegOptions options{.algorithm_name = "test"};
  options.segments = {{300,
                       std::array<uint8_t, 3>{255, 0, 0},
                       DicomCode{"123037004", "SCT", "Anatomical Structure"},
                       DicomCode{"78961009", "SCT", "Spleen"},
                       "network"}};
  write_dicom_seg(labels_, source(), "", seg(), Overwrite::kRefuse, options);
  DcmFileFormat file;
  ASSERT_TRUE(file.loadFile(seg().c_str()).good());
  const auto text = [&](const char* path_tag, const DcmTagKey& tag) {
    DcmItem* segment = nullptr;
    EXPECT_TRUE(file.getDataset()->findAndGetSequenceItem(DCM_SegmentSequence, segment, 1).good());
    DcmItem* item = segment;
    if (std::string(path_tag) == "category") {
      segment->findAndGetSequenceItem(DCM_SegmentedPropertyCategoryCodeSequence, item).good();
    } else if (std::string(path_tag) == "type") {
      segment->findAndGetSequenceItem(DCM_SegmentedPropertyTypeCodeSequence, item).good();
    }
    OFString value;
    EXPECT_TRUE(item->findAndGetOFString(tag, value).good());
    return std::string(value.c_str());
  };
  EXPECT_EQ(text("", DCM_SegmentDescription), "label value 300");
  EXPECT_EQ(text("", DCM_SegmentAlgorithmName), "network");
  EXPECT_EQ(text("category", DCM_CodeValue), "123037004");
  EXPECT_EQ(text("type", DCM_CodeMeaning), "Spleen");
  // Pure red of sRGB under D50: L 54.29, a 80.81, b 69.89.
  DcmItem* segment = nullptr;
  file.getDataset()->findAndGetSequenceItem(DCM_SegmentSequence, segment, 1).good();
  const auto lab = [&](unsigned long i) {
    Uint16 stored = 0;
    segment->findAndGetUint16(DCM_RecommendedDisplayCIELabValue, stored, i).good();
    return stored / 65535.0;
  };
  EXPECT_NEAR(lab(0) * 100, 54.29, 0.02);
  EXPECT_NEAR(lab(1) * 255 - 128, 80.81, 0.02);
  EXPECT_NEAR(lab(2) * 255 - 128, 69.89, 0.02);
}
