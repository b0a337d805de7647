// The only list of data-set readers, the more specific layouts first.
#include "voxloom/dataset/readers.h"

#include "voxloom/core/error.h"
#include "voxloom/dataset/readers_list.h"

namespace voxloom::dataset {

const std::vector<DatasetReader>& dataset_readers() {
  static const std::vector<DatasetReader> list = {
      rossa_reader(),
      folder_reader(),
  };
  return list;
}

const DatasetReader& find_reader(std::string_view name, const std::filesystem::path& folder) {
  VOXLOOM_CHECK(std::filesystem::is_directory(folder),
                ErrorCode::kNotFound,
                "data '{}': must be a folder",
                folder.string());
  std::string names;
  for (const auto& reader : dataset_readers()) {
    if (reader.name == name || (name == "auto" && reader.recognises(folder))) return reader;
    names += names.empty() ? "" : ", ";
    names += reader.name;
  }
  VOXLOOM_CHECK(name == "auto",
                ErrorCode::kInvalidArgument,
                "layout: must be auto or one of {}, got '{}'",
                names,
                name);
  throw Error(
      ErrorCode::kNotFound,
      format("data '{}': must have a known layout, got none of {}", folder.string(), names));
}

}  // namespace voxloom::dataset
