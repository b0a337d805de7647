// segment train: options here, the work in the ML library.
#include "voxloom/infer/ml_library.h"
#include "voxloom/infer/segment_train_options.h"
#include "voxloom/weights/package.h"

#include "commands.h"
#include "training_command.h"

namespace voxloom::app {
namespace {

struct TrainArgs {
  infer::SegmentTrainOptions options;
  void visit(OptionList& list) { options.visit(list); }
  void prepare(Context&) { options.validate(); }
};

int run_train(TrainArgs& args, Context& context) {
  static_cast<void>(weights::find_package(args.options.model));  // said before torch is loaded
  context.result = infer::ml_api().segment_train(args.options,
                                                 command_line("voxloom segment train", context),
                                                 context.common.force,
                                                 *context.progress,
                                                 context.stop);
  if (context.result.contains("baseline")) {
    *context.out << format(
        "{:<18} {:.4f}\n", "dice before", context.result["baseline"]["dice"].get<double>());
  }
  print_training(context);
  return 0;
}

}  // namespace

Command segment_train_command() {
  return make_command<TrainArgs>(
      {.name = "segment train",
       .summary = "Train a model package further on own labelled volumes.",
       .details =
           "MedSAM2's recipe: clips of eight neighbouring slices, prompted by simulated masks, "
           "boxes and correcting clicks, followed through the memory with gradients; focal, Dice, "
           "overlap and presence losses; lower learning rates towards the image. Whole cases are "
           "put aside for validation: each object from its tight box on its largest slice, "
           "followed both ways. The best weights become the package in model/, which `segment` "
           "and `serve` take.\n\n"
           "The run folder has every option (run.yaml), numbers (metrics.jsonl), TensorBoard "
           "events, checkpoints and report.html. Stopped or killed, it goes on with --resume and "
           "ends with the same bytes at the same number of threads. Check every result; not a "
           "medical device.",
       .examples = {{"voxloom segment train --data cases --model medsam2_t512 -o runs/liver",
                     "a folder with cases/image and cases/label"},
                    {"voxloom segment train --data studies --model medsam2_t512 -o runs/mine "
                     "--freeze-image-encoder --epochs 10",
                     "the final labels of a server's datastore, on a CPU"},
                    {"voxloom segment train --data cases --model medsam2_t512 -o runs/liver "
                     "--resume",
                     "go on after a stop, with the same options"}},
       .references = {"Ma et al., MedSAM2, arXiv:2504.03600",
                      "Ravi et al., SAM 2, arXiv:2408.00714"}},
      run_train);
}

}  // namespace voxloom::app
