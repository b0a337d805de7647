#include "voxloom/infer/segment_train_options.h"

#include "voxloom/core/error.h"
#include "voxloom/image/window.h"

namespace voxloom::infer {

void ClipOptions::visit(OptionList& list) {
  list.option("--frames", frames, "Neighbouring slices an example holds.").with_range(1, 64);
  list.option("--max-objects",
              max_objects,
              "Objects an example follows, drawn from those on its first slice.")
      .with_range(1, 64);
  list.option("--reverse-share", reverse_share, "Share of the examples that go towards lower z.")
      .with_range(0.0, 1.0);
  list.option("--augment",
              augment,
              "Mirror, turn up to 25 degrees, shear up to 20, change brightness and contrast.");
}

void PromptSimulationOptions::visit(OptionList& list) {
  list.option("--point-share",
              point_share,
              "Share of the examples that begin with a box or click; the others with the mask.")
      .with_range(0.0, 1.0);
  list.option("--box-share", box_share, "Share of those that begin with a box, not one click.")
      .with_range(0.0, 1.0);
  list.option("--box-noise", box_noise, "Largest shift of a box's sides, as a share of its size.")
      .with_range(0.0, 1.0);
  list.option("--box-noise-px", box_noise_px, "The same in pixels of the network's input.")
      .with_range(0.0, 1024.0);
  list.option("--conditioning-frames",
              conditioning_frames,
              "Slices that are prompted at first, at most; always the first one.")
      .with_range(1, 64);
  list.option("--corrected-frames",
              corrected_frames,
              "Slices that get correcting clicks, at most; only after a box or click.")
      .with_range(0, 64);
  list.option("--clicks", clicks, "Correcting clicks on each of them, one after another.")
      .with_range(0, 64);
  list.option("--click-from-truth",
              click_from_truth_share,
              "Share of the correcting clicks that lie anywhere on the object, not on an error.")
      .with_range(0.0, 1.0);
}

// MedSAM2's settings (sam2.1_hiera_tiny_finetune512.yaml); a batch of 8 examples an update.
SegmentTrainOptions::SegmentTrainOptions() {
  trainer.epochs = 75;
  trainer.lr = 5e-5;
  trainer.min_lr_factor = 0.1;
  trainer.weight_decay = 0.1;
  trainer.clip_norm = 0.1;
  trainer.accumulation = 8;
  trainer.amp = Amp::kBf16;
  trainer.seed = 123;
  trainer.metric = "dice";
  trainer.metric_mode = MetricMode::kMax;
}

void SegmentTrainOptions::visit(OptionList& list) {
  list.option("--data",
              data,
              "Labelled volumes: a folder with image/ and label/ of equal file names, a folder of "
              "NPZ files with imgs and gts, a datastore of `serve` (its final labels), or a "
              "manifest.")
      .with_value_name("FOLDER|MANIFEST")
      .as_required();
  list.option("--model", model, "Package whose weights are trained on.")
      .with_value_name("PACKAGE")
      .as_required();
  list.option(
          "--output", run, "Run folder: options, metrics, checkpoints, report, model (also -o).")
      .with_value_name("DIR")
      .as_required();
  list.option("--resume", resume, "Go on with the run in that folder.");
  list.option("--window",
              window,
              "Intensities shown to the model: LO,HI in the file's units, a preset name, or auto.")
      .with_value_name("LO,HI|PRESET|auto");
  list.option("--val-share",
              val_share,
              "Share of the cases for validation, where the manifest gives no roles.")
      .with_range(0.001, 0.999);
  list.option("--clips-per-case", clips_per_case, "Examples drawn from each case in an epoch.")
      .with_range(1, 1e6);
  clip.visit(list);
  prompts.visit(list);
  list.option("--freeze-image-encoder",
              freeze_image_encoder,
              "Leave the image encoder as it is: half the time, and less to forget.");
  list.option("--image-encoder-lr-factor",
              image_encoder_lr_factor,
              "Learning rate of the image encoder, as a share of --lr.")
      .with_range(0.0, 100.0);
  list.option("--layer-decay",
              layer_decay,
              "What a block of the image encoder's trunk multiplies the rate of the one before it "
              "with, 1: nothing.")
      .with_range(0.01, 1.0);
  list.option("--validate-objects",
              validate_objects,
              "Validation objects that are segmented, spread evenly, 0: all.")
      .with_range(0, 1e9);
  list.option("--baseline", baseline, "Validate the package as it is first, to compare with.")
      .as_speed_only();
  list.option("--cache-mb", cache_mb, "Memory for volumes in MB; others are read again.")
      .with_range(1, 1 << 20)
      .as_speed_only();
  list.option("--licence", licence, "Licence of the trained weights, empty: that of --model.");
  trainer.visit(list);
}

void SegmentTrainOptions::validate() const {
  try {
    static_cast<void>(image::parse_window(window));
  } catch (const Error& e) {
    throw e.with_context("--window");
  }
  trainer.validate();
}

}  // namespace voxloom::infer
