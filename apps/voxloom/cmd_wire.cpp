// wire train, eval, predict, track: options here, the work in the ML library.
#include <fstream>
#include <iostream>

#include "voxloom/core/atomic_file.h"
#include "voxloom/core/error.h"
#include "voxloom/infer/ml_library.h"
#include "voxloom/infer/wire_options.h"
#include "voxloom/weights/package.h"

#include "commands.h"
#include "training_command.h"

namespace voxloom::app {
namespace {

using nlohmann::ordered_json;

struct TrainArgs {
  infer::WireTrainOptions options;
  void visit(OptionList& list) { options.visit(list); }
  void prepare(Context&) { options.validate(); }
};

int run_train(TrainArgs& args, Context& context) {
  if (args.options.architecture == "list") {
    context.result["networks"] = infer::ml_api().wire_architectures();
    for (const auto& entry : context.result["networks"]) {
      *context.out << format("{:<14} {}\n{:<14} {}\n",
                             entry["name"].get<std::string>(),
                             entry["summary"].get<std::string>(),
                             "",
                             entry["options"].dump());
    }
    return 0;
  }
  context.result = infer::ml_api().wire_train(args.options,
                                              command_line("voxloom wire train", context),
                                              context.common.force,
                                              *context.progress,
                                              context.stop);
  print_training(context);
  return 0;
}

struct EvalArgs {
  infer::WireEvalOptions options;
  void visit(OptionList& list) { options.visit(list); }
  void prepare(Context& context) {
    options.validate();
    options.force = context.common.force;
  }
};

int run_eval(EvalArgs& args, Context& context) {
  if (args.options.model != infer::WireEvalOptions::kRidgeModel) {
    static_cast<void>(weights::find_package(args.options.model));  // Said before torch is loaded.
  }
  context.result = infer::ml_api().wire_eval(args.options, *context.progress, context.stop);
  for (const auto& [name, values] : context.result["metrics"].items()) {
    if (!values["mean"].is_number()) continue;
    *context.out << format("{:<24} {:.4f}  [{:.4f}, {:.4f}]\n",
                           name,
                           values["mean"].get<double>(),
                           values["ci95"][0].get<double>(),
                           values["ci95"][1].get<double>());
  }
  for (const auto& note : context.result["notes"]) {
    *context.out << "note: " << note.get<std::string>() << "\n";
  }
  *context.out << context.result["report"].get<std::string>() << "\n";
  return 0;
}

struct PredictArgs {
  infer::WirePredictOptions options;
  void visit(OptionList& list) { options.visit(list); }
  void prepare(Context& context) {
    options.validate();
    options.force = context.common.force;
  }
};

int run_predict(PredictArgs& args, Context& context) {
  static_cast<void>(weights::find_package(args.options.model));
  context.result = infer::ml_api().wire_predict(
      args.options,
      [&](const std::string& line) { *context.out << line << "\n"; },
      *context.progress,
      context.stop);
  return 0;
}

struct TrackArgs {
  infer::WireTrackCommand options;
  void visit(OptionList& list) { options.visit(list); }
  void prepare(Context& context) {
    options.validate();
    options.force = context.common.force;
  }
};

int run_track(TrackArgs& args, Context& context) {
  static_cast<void>(weights::find_package(args.options.model));
  const bool to_file = !args.options.results.empty() && args.options.results != "-";
  std::unique_ptr<AtomicFile> file;
  if (to_file) {
    file = std::make_unique<AtomicFile>(
        args.options.results, context.common.force ? Overwrite::kReplace : Overwrite::kRefuse);
  }
  context.result = infer::ml_api().wire_track(
      args.options,
      [&](const std::string& line) {
        if (file) {
          file->write(line + "\n");
        } else {
          // A reader at the other end of a pipe wants each line when it is made.
          *context.out << line << std::endl;
        }
      },
      *context.progress,
      context.stop);
  if (file) {
    file->commit();
    *context.out << args.options.results << "\n";
  }
  return 0;
}

}  // namespace

Command wire_train_command() {
  return make_command<TrainArgs>(
      {.name = "wire train",
       .summary = "Train a network that segments guidewires (or other thin structures).",
       .details =
           "Reads manifests made by 'wire prepare' or 'wire simulate'. The run folder holds "
           "run.yaml "
           "(every option), metrics.jsonl, TensorBoard events, checkpoints, report.html and, in "
           "model/, the package of the best validation.\n\n"
           "A run that was stopped or killed goes on with --resume and gives the same numbers as "
           "one that was not. Ctrl-C writes a checkpoint first.",
       .examples = {{"voxloom wire train --data rossa.jsonl -o runs/rossa --metric dice "
                     "--metric-mode max --augment nnunet --amp bf16",
                     "train and keep the weights of the best validation Dice"},
                    {"voxloom wire train --data rossa.jsonl -o runs/rossa --resume ...",
                     "go on after a stop, with the same options"},
                    {"voxloom wire train --network list --data x -o x", "the networks there are"}},
       .references = {"Shit et al., clDice, CVPR 2021, arXiv:2003.07311"}},
      run_train);
}

Command wire_eval_command() {
  return make_command<EvalArgs>(
      {.name = "wire eval",
       .summary = "Measure a wire network on labelled images.",
       .details =
           "Dice, IoU, precision and recall; surface distances and tolerance F1; clDice with named "
           "skeletons; breaks and Betti errors; with 95 % intervals by bootstrap over sequences. "
           "report.html shows the worst cases; metrics.json has every number of every case.\n\n"
           "Sealed sets (test data that training must never see) need --unseal. Each opening "
           "appends "
           "two lines to unsealed.jsonl beside the manifest, one before the first image is read "
           "and "
           "one with the scores: time, version, sums of weights and manifest.",
       .examples =
           {{"voxloom wire eval --data rossa.jsonl --model runs/rossa/model -o report",
             "the validation images of the manifest"},
            {"voxloom wire eval --data set.jsonl --model hybrid --compare dice-bce -o report",
             "two packages on the same images, paired"}},
       .references = {"Maier-Hein et al., Metrics reloaded, Nature Methods 21, 2024"}},
      run_eval);
}

Command wire_predict_command() {
  return make_command<PredictArgs>(
      {.name = "wire predict",
       .summary = "Segment wires in images: masks, overlays and one JSON line an image.",
       .details =
           "For every image NAME: NAME_mask.png (0 and 255), NAME_overlay.png, and a line on "
           "standard output with the mask as COCO RLE and polygons, box, centre line, tip "
           "and lengths.",
       .examples = {{"voxloom wire predict frame.png --model guidewire -o out", "one image"}},
       .references = {}},
      run_predict);
}

Command wire_track_command() {
  return make_command<TrackArgs>(
      {.name = "wire track",
       .summary = "Follow a guidewire through a video, frame by frame.",
       .details =
           "One JSON line a frame: state (tracking, predicted, lost, with the reason), mask (COCO "
           "RLE), polygons, box, ordered centre line as points and B-spline, tip with confidence, "
           "bridged gaps, lengths and times per stage. What was bridged or predicted is marked as "
           "such and never part of the mask.\n\n"
           "Cameras and network streams are live: the newest frame wins, late ones are dropped. "
           "For research; not for use on patients.",
       .examples = {{"voxloom wire track run.dcm --model guidewire --overlay out.mp4 "
                     "--results out.jsonl",
                     "an XA run of the cath lab"},
                    {"voxloom wire track /dev/video0 --model guidewire", "a frame grabber, live"},
                    {"ffmpeg -i in.mp4 -f rawvideo -pix_fmt gray - | voxloom wire track - --raw "
                     "512x512 --model guidewire",
                     "raw frames from another program"}},
       .references = {}},
      run_track);
}

}  // namespace voxloom::app
