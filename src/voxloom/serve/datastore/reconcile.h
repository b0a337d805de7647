#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "voxloom/serve/datastore/index_json.h"
#include "voxloom/serve/datastore/scan.h"

namespace voxloom::serve {

/// An index made to agree with the files.
struct Reconciled {
  std::vector<ImagePtr> present;  ///< Sorted by id; unchanged entries are the known objects.
  std::vector<ImagePtr> absent;   ///< Known, but the file is gone: they come back with it.
  struct Renamed {
    std::string before, after;  ///< Ids; the label files still have the name before.
  };
  std::vector<Renamed> renamed;
};

/// Files decide what there is; what is known gives info and ids.
///
/// A file at a known place keeps its id. A file elsewhere is a renamed one when exactly one lost
/// image had its inode, size and time. Any other gets the id that its place gives: the file name
/// without its extension, folders before it joined by '_'; "_2", "_3", ... is added when it is
/// taken. A label belongs to the image whose id its file is named after. New entries get
/// {ts, name}. Series in `scan.pending` folders stay as they are.
[[nodiscard]] Reconciled reconcile(const std::vector<ImagePtr>& known,
                                   const Scan& scan,
                                   int64_t now_s);

/// Takes info over from an index that another program wrote: its entries win, except over those
/// that changed here since the last export (`touched`) and are not older, by `info.ts`.
void take_over(std::map<std::string, StoredImage, std::less<>>& images,
               const IndexDocument& foreign,
               const std::set<std::string, std::less<>>& touched);

}  // namespace voxloom::serve
