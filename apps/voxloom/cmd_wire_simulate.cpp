#include <filesystem>

#include "voxloom/core/atomic_file.h"
#include "voxloom/core/error.h"
#include "voxloom/dataset/fluoro_export.h"

#include "commands.h"

namespace voxloom::app {
namespace {

struct SimulateArgs {
  std::string output;
  dataset::FluoroExport job;

  void visit(OptionList& list) {
    list.option("--output", output, "Folder to write to (also -o); made where it is missing.")
        .with_value_name("DIR")
        .as_required();
    list.option("--sequences", job.sequences, "Sequences, each another patient and system.")
        .with_range(1, 100000);
    job.options.visit(list);
    list.option("--seed", job.seed, "Same seed, same bytes, at any number of threads.")
        .with_range(0, 1e15);
    list.option("--split", job.split, "Splits of one seed share no random numbers.")
        .with_choices({"train", "val", "test"});
    list.option("--instances", job.instances, "Also write instance/ with a number per object.");
  }

  void prepare(Context& context) {
    job.options.validate();
    job.folder = output;
    job.overwrite = context.common.force ? Overwrite::kReplace : Overwrite::kRefuse;
  }
};

int run_simulate(SimulateArgs& args, Context& context) {
  make_output_folder(args.job.folder);
  const auto made = dataset::export_fluoro(args.job, *context.progress, context.stop);
  const auto manifest = (args.job.folder / "manifest.jsonl").string();
  *context.out << format("{} frames in {} sequences; a wire in {}, visible in {}\n{}\n{}\n{}\n",
                         made.samples.size(),
                         args.job.sequences,
                         made.frames_with_wire,
                         made.frames_visible,
                         manifest,
                         (args.job.folder / "contact_sheet.png").string(),
                         (args.job.folder / "cnr_histogram.png").string());
  context.result = {{"frames", made.samples.size()},
                    {"sequences", args.job.sequences},
                    {"frames_with_wire", made.frames_with_wire},
                    {"frames_with_visible_wire", made.frames_visible},
                    {"manifest", manifest},
                    {"cnr", made.histogram.to_json()}};
  return 0;
}

}  // namespace

Command wire_simulate_command() {
  return make_command<SimulateArgs>(
      {.name = "wire simulate",
       .summary = "Make labelled X-ray videos of guidewires by simulating the physics.",
       .details =
           "Every sequence is another patient, projection and X-ray system: chest with ribs, "
           "spine, "
           "lungs, heart and diaphragm that breathe and beat; a guidewire with radiopaque J tip "
           "that is pushed, pulled and turned, mostly through a catheter into a coronary artery; "
           "contrast agent, leads, clips and other devices by chance. X-rays are attenuated along "
           "each ray, scattered and blurred, counted as photons (Poisson), read with noise, lag "
           "and a fixed pattern, and shown through a display curve. The ranges of all parameters "
           "are those of real systems; sequence.json has the values of each sequence.\n\n"
           "DIR gets image/SEQUENCE/FRAME.png (8 bits), label/SEQUENCE/FRAME.png (0 background, 1 "
           "guidewire, 2 catheter, 3 other device, 4 vessel with contrast agent), "
           "label/SEQUENCE/sequence.json (centre lines in pixels, tips, visibility, contrast to "
           "noise), manifest.jsonl with the sums of all files, cnr_histogram.json and .png (how "
           "hard the set is) and contact_sheet.png (look at this one first).\n\n"
           "A pixel is wire when its centre lies within max(radius, 0.75 px) of the axis. A wire "
           "is visible when at least 2 mm of it lie in the field and an observer who knows its "
           "shape would have a signal to noise of 5 or more.\n\n"
           "Training, validation and test sets come from --split, not from different seeds.",
       .examples = {{"voxloom wire simulate -o sim --sequences 4",
                     "four sequences of 60 frames, 6 to 45 nGy"},
                    {"voxloom wire simulate -o sim-test --split test --sequences 40 --dose-ngy "
                     "6,20,45,100",
                     "a test set with four doses in turn"},
                    {"voxloom wire simulate -o demo --sequences 1 --frames 300 --dose-ngy 40 "
                     "--without-wire 0 --plain-display",
                     "twenty seconds to show"}},
       .references = {"IEC 62220-1 (beam quality RQA5, detective quantum efficiency)",
                      "Murray, PNAS 12, 1926 (radii and angles of branching vessels)",
                      "Hoermann, Insurance: Mathematics and Economics 12, 1993 (Poisson numbers)",
                      "Rose, J. Opt. Soc. Am. 38, 1948 (signal to noise 5 to be sure)"}},
      run_simulate);
}

}  // namespace voxloom::app
