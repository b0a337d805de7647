#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "voxloom/dataset/sample.h"

namespace voxloom::dataset {

/// Something that a hold-out rule (R1 to R10, guidewire.md 1.10) forbids or wants to be said.
struct Finding {
  std::string rule;                  ///< "R1"
  std::string found;                 ///< What must hold, and what was found.
  std::vector<std::string> samples;  ///< "dataset:id" of those concerned.
  std::string remedy;                ///< What to do about it.
};

struct GuardReport {
  std::vector<Finding> violations;
  std::vector<Finding> notes;  ///< Allowed, but every report has to say it.
};

/// kWhole: the published numbers of sequences and frames must be there (R2, R3, R4). kParts takes
/// parts of the sets: a difference is then a note.
enum class Completeness { kWhole, kParts };
/// As the flag --incomplete says.
[[nodiscard]] inline Completeness completeness(bool incomplete) {
  return incomplete ? Completeness::kParts : Completeness::kWhole;
}

/// Rules that can be read off the samples: roles of the published sets (R1 to R6), sequences and
/// files in one role only (R7), no background from a sealed sample (R10). Opens no file. Names of
/// data sets are compared without regard to case and punctuation; samples of role none count for
/// R1 to R6 alone, because nothing reads them.
[[nodiscard]] GuardReport check_hold_out(const std::vector<Sample>& samples,
                                         Completeness completeness = Completeness::kWhole);

/// What reports must say about measurements on these samples (the end of 1.10): which sets are
/// sealed, whether frames of published sets are missing, and which classes their labels don't tell
/// apart.
[[nodiscard]] std::vector<std::string> report_notes(const std::vector<Sample>& samples);

/// "R7: <found> (samples a, b and 12 more); <remedy>"
[[nodiscard]] std::string finding_text(const Finding& finding);

/// Throws kInvalidArgument listing the violations, `where` first; logs notes as warnings.
void refuse_violations(const GuardReport& report, std::string_view where);

/// Names a sequence over all data sets. Sets that number their parts separately (MOSXAV's v00 is
/// one video in trainval and another in test) count the subset in, simulations the folder;
/// elsewhere a name is one sequence in whatever subset. Empty where the sample names no sequence.
[[nodiscard]] std::string sequence_key(const Sample& sample);

/// Whether the sample comes from this program's simulator.
[[nodiscard]] bool is_simulated(const Sample& sample);

/// "dataset:id"
[[nodiscard]] std::string sample_name(const Sample& sample);

}  // namespace voxloom::dataset
