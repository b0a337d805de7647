#include <nlohmann/json.hpp>

#include "voxloom/core/error.h"
#include "voxloom/io/info.h"
#include "voxloom/io/volume_io.h"
#include "voxloom/io/volume_writer.h"

#include "commands.h"

namespace voxloom::app {
namespace {

struct InfoArgs {
  std::vector<std::string> images;
  std::string series;

  void visit(OptionList& list) {
    list.positional("IMAGE", images, "Files or DICOM folders to describe.").as_required();
    list.option("--series", series, "SeriesInstanceUID, where a DICOM folder holds several.")
        .with_value_name("UID");
  }
};

int run_info(InfoArgs& args, Context& context) {
  auto list = nlohmann::ordered_json::array();
  for (const auto& image : args.images) {
    const io::VolumeInfo info = io::describe_volume(image, args.series);
    auto json = io::to_json(info);
    json["file"] = image;
    *context.out << json.dump(2) << "\n";
    list.push_back(std::move(json));
  }
  context.result["images"] = std::move(list);
  return 0;
}

struct ConvertArgs {
  std::string input, output, series;
  bool labels = false;

  void visit(OptionList& list) {
    list.positional("INPUT", input, "Volume to read: any supported file or a DICOM folder.")
        .as_required();
    list.positional("OUTPUT",
                    output,
                    "Volume to write; the suffix picks the format: .nii, .nii.gz, "
                    ".nrrd, .nhdr, .mha, .mhd, .npz.")
        .as_required();
    list.option(
        "--labels", labels, "Treat the input as a label map: whole numbers, smallest type.");
    list.option("--series", series, "SeriesInstanceUID, where a DICOM folder holds several.")
        .with_value_name("UID");
  }
};

int run_convert(ConvertArgs& args, Context& context) {
  const auto overwrite = context.common.force ? Overwrite::kReplace : Overwrite::kRefuse;
  io::check_writable_format(args.output);
  check_output(args.output, overwrite);
  if (args.labels) {
    io::write_labels(io::read_labels(args.input), args.output, overwrite);
  } else {
    // A slab at a time: the volume may be larger than memory.
    const auto source = io::open_volume(args.input, args.series);
    const int64_t depth = source->geometry().size[2];
    io::VolumeWriter writer(source->geometry(), source->type(), args.output, overwrite);
    context.progress->begin("convert", depth);
    for (int64_t z = 0; z < depth; ++z) {
      context.stop.check();
      writer.write(source->read_slab(z, z + 1));
      context.progress->advance(1);
    }
    writer.commit();
    context.progress->end();
  }
  *context.out << args.output << "\n";
  context.result["output"] = args.output;
  return 0;
}

}  // namespace

Command data_info_command() {
  return make_command<InfoArgs>(
      {.name = "data info",
       .summary = "Describe volumes: size, spacing, orientation, type and intensities.",
       .details = "Intensities are read slab by slab, so volumes larger than memory work.",
       .examples = {{"voxloom data info ct.nii.gz", "one file"},
                    {"voxloom data info --json dicom_folder", "the same as JSON"}},
       .references = {}},
      run_info);
}

Command data_convert_command() {
  return make_command<ConvertArgs>(
      {.name = "data convert",
       .summary = "Convert a volume to another file format; the world geometry is kept.",
       .details =
           "Nothing is resampled or rescaled. NPZ keeps spacing only; the other formats keep "
           "origin and direction as well.",
       .examples = {{"voxloom data convert dicom_folder mr.nii.gz", "a DICOM series to NIfTI"},
                    {"voxloom data convert --labels seg.nrrd seg.nii.gz", "a label map"}},
       .references = {}},
      run_convert);
}

}  // namespace voxloom::app
