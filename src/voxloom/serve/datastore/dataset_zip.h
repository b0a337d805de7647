#pragma once

#include <cstdint>
#include <filesystem>

#include "voxloom/core/cancel.h"
#include "voxloom/serve/datastore/datastore.h"

namespace voxloom::serve {

/// `GET /datastore/dataset`: a zip file with image/<id><ext> and label/<id><ext> of the images that
/// have a `final` label, and metadata.json, the datastore's document. A DICOM series becomes
/// <id>.nii.gz. At most `limit_cases` pairs when it is positive. Written next to nothing else:
/// `zip_file` appears whole or not at all. Returns the number of pairs.
/// Throws kNotFound when there is no pair, kCancelled.
int64_t write_dataset_zip(Datastore& datastore,
                          int64_t limit_cases,
                          const std::filesystem::path& zip_file,
                          const CancelToken& stop);

}  // namespace voxloom::serve
