#include "voxloom/serve/datastore/open_image.h"

#include <system_error>

#include "voxloom/core/error.h"
#include "voxloom/io/volume_io.h"
#include "voxloom/serve/datastore/info_json.h"

namespace voxloom::serve {

std::shared_ptr<image::VolumeSource> open_image(const std::filesystem::path& path,
                                                const ImageRecord& record) {
  std::error_code failure;
  if (!std::filesystem::is_directory(path, failure)) return io::open_volume(path);
  return io::open_volume(path, text_member(record.info, "SeriesInstanceUID", record.id));
}

std::shared_ptr<image::VolumeSource> open_image(Datastore& datastore,
                                                std::string_view id,
                                                const CancelToken& stop) {
  // The path first: fetching a remote image may complete its record.
  const auto path = datastore.image_path(id, stop);
  const auto record = datastore.find(id);
  VOXLOOM_CHECK(record, ErrorCode::kNotFound, "image '{}': must be in the datastore", id);
  stop.check();
  return open_image(path, *record);
}

}  // namespace voxloom::serve
