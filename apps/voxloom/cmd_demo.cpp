#include <filesystem>

#include <unistd.h>

#include "voxloom/core/error.h"

#include "commands.h"
#include "segment_job.h"

namespace voxloom::app {
namespace {

namespace fs = std::filesystem;

struct DemoArgs {
  std::string output = "voxloom-demo";
  std::string model = "auto";
  infer::RuntimeOptions runtime;

  void visit(OptionList& list) {
    list.option("--output", output, "Folder for the results (also -o); made where it is missing.")
        .with_value_name("DIR");
    list.option("--model",
                model,
                "auto (a MedSAM2 package where one is found, else geodesic), "
                "geodesic, or the name or folder of a package.")
        .with_value_name("auto|geodesic|PACKAGE");
    runtime.visit(list);
  }
  void prepare(Context&) { runtime.validate(); }
};

/// The bundled series: beside an installed program, or in the source tree that it was built in.
fs::path bundled_series() {
  std::error_code ignored;
  const fs::path folder = fs::read_symlink("/proc/self/exe", ignored).parent_path();
  for (const auto& base : {folder / "../share/voxloom/examples", folder / "../../../examples"}) {
    if (fs::is_directory(base / "vs_mr_dicom")) return fs::weakly_canonical(base / "vs_mr_dicom");
  }
  throw Error(ErrorCode::kNotFound,
              format("the bundled examples are not beside the program ('{}')", folder.string()));
}

/// The left lateral ventricle: two clicks inside, one outside, on one slice.
std::vector<infer::ObjectPrompt> demo_prompts(bool network) {
  infer::ObjectPrompt ventricle{.name = "ventricle", .value = 1};
  if (network) {
    ventricle.boxes = {{{97, 42, 28}, {113, 82, 28}}};
  } else {
    ventricle.points = {{{103, 62, 28}, true}, {{94, 75, 28}, false}};
  }
  return {ventricle};
}

int run_demo(DemoArgs& args, Context& context) {
  std::error_code failed;
  const fs::path folder = args.output;
  fs::create_directories(folder, failed);
  VOXLOOM_CHECK(fs::is_directory(folder),
                ErrorCode::kUnavailable,
                "output '{}': the folder cannot be made",
                folder.string());
  SegmentJob job;
  job.image = bundled_series().string();
  job.model = resolve_model(args.model);
  job.runtime = args.runtime;
  job.output = folder / "ventricle.nii.gz";
  job.preview = folder / "ventricle.png";
  // The demo's own files may be replaced, so that it can be run again.
  for (const auto& path : {job.output, job.preview, sidecar_path(job.output)}) {
    fs::remove(path, failed);
  }
  const bool network = job.model != "geodesic";
  *context.out << "image: 32 slices of a contrast-enhanced head MR (Vestibular-Schwannoma-SEG, The "
                  "Cancer Imaging Archive, CC BY 4.0)\n"
               << "model: "
               << (network ? job.model
                           : "geodesic (not a neural network; 'voxloom model convert' "
                             "makes a MedSAM2 package)")
               << "\nmade:\n";
  context.result = run_segment_job(
      job, [&](const image::Geometry&) { return demo_prompts(network); }, context);
  *context.out << "look at " << fs::absolute(job.preview).lexically_normal().string() << "\n";
  return 0;
}

}  // namespace

Command demo_command() {
  return make_command<DemoArgs>(
      {.name = "demo",
       .summary =
           "Run the main job on the bundled MR series; writes a label, a picture and a report.",
       .details = "Segments a lateral ventricle from clicks (geodesic) or a box (MedSAM2, where a "
                  "package is "
                  "found), and says where label map, preview and JSON file are. Running it again "
                  "replaces them.",
       .examples = {{"voxloom demo", "results in ./voxloom-demo"}},
       .references = {"Shapey et al., Vestibular-Schwannoma-SEG, The Cancer Imaging Archive, "
                      "https://doi.org/10.7937/TCIA.9YTJ-5Q73 (CC BY 4.0)"}},
      run_demo);
}

}  // namespace voxloom::app
