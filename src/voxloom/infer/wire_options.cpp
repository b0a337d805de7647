#include "voxloom/infer/wire_options.h"

#include <nlohmann/json.hpp>

#include "voxloom/core/error.h"

namespace voxloom::infer {
namespace {

void visit_classes(OptionList& list, std::vector<std::string>& classes) {
  list.option("--class",
              classes,
              "What counts as the object (again for more): guidewire, catheter, device (both), "
              "other_device, vessel. Without it: guidewire and catheter, or vessel where a set has "
              "no device.")
      .with_value_name("CLASS");
}

void visit_augmentation(OptionList& list, TestAugmentation& augmentation) {
  list.choice("--tta",
              augmentation,
              {"none", "mirror", "all"},
              "Average over the image as it is; mirrored too; mirrored and turned (8 times).");
}

void visit_threshold(OptionList& list, double& threshold) {
  list.option("--threshold",
              threshold,
              "Pixels of a higher probability belong to the object, 0: the package's threshold.")
      .with_range(0.0, 1.0);
}

void check_json_object(const std::string& text, const char* flag) {
  const auto json = nlohmann::ordered_json::parse(text, nullptr, false);
  VOXLOOM_CHECK(json.is_object(),
                ErrorCode::kInvalidArgument,
                "{}: must be a JSON object, got '{}'",
                flag,
                text);
}

}  // namespace

void WireTrainOptions::visit(OptionList& list) {
  list.option("--data",
              data,
              "Manifests of `wire prepare` or `wire simulate`; their roles say what trains (train, "
              "finetune) and what validates (val).")
      .with_value_name("MANIFEST")
      .as_required();
  list.option(
          "--output", run, "Run folder: options, metrics, checkpoints, report, model (also -o).")
      .with_value_name("DIR")
      .as_required()
      .as_speed_only();
  list.option("--resume", resume, "Go on with the run in that folder.").as_speed_only();
  list.option("--init", init, "Package whose weights the network starts with, empty: random.")
      .with_value_name("PACKAGE");
  list.option("--network", architecture, "Architecture; `--network list` names them all.")
      .with_value_name("NAME");
  list.option("--network-options", network, "Settings of the architecture, as a JSON object.")
      .with_value_name("JSON");
  visit_classes(list, classes);
  list.choice("--loss",
              loss,
              {"hybrid", "hybrid-cbdice", "skeleton-recall", "dice-bce"},
              "BCE and Dice with clDice late in training, with clDice and cbDice, with skeleton "
              "recall, or alone.");
  list.option("--loss-options", loss_options, "Settings of the loss, as a JSON object.")
      .with_value_name("JSON");
  list.option("--batch", batch, "Images a batch, of all processes together.").with_range(1, 4096);
  list.choice("--crops",
              crops,
              {"random", "boxes"},
              "Crops anywhere in their own size, or round objects' boxes and resized (--crop 224), "
              "for the second network of a cascade.");
  list.option("--crop", crop, "Side of the square training crops in px, 0: whole images.")
      .with_range(0, 8192);
  list.option("--foreground-share",
              foreground_share,
              "Share of a batch whose crop is centred on an object pixel.")
      .with_range(0.0, 1.0);
  list.option("--validate-images",
              validate_images,
              "Validation images looked at, spread evenly, 0: all.")
      .with_range(0, 1e9);
  list.option("--licence", licence, "Licence of the trained weights, for the package.");
  list.option("--incomplete",
              incomplete,
              "Parts of published sets are meant: other numbers of frames are only noted.")
      .as_speed_only();
  list.option("--workers", workers, "Threads that read and augment.")
      .with_range(1, 256)
      .as_speed_only();
  list.option("--cache-mb", cache_mb, "Memory for decoded images in MB; others go to disk.")
      .with_range(0, 1 << 20)
      .as_speed_only();
  augment.visit(list);
  trainer.visit(list);
}

void WireTrainOptions::validate() const {
  check_json_object(network, "--network-options");
  check_json_object(loss_options, "--loss-options");
  augment.validate();
  trainer.validate();
  VOXLOOM_CHECK(!resume || init.empty(),
                ErrorCode::kInvalidArgument,
                "--resume: goes on with the run's own weights and can't be given with --init");
}

void WireEvalOptions::visit(OptionList& list) {
  list.option(
          "--data",
          data,
          "Manifest, or a folder with image/ and label/ of equal file names (labels: 0 and 255).")
      .with_value_name("MANIFEST|FOLDER")
      .as_required();
  list.option("--model",
              model,
              "Name or folder of a model package; or frangi: the ridge filter alone, with the "
              "threshold that suits these images best, to tell how hard a set is.")
      .with_value_name("PACKAGE")
      .as_required();
  list.option("--output", output, "Folder for report.html and metrics.json (also -o).")
      .with_value_name("DIR")
      .as_required();
  list.option("--compare", compare, "Another package: paired differences to it, by sequence.")
      .with_value_name("PACKAGE");
  list.option("--role", role, "Samples of a manifest that are measured.")
      .with_choices({"val", "val_extra", "train", "finetune", "sealed"});
  list.option("--unseal", unseal, "Open a sealed set; noted in an append-only log beside it.");
  visit_classes(list, classes);
  visit_threshold(list, threshold);
  visit_augmentation(list, augmentation);
  list.option("--track",
              track,
              "Measure what the tracker makes of the probabilities: its masks and its tips.");
  list.option("--worst", worst, "Worst cases shown in the report.").with_range(0, 200);
  list.option("--resamples", resamples, "Resamples of the bootstrap intervals (by sequence).")
      .with_range(100, 1e6);
  tracking.visit(list);
  runtime.visit(list);
}

void WireEvalOptions::validate() const {
  tracking.validate();
  runtime.validate();
}

void WirePredictOptions::visit(OptionList& list) {
  list.positional("INPUT", inputs, "Images (PNG, JPEG), folders of them, or manifests.")
      .as_required();
  list.option("--model", model, "Name or folder of a model package.")
      .with_value_name("PACKAGE")
      .as_required();
  list.option("--output", output, "Folder for the masks and pictures (also -o).")
      .with_value_name("DIR")
      .as_required();
  visit_threshold(list, threshold);
  visit_augmentation(list, augmentation);
  list.option("--probabilities", probabilities, "Write probability maps too (PNG of 16 bits).");
  list.option("--overlays", overlays, "Write pictures of the result over the image.");
  runtime.visit(list);
}

void WirePredictOptions::validate() const {
  runtime.validate();
}

void WireTrackCommand::visit(OptionList& list) {
  list.positional("SOURCE",
                  source,
                  "Video file, DICOM XA run, folder of pictures, camera (/dev/video0), rtsp:// "
                  "address, or - for raw grey frames on standard input.")
      .as_required();
  list.option("--model", model, "Name or folder of a model package.")
      .with_value_name("PACKAGE")
      .as_required();
  list.option("--overlay", overlay, "MP4 video of the result over the frames.")
      .with_value_name("FILE");
  list.option("--results", results, "File for one JSON line a frame, empty: standard output.")
      .with_value_name("FILE");
  list.option("--raw", raw, "Size of raw frames.").with_value_name("WIDTHxHEIGHT");
  list.option("--raw-bits", raw_bits, "Bits a pixel of raw frames: 8 or 16 (little-endian).")
      .with_range(8, 16);
  list.option("--fps",
              frames_per_s,
              "Frames a second of raw frames and of the overlay, 0: what the source says, or 15.")
      .with_range(0.0, 1000.0);
  list.option("--frames", frames, "Stop after so many frames, 0: at the end.").with_range(0, 1e12);
  visit_tracking(list);
}

void WireTrackCommand::visit_tracking(OptionList& list) {
  list.option("--pixel-mm",
              pixel_mm,
              "Edge of a pixel in mm where the source does not say, 0: unknown.")
      .with_range(0.0, 100.0);
  list.option("--bright",
              polarity_bright,
              "Objects are brighter than their surroundings (subtracted or inverted display).");
  tracking.visit(list);
  runtime.visit(list);
}

void WireTrackCommand::validate() const {
  tracking.validate();
  runtime.validate();
}

}  // namespace voxloom::infer
