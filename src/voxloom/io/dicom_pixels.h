#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "voxloom/image/volume.h"
#include "voxloom/io/dicom_object.h"

namespace voxloom::io {

/// The voxel type that holds every value of a series exactly: the stored type when nothing is
/// rescaled, int16 or int32 when slope and intercept are whole and the range fits, else float32.
[[nodiscard]] image::PixelType dicom_volume_type(const std::vector<DicomObject>& objects);

/// An open DICOM file whose frames are decoded one by one. Not thread-safe.
class DicomPixels {
 public:
  /// Throws kUnsupported for transfer syntaxes and pixel forms that can't be decoded.
  explicit DicomPixels(const DicomObject& object);
  ~DicomPixels();

  /// Decodes one frame into `out` (rows x columns values of `type`), rescale applied.
  /// Throws kDataCorrupt when the pixels are cut short or can't be decoded.
  void read_frame(const DicomFrame& frame, image::PixelType type, std::span<std::byte> out);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace voxloom::io
