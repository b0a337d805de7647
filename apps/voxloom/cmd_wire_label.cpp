#include <filesystem>

#include "voxloom/core/error.h"
#include "voxloom/infer/wire_label.h"

#include "commands.h"

namespace voxloom::app {
namespace {

struct LabelArgs {
  infer::WireLabelOptions options;
  void visit(OptionList& list) { options.visit(list); }
  void prepare(Context& context) {
    options.validate();
    options.force = context.common.force;
  }
};

int run_label(LabelArgs& args, Context& context) {
  context.result = infer::label_wire(args.options, *context.progress, context.stop);
  const std::filesystem::path folder = args.options.output;
  for (const char* name : {"mask.png", "overlay.png", "label.json"}) {
    *context.out << (folder / name).string() << "\n";
  }
  return 0;
}

}  // namespace

Command wire_label_command() {
  return make_command<LabelArgs>(
      {.name = "wire label",
       .summary = "Label a wire (or anything else) in one X-ray picture by clicks and a box.",
       .details =
           "Writes mask.png (0 and 255), overlay.png and label.json (COCO RLE, box, area, prompts, "
           "model) into the output folder: a first label for a person to correct, not a result.\n\n"
           "The model sees a crop around the prompts: a wire of one or two pixels would vanish in "
           "a "
           "picture that is scaled to the 256 x 256 pixels of SAM-Med2D. Three to five clicks "
           "along the wire are the usual start; each further click refines the answer before.",
       .examples =
           {{"voxloom wire label frame.png --model sam-med2d --click 210,96 --click 240,130 "
             "--click 262,171 -o label",
             "three clicks along the wire"},
            {"voxloom wire label run.dcm --frame 40 --model sam-med2d --box "
             "180,80,300,220 --click 200,210,- -o label",
             "a box on frame 40, then a click beside the wire"}},
       .references = {"Cheng et al., SAM-Med2D, arXiv:2308.16184"}},
      run_label);
}

}  // namespace voxloom::app
