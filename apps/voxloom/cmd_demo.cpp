#include <filesystem>

#include "voxloom/core/atomic_file.h"
#include "voxloom/core/error.h"
#include "voxloom/core/program_files.h"

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

/// The lateral ventricles on one slice: a click inside and one on the septum, or a box.
std::vector<infer::ObjectPrompt> demo_prompts(bool network) {
  infer::ObjectPrompt ventricles{.name = "ventricles", .value = 1};
  if (network) {
    ventricles.boxes = {{{68, 38, 28}, {122, 122, 28}}};
  } else {
    ventricles.points = {{{103, 62, 28}, true}, {{94, 75, 28}, false}};
  }
  return {ventricles};
}

int run_demo(DemoArgs& args, Context& context) {
  const fs::path folder = args.output;
  make_output_folder(folder);
  SegmentJob job;
  job.image = bundled_path("examples/vs_mr_dicom").string();
  job.model = resolve_model(args.model);
  job.runtime = args.runtime;
  job.output = folder / "ventricles.nii.gz";
  job.preview = folder / "ventricles.png";
  // The demo's own files may be replaced, so that it can be run again.
  std::error_code failed;
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
       .details =
           "Segments the lateral ventricles from clicks (geodesic) or a box (MedSAM2, where a "
           "package is "
           "found), and says where label map, preview and JSON file are. Running it again "
           "replaces them.",
       .examples = {{"voxloom demo", "results in ./voxloom-demo"}},
       .references = {"Shapey et al., Vestibular-Schwannoma-SEG, The Cancer Imaging Archive, "
                      "https://doi.org/10.7937/TCIA.9YTJ-5Q73 (CC BY 4.0)"}},
      run_demo);
}

}  // namespace voxloom::app
