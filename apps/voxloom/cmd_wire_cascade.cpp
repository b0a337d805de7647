#include "voxloom/infer/cascade_options.h"
#include "voxloom/infer/ml_library.h"
#include "voxloom/weights/package.h"

#include "commands.h"

namespace voxloom::app {
namespace {

struct CascadeArgs {
  infer::CascadeOptions options;
  void visit(OptionList& list) { options.visit(list); }
  void prepare(Context& context) { options.force = context.common.force; }
};

int run_cascade(CascadeArgs& args, Context& context) {
  // Said before torch is loaded.
  for (const auto& name : {args.options.detector, args.options.segmenter}) {
    static_cast<void>(weights::find_package(name));
  }
  context.result = infer::ml_api().wire_cascade(args.options);
  *context.out << context.result["model"].get<std::string>() << "\n";
  return 0;
}

}  // namespace

Command wire_cascade_command() {
  return make_command<CascadeArgs>(
      {.name = "wire cascade",
       .summary = "Join a detector and a segmenter of crops into one package.",
       .details =
           "In every frame the detector finds boxes, which are followed over frames; the segmenter "
           "looks at crops round them, and its answers are put back into the frame. 'wire "
           "predict', 'wire eval' and 'wire track' take the package as they take any other. The "
           "rules (thresholds, matching, margins) are kept in it; its threshold and classes are "
           "the segmenter's.",
       .examples =
           {{"voxloom wire train --data sim.jsonl --network detector --crop 0 -o runs/boxes "
             "--metric ap50 --metric-mode max",
             "the detector"},
            {"voxloom wire train --data sim.jsonl --network hessian-net --crops boxes "
             "--crop 224 -o runs/crops --metric dice --metric-mode max",
             "the segmenter"},
            {"voxloom wire cascade --detector runs/boxes/model --segmenter "
             "runs/crops/model -o models/cascade",
             "both in one"}},
       .references = {}},
      run_cascade);
}

}  // namespace voxloom::app
