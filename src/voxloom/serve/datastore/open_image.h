#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "voxloom/core/cancel.h"
#include "voxloom/image/volume.h"
#include "voxloom/serve/datastore/datastore.h"

namespace voxloom::serve {

/// Opens an image of any datastore: a file, or the image's own series of a DICOM folder.
/// Throws kNotFound for an unknown id, and what io::open_volume throws.
[[nodiscard]] std::shared_ptr<image::VolumeSource> open_image(Datastore& datastore,
                                                              std::string_view id,
                                                              const CancelToken& stop = {});

/// The same where the path is known. `record` says which series of a folder.
[[nodiscard]] std::shared_ptr<image::VolumeSource> open_image(const std::filesystem::path& path,
                                                              const ImageRecord& record);

}  // namespace voxloom::serve
