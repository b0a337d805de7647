// What the library makes of a file, for tests that compare with other programs:
//   io_probe info FILE             geometry, type, statistics as JSON
//   io_probe dump FILE RAW         the same header as JSON; the voxels as they are go to RAW
//   io_probe slabs FILE RAW STEP   like dump, but read backward in slabs of STEP slices
//   io_probe convert FROM TO       read_volume, write_volume
//   io_probe labels FROM TO        read_labels, write_labels; prints the names
#include <algorithm>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "voxloom/core/error.h"
#include "voxloom/core/log.h"
#include "voxloom/io/info.h"
#include "voxloom/io/volume_io.h"

namespace {

using voxloom::Overwrite;
using voxloom::image::Volume;
namespace io = voxloom::io;

void write_raw(const Volume& volume, std::ostream& out) {
  out.write(reinterpret_cast<const char*>(volume.bytes().data()),
            static_cast<std::streamsize>(volume.bytes().size()));
}

nlohmann::ordered_json header_of(const std::string& path) {
  return io::to_json(io::describe_volume(path, "", false));
}

nlohmann::ordered_json run(const std::vector<std::string>& args) {
  const std::string& verb = args.at(0);
  if (verb == "info") return io::to_json(io::describe_volume(args.at(1)));
  if (verb == "dump") {
    std::ofstream out(args.at(2), std::ios::binary);
    write_raw(io::read_volume(args.at(1)), out);
    return header_of(args.at(1));
  }
  if (verb == "slabs") {
    const auto source = io::open_volume(args.at(1));
    const int64_t step = std::stoll(args.at(3)), depth = source->geometry().size[2];
    std::vector<Volume> slabs;
    for (int64_t end = depth; end > 0; end -= step) {
      slabs.push_back(source->read_slab(std::max<int64_t>(end - step, 0), end));
    }
    std::reverse(slabs.begin(), slabs.end());
    std::ofstream out(args.at(2), std::ios::binary);
    for (const Volume& slab : slabs) write_raw(slab, out);
    return header_of(args.at(1));
  }
  if (verb == "convert") {
    io::write_volume(io::read_volume(args.at(1)), args.at(2), Overwrite::kReplace);
    return header_of(args.at(2));
  }
  if (verb == "labels") {
    const auto labels = io::read_labels(args.at(1));
    io::write_labels(labels, args.at(2), Overwrite::kReplace);
    nlohmann::ordered_json names = nlohmann::ordered_json::object();
    for (const auto& label : labels.labels) names[std::to_string(label.value)] = label.name;
    return names;
  }
  throw voxloom::Error(voxloom::ErrorCode::kInvalidArgument, "unknown verb '" + verb + "'");
}

}  // namespace

int main(int argc, char** argv) {
  try {
    voxloom::set_log_level(voxloom::LogLevel::kError);
    std::cout << run({argv + 1, argv + argc}).dump() << "\n";
    return 0;
  } catch (const std::exception& error) {
    std::cerr << error.what() << "\n";
    return 1;
  }
}
