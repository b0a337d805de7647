#include "voxloom/serve/datastore/dataset_zip.h"

#include <algorithm>
#include <memory>
#include <system_error>

#include "voxloom/core/atomic_file.h"
#include "voxloom/core/error.h"
#include "voxloom/core/mapped_file.h"
#include "voxloom/core/zip_writer.h"
#include "voxloom/io/volume_writer.h"
#include "voxloom/serve/datastore/durable.h"
#include "voxloom/serve/datastore/open_image.h"

namespace voxloom::serve {
namespace {

namespace fs = std::filesystem;

void write_nifti(image::VolumeSource& source, const fs::path& path, const CancelToken& stop) {
  io::VolumeWriter writer(source.geometry(), source.type(), path, Overwrite::kReplace);
  const int64_t depth = source.geometry().size[2];
  for (int64_t z = 0; z < depth; ++z) {
    stop.check();
    writer.write(source.read_slab(z, z + 1));
  }
  writer.commit();
}

}  // namespace

int64_t write_dataset_zip(Datastore& datastore,
                          int64_t limit_cases,
                          const fs::path& zip_file,
                          const CancelToken& stop) {
  AtomicFile file(zip_file, Overwrite::kReplace);
  ZipWriter zip([&](std::span<const std::byte> bytes) { file.write(bytes); });
  int64_t pairs = 0;
  for (const auto& id : datastore.image_ids()) {
    if (limit_cases > 0 && pairs >= limit_cases) break;
    stop.check();
    const auto record = datastore.find(id);
    const LabelRecord* label = record ? record->label(kFinalTag) : nullptr;
    if (label == nullptr) continue;
    try {
      // Both are opened before either is added, so that a pair is never half there.
      const SharedBytes label_bytes = map_file(datastore.label_path(id, kFinalTag));
      const fs::path image = datastore.image_path(id, stop);
      std::error_code failure;
      if (fs::is_directory(image, failure)) {
        const TemporaryFile nifti(zip_file.parent_path(), ".nii.gz");
        write_nifti(*open_image(image, *record), nifti.path(), stop);
        zip.add("image/" + id + ".nii.gz", map_file(nifti.path()).bytes);
      } else {
        zip.add("image/" + id + record->ext, map_file(image).bytes);
      }
      zip.add("label/" + id + label->ext, label_bytes.bytes);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kNotFound) throw;
      continue;  // Removed since the list was made.
    }
    ++pairs;
  }
  VOXLOOM_CHECK(
      pairs > 0, ErrorCode::kNotFound, "dataset: must have an image with a final label, got none");
  zip.add("metadata.json", datastore.document().dump(2), ZipWriter::Method::kDeflated);
  zip.finish();
  file.commit();
  return pairs;
}

}  // namespace voxloom::serve
