#include <optional>

#include "voxloom/core/error.h"
#include "voxloom/infer/prompt_parse.h"
#include "voxloom/io/volume_io.h"

#include "commands.h"
#include "segment_job.h"

namespace voxloom::app {
namespace {

struct SegmentArgs {
  SegmentJob job;
  std::string output, preview;
  // Collected by the parser; what counts is their order on the command line.
  std::vector<std::string> objects, points, boxes, masks;

  void visit(OptionList& list) {
    list.positional(
            "IMAGE", job.image, "Volume to segment: NIfTI, NRRD, MetaImage, NPZ, DICOM folder.")
        .as_required();
    list.option("--output",
                output,
                "Label map to write (also -o); the suffix picks the format: "
                ".nii.gz, .nrrd, .mha, .npz, or .dcm for DICOM SEG.")
        .with_value_name("FILE")
        .as_required();
    list.option("--model",
                job.model,
                "auto (a MedSAM2 package where one is found, else geodesic), "
                "geodesic, or the name or folder of a model package.")
        .with_value_name("auto|geodesic|PACKAGE");
    list.option("--object", objects, "Start an object; the prompts after it belong to it.")
        .with_value_name("NAME[=VALUE]");
    list.option(
            "--point", points, "A click in voxel indices, + (inside, the default) or - (outside).")
        .with_value_name("X,Y,Z[,+|-]");
    list.option("--box", boxes, "A box in voxel indices, both ends inside; Z0 = Z1: on one slice.")
        .with_value_name("X0,Y0,Z0,X1,Y1,Z1");
    list.option("--mask", masks, "Label file whose non-zero slices are prompts.")
        .with_value_name("FILE");
    list.option("--series", job.series, "SeriesInstanceUID, where a DICOM folder holds several.")
        .with_value_name("UID");
    job.options.visit(list);
    job.runtime.visit(list);
    list.option("--preview",
                preview,
                "Picture of the key slices in three planes, with outline and clicks.")
        .with_value_name("FILE.png");
  }

  void prepare(Context& context) {
    job.output = output;
    job.preview = preview;
    job.options.validate();
    job.runtime.validate();
    VOXLOOM_CHECK(!(objects.empty() && points.empty() && boxes.empty() && masks.empty()),
                  ErrorCode::kInvalidArgument,
                  "no prompt: give --point X,Y,Z, --box X0,Y0,Z0,X1,Y1,Z1 or --mask FILE");
    // Malformed prompts are wrong usage; whether they fit the volume shows when it is read.
    for (const auto& given : context.given) {
      if (given.name == "--object") static_cast<void>(infer::parse_object(given.value));
      if (given.name == "--point") static_cast<void>(infer::parse_point(given.value));
      if (given.name == "--box") static_cast<void>(infer::parse_box(given.value));
    }
  }
};

int run_segment(SegmentArgs& args, Context& context) {
  const auto read_prompts = [&](const image::Geometry& geometry) {
    infer::PromptBuilder builder;
    for (const auto& given : context.given) {
      if (given.name == "--object") builder.object(given.value);
      if (given.name == "--point") builder.point(given.value);
      if (given.name == "--box") builder.box(given.value);
      if (given.name != "--mask") continue;
      const auto labels = io::read_labels(given.value);
      VOXLOOM_CHECK(image::same_grid(labels.geometry(), geometry, 1e-2),
                    ErrorCode::kInvalidArgument,
                    "--mask '{}': must lie on the image's grid ({}), got {}",
                    given.value,
                    image::describe(geometry),
                    image::describe(labels.geometry()));
      builder.mask(labels);
    }
    return builder.finish();
  };
  context.result = run_segment_job(args.job, read_prompts, context);
  return 0;
}

}  // namespace

Command segment_command() {
  return make_command<SegmentArgs>(
      {.name = "segment",
       .summary = "Segment objects in a CT or MR volume from clicks, boxes or masks.",
       .details =
           "Clicks on two or more slices bound the object: it is looked for between the first and "
           "the last of them, key slices lie halfway, and two passes run over every slice, forward "
           "and backward. With --merge intersection (the default) voxels found by both passes get "
           "the object's "
           "value and voxels found by one get the extra label 'uncertain'.\n\n"
           "Clicks, a box or a mask on one slice give one key slice; the object is followed from "
           "there in both directions. A box with Z0 < Z1 has strict ends.\n\n"
           "Beside the label map a JSON file says which model, engine, precision and prompts made "
           "it, "
           "and how long each step took.",
       .examples =
           {{"voxloom segment ct.nii.gz -o liver.nii.gz --box 80,90,40,210,220,40 --window abdomen",
             "a box on slice 40, followed up and down"},
            {"voxloom segment mr_folder -o label.nrrd --object tumour --point 120,88,30 --point "
             "118,90,44 "
             "--point 150,88,36,- --preview tumour.png",
             "clicks on two slices bound the tumour; a negative click keeps a neighbour out"},
            {"voxloom segment ct.nii.gz -o two.nii.gz --object kidney=3 --point 70,140,55 --object "
             "cyst=4 "
             "--box 60,130,50,75,150,62",
             "two objects with their values"}},
       .references =
           {"Ma et al., MedSAM2: Segment Anything in 3D Medical Images and Videos, "
            "arXiv:2504.03600",
            "Ravi et al., SAM 2: Segment Anything in Images and Videos, arXiv:2408.00714"}},
      run_segment);
}

}  // namespace voxloom::app
