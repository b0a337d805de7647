#include <algorithm>
#include <filesystem>
#include <iterator>

#include "voxloom/core/atomic_file.h"
#include "voxloom/core/error.h"
#include "voxloom/dataset/class_map_json.h"
#include "voxloom/dataset/guard.h"
#include "voxloom/dataset/manifest.h"
#include "voxloom/dataset/picture_export.h"
#include "voxloom/dataset/prepare.h"
#include "voxloom/dataset/readers.h"
#include "voxloom/dataset/sealed.h"

#include "commands.h"

namespace voxloom::app {
namespace {

std::string layout_list() {
  std::string list;
  for (const auto& reader : dataset::dataset_readers()) {
    list += format("\n\n{}: {}. {} (licence: {}).",
                   reader.name,
                   reader.layout,
                   reader.summary,
                   reader.licence);
  }
  return list;
}

struct PrepareArgs {
  std::string data, output, classes;
  std::string layout = "auto";
  double val_share = 0.0, pixel_mm = 0.0;
  int64_t seed = 0;
  bool bright_object = false, background_ignored = false, whole_set = false;
  bool without_sealed = false, train_unassigned = false, incomplete = false;

  void visit(OptionList& list) {
    std::vector<std::string> names{"auto"};
    for (const auto& reader : dataset::dataset_readers()) names.emplace_back(reader.name);
    list.option("--data", data, "Folder of the data set.").with_value_name("FOLDER").as_required();
    list.option("--layout", layout, "How the folder is laid out.").with_choices(names);
    list.option("--output", output, "Manifest to write (also -o).")
        .with_value_name("MANIFEST")
        .as_required();
    list.option(
            "--val-share",
            val_share,
            "Share of the training sequences that become validation; 0: the layout's own parts.")
        .with_range(0, 0.9);
    list.option("--seed", seed, "Seed of the draw of --val-share.").with_range(0, 1e9);
    list.option("--classes",
                classes,
                "Meaning of the mask's ids, such as 0=background,128-255=guidewire; empty: the "
                "layout's, or what the ids say.")
        .with_value_name("ID=CLASS,...");
    list.option("--bright-object",
                bright_object,
                "Objects are brighter than their surroundings (not so in X-ray).");
    list.option("--background-ignored",
                background_ignored,
                "Neither loss nor metric looks at the background: for sets that leave some devices "
                "unannotated, whose objects alone are to teach what is no wire.");
    list.option(
        "--without-sealed",
        without_sealed,
        "Leave sealed samples out of the manifest, as training needs it; they are not read.");
    list.option("--train-unassigned",
                train_unassigned,
                "Samples to which the layout gives no role teach (WEISS T1 to T4 and its phantom, "
                "which come from the scanner of the sealed test: reports must say so).");
    list.option("--whole-set",
                whole_set,
                "Fail unless the folder holds as many frames, sequences and labelled pixels as the "
                "published set; without it, what differs is listed.");
    list.option("--pixel-mm", pixel_mm, "Pixel edge in mm where it is known; 0: unknown.")
        .with_range(0, 100);
    list.option(
        "--incomplete",
        incomplete,
        "Parts of MOSXAV or of the sealed WEISS sequences are meant: without this flag their "
        "number of frames must be the published one.");
  }

  void prepare(Context&) const {
    if (!classes.empty()) static_cast<void>(dataset::parse_class_map(classes));
  }
};

void print_counts(const std::map<dataset::Role, dataset::RoleCounts>& roles, Context& context) {
  auto json = nlohmann::ordered_json::object();
  for (const auto& [role, counts] : roles) {
    auto& entry = json[std::string(dataset::role_name(role))];
    entry["samples"] = counts.samples;
    entry["sequences"] = counts.sequences;
    entry["unannotated"] = counts.unannotated;
    entry["empty_masks"] = counts.empty_masks;
    int64_t total = 0;
    for (const int64_t n : counts.pixels) total += n;
    std::string shares;
    for (size_t value = 0; value < counts.pixels.size(); ++value) {
      if (counts.pixels[value] == 0) continue;
      const auto name = dataset::wire_class_name(static_cast<dataset::WireClass>(value));
      const double share = static_cast<double>(counts.pixels[value]) / static_cast<double>(total);
      entry["pixel_share"][std::string(name)] = share;
      shares += format("  {} {:.2f} %", name, 100.0 * share);
    }
    *context.out << format(
        "{:<10} {:>6} samples, {} sequences, {} empty masks, {} without a mask{}\n",
        dataset::role_name(role),
        counts.samples,
        counts.sequences,
        counts.empty_masks,
        counts.unannotated,
        shares);
  }
  context.result["roles"] = std::move(json);
}

/// Where the folder differs from the published set, and what was left out.
void print_notes(const dataset::Preparation& made, Context& context) {
  context.result["differences"] = made.notes;
  context.result["remarks"] = made.remarks;
  for (const auto& note : made.notes) *context.out << "differs: " << note << "\n";
  for (const auto& remark : made.remarks) *context.out << "note: " << remark << "\n";
}

void check_whole(const dataset::Preparation& made, bool whole_set) {
  if (!whole_set || made.notes.empty()) return;
  std::string list;
  for (const auto& note : made.notes) list += "\n  " + note;
  throw Error(ErrorCode::kDataCorrupt,
              format("data: must be the whole published set (--whole-set), got:{}", list));
}

void seal(dataset::SealedRegister& sealed,
          const std::string& folder,
          const std::vector<dataset::Sample>& samples,
          Context& context) {
  for (const auto& record : sealed.seal(folder, samples)) {
    context.result["sealed_by"].push_back(record.string());
  }
}

int run_prepare(PrepareArgs& args, Context& context) {
  const auto overwrite = context.common.force ? Overwrite::kReplace : Overwrite::kRefuse;
  check_output(args.output, overwrite);
  const auto& reader = dataset::find_reader(args.layout, args.data);
  dataset::Listing listing = reader.list(args.data);
  dataset::SealedRegister sealed;
  if (args.without_sealed) {
    // They stay sealed though nobody reads them here.
    seal(sealed, args.data, listing.samples, context);
    std::vector<bool> open;
    for (const auto& sample : listing.samples)
      open.push_back(sample.role != dataset::Role::kSealed);
    dataset::keep_samples(listing, open);
  }
  for (auto& sample : listing.samples) {
    if (args.train_unassigned && sample.role == dataset::Role::kNone) {
      sample.role = dataset::Role::kTrain;
    }
    if (!args.classes.empty()) sample.classes = dataset::parse_class_map(args.classes);
    if (args.background_ignored) {
      VOXLOOM_CHECK(sample.classes != dataset::empty_class_map(),
                    ErrorCode::kInvalidArgument,
                    "--background-ignored: must come with --classes for the layout '{}'",
                    reader.name);
      sample.classes[0] = static_cast<uint8_t>(dataset::WireClass::kIgnore);
    }
    if (args.bright_object) sample.bright_object = true;
    if (args.pixel_mm > 0.0) sample.pixel_mm = args.pixel_mm;
  }
  if (args.val_share > 0.0) {
    dataset::split_train(listing.samples, args.val_share, static_cast<uint64_t>(args.seed));
  }
  // By place before anything is opened, by hash after that.
  dataset::refuse_violations({.violations = sealed.check(listing.samples), .notes = {}}, "data");
  dataset::PictureExport pictures(args.output, overwrite);
  pictures.write(listing, *context.progress, context.stop);
  auto made = dataset::prepare(std::move(listing), *context.progress, context.stop);
  check_whole(made, args.whole_set);
  auto rules = dataset::check_hold_out(made.samples, dataset::completeness(args.incomplete));
  std::ranges::move(sealed.check(made.samples), std::back_inserter(rules.violations));
  dataset::refuse_violations(rules, "data");
  for (const auto& note : rules.notes) made.remarks.push_back(dataset::finding_text(note));
  pictures.commit(made.samples);
  seal(sealed, args.data, made.samples, context);
  dataset::write_manifest(made.samples, args.output, overwrite);
  context.result["manifest"] = args.output;
  context.result["layout"] = reader.name;
  context.result["fingerprint"] = dataset::read_manifest(args.output).fingerprint;
  print_counts(made.roles, context);
  print_notes(made, context);
  *context.out << args.output << "\n";
  return 0;
}

}  // namespace

Command wire_prepare_command() {
  return make_command<PrepareArgs>(
      {.name = "wire prepare",
       .summary = "Make a manifest of a folder of annotated X-ray images.",
       .details =
           "Reads and hashes every image and mask, prints what there is per role, and lists "
           "everything that is wrong: pairs that miss a partner, masks of another size, ids "
           "without a meaning, roles that break the hold-out rules. Nothing is written then. Paths "
           "in the manifest are relative to it. What a set does not hold as pictures (outlines, "
           "frames in HDF5) is written without loss into a folder beside the manifest: set_files/ "
           "for set.jsonl.\n\n"
           "Samples of role train and finetune teach, val chooses, val_extra is for reports, none "
           "for nothing, sealed is opened by 'wire eval --unseal' alone: where there are any, "
           "files .sealed in the data's folders and the user's register keep every other command "
           "from them, whatever manifest or link leads there. Layouts:" +
           layout_list(),
       .examples = {{"voxloom wire prepare --data rossa -o rossa.jsonl", "the layout is found out"},
                    {"voxloom wire prepare --data mosxav --background-ignored -o mosxav.jsonl",
                     "vessels and catheters without the background, where wires may lie"},
                    {"voxloom wire prepare --data mine --val-share 0.2 -o mine.jsonl",
                     "mine/image and mine/label, every fifth sequence for validation"}},
       .references =
           {"ROSSA: https://github.com/nhjydywd/OCTA-FRNet",
            "CathAction: arXiv 2408.13126; https://github.com/airvlab/cathaction",
            "MOSXAV: https://github.com/xilin-x/MOSXAV",
            "ARCADE: https://zenodo.org/records/10390295",
            "Guide3D: arXiv 2410.22224",
            "WEISS/UCL: Gherardini et al. 2020, Comput Methods Programs Biomed 192:105420",
            "FGA-Net: https://github.com/why-26/Guidewire-Segmentation"}},
      run_prepare);
}

}  // namespace voxloom::app
