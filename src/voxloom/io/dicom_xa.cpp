#include "voxloom/io/dicom_xa.h"

#include "voxloom/core/error.h"
#include "voxloom/io/dicom_dcmtk.h"

namespace voxloom::io {
namespace {

using dicom::integer;
using dicom::number;
using dicom::numbers;
using dicom::text;

std::vector<double> frame_times(DcmItem& item, int64_t frames, const std::string& where) {
  std::vector<double> times(static_cast<size_t>(frames), 0.0);
  if (const auto steps = numbers(item, DCM_FrameTimeVector, static_cast<size_t>(frames), where)) {
    // Each value is the time since the frame before; the first one is 0.
    for (size_t i = 1; i < times.size(); ++i) {
      VOXLOOM_CHECK((*steps)[i] >= 0.0,
                    ErrorCode::kDataCorrupt,
                    "{}: FrameTimeVector must not be negative, got {} ms for frame {}",
                    where,
                    (*steps)[i],
                    i);
      times[i] = times[i - 1] + (*steps)[i] / 1000.0;
    }
    return times;
  }
  double step_s = 1.0 / 15.0;
  if (const auto ms = number(item, DCM_FrameTime, where); ms && *ms > 0.0) {
    step_s = *ms / 1000.0;
  } else if (const auto rate = number(item, DCM_CineRate, where); rate && *rate > 0.0) {
    step_s = 1.0 / *rate;
  } else if (const auto shown = number(item, DCM_RecommendedDisplayFrameRate, where);
             shown && *shown > 0.0) {
    step_s = 1.0 / *shown;
  }
  for (size_t i = 0; i < times.size(); ++i) times[i] = static_cast<double>(i) * step_s;
  return times;
}

double pixel_edge(DcmItem& item, const std::string& where) {
  if (const auto calibrated = numbers(item, DCM_PixelSpacing, 2, where);
      calibrated && (*calibrated)[0] > 0.0) {
    return (*calibrated)[0];
  }
  const auto imager = numbers(item, DCM_ImagerPixelSpacing, 2, where);
  if (!imager || !((*imager)[0] > 0.0)) return 0.0;
  double magnification = 1.0;
  if (const auto stated = number(item, DCM_EstimatedRadiographicMagnificationFactor, where);
      stated && *stated >= 1.0) {
    magnification = *stated;
  } else {
    const auto detector = number(item, DCM_DistanceSourceToDetector, where);
    const auto patient = number(item, DCM_DistanceSourceToPatient, where);
    if (detector && patient && *patient > 0.0 && *detector >= *patient) {
      magnification = *detector / *patient;
    }
  }
  return (*imager)[0] / magnification;
}

}  // namespace

XaInfo read_xa_info(const std::filesystem::path& path) {
  dicom::initialise();
  const auto file = dicom::load(path, dicom::Extent::kHeader);
  DcmItem& item = *file->getDataset();
  const auto where = dicom::quoted_name(path);
  XaInfo info;
  info.frames = integer(item, DCM_NumberOfFrames, 1, int64_t{1} << 24, 1, where);
  info.frame_times_s = frame_times(item, info.frames, where);
  info.pixel_mm = pixel_edge(item, where);
  info.inverted = text(item, DCM_PhotometricInterpretation) == "MONOCHROME1";
  const auto centre = number(item, DCM_WindowCenter, where);
  const auto width = number(item, DCM_WindowWidth, where);
  if (centre && width && *width > 0.0) {
    info.window = {*centre - *width / 2.0, *centre + *width / 2.0};
  }
  return info;
}

}  // namespace voxloom::io
