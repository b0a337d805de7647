// Reads and writes DICOM for the oracle script dicom_oracle.py; one JSON object to stdout.
//   dicom_tool list PATH
//   dicom_tool dump PATH UID|- OUT.raw [Z0 Z1]
//   dicom_tool seg SOURCE UID|- LABELS.raw OUT.dcm        (uint16 labels on the series' grid)
//   dicom_tool unseg SEG.dcm OUT.raw [SOURCE]
#include <cstring>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "voxloom/core/error.h"
#include "voxloom/io/dicom_seg.h"
#include "voxloom/io/dicom_series.h"

using namespace voxloom;  // NOLINT(*-using-namespace)
using nlohmann::ordered_json;

namespace {

ordered_json describe(const image::Geometry& g, image::PixelType type) {
  return {{"size", g.size},
          {"spacing", g.spacing_mm},
          {"origin", g.origin_mm},
          {"direction", g.direction},
          {"type", image::pixel_type_name(type)}};
}

void save(const image::Volume& volume, const std::string& path) {
  std::ofstream out(path, std::ios::binary);
  out.write(reinterpret_cast<const char*>(volume.bytes().data()),
            static_cast<std::streamsize>(volume.bytes().size()));
}

ordered_json run(const std::vector<std::string>& args) {
  const auto uid = [&](size_t i) { return args.at(i) == "-" ? std::string() : args.at(i); };
  if (args.at(0) == "list") {
    ordered_json all = ordered_json::array();
    for (const auto& s : io::list_series(args.at(1))) {
      all.push_back({{"uid", s.uid},
                     {"modality", s.modality},
                     {"description", s.description},
                     {"files", s.files},
                     {"frames", s.frames},
                     {"rows", s.rows},
                     {"columns", s.columns}});
    }
    return {{"series", all}};
  }
  if (args[0] == "dump") {
    const auto source = io::open_dicom_series(args.at(1), uid(2));
    const int64_t z0 = args.size() > 4 ? std::stoll(args.at(4)) : 0;
    const int64_t z1 = args.size() > 5 ? std::stoll(args.at(5)) : source->geometry().size[2];
    const auto volume = source->read_slab(z0, z1);
    save(volume, args.at(3));
    return describe(volume.geometry(), volume.type());
  }
  if (args[0] == "seg") {
    image::LabelVolume labels(io::open_dicom_series(args.at(1), uid(2))->geometry());
    std::ifstream in(args.at(3), std::ios::binary);
    in.read(reinterpret_cast<char*>(labels.voxels().data()),
            static_cast<std::streamsize>(labels.voxels().size() * 2));
    labels.labels = {{1, "tumour"}, {5, "Auge (gr\u00f6\u00dfer)"}};
    io::write_dicom_seg(labels,
                        args.at(1),
                        uid(2),
                        args.at(4),
                        Overwrite::kReplace,
                        {.series_description = "Oracle test", .algorithm_name = "threshold"});
    return {{"ok", true}};
  }
  if (args[0] == "unseg") {
    std::unique_ptr<image::VolumeSource> source;
    if (args.size() > 3) source = io::open_dicom_series(args[3]);
    const auto labels =
        io::read_dicom_seg(args.at(1), source == nullptr ? nullptr : &source->geometry());
    save(labels.volume(), args.at(2));
    auto out = describe(labels.geometry(), image::PixelType::kUint16);
    for (const auto& l : labels.labels) out["labels"][std::to_string(l.value)] = l.name;
    return out;
  }
  throw Error(ErrorCode::kInvalidArgument, "usage: dicom_tool list|dump|seg|unseg ...");
}

}  // namespace

int main(int argc, char** argv) {
  try {
    std::cout << run({argv + 1, argv + argc}).dump() << "\n";
    return 0;
  } catch (const Error& e) {
    std::cout << ordered_json{{"error", error_code_name(e.code())}, {"message", e.what()}}.dump()
              << "\n";
  } catch (const std::exception& e) {
    std::cout << ordered_json{{"error", "exception"}, {"message", e.what()}}.dump() << "\n";
  }
  return 1;
}
