// The index files and the journal of a studies folder: whatever they hold, what is taken from them
// are plain names and relative places, and it can be written and read again.
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "voxloom/core/error.h"
#include "voxloom/serve/datastore/file_name.h"
#include "voxloom/serve/datastore/index_json.h"
#include "voxloom/serve/datastore/info_json.h"
#include "voxloom/serve/datastore/journal.h"

namespace {

using namespace voxloom;
using namespace voxloom::serve;

void must_hold(bool condition) {
  if (!condition) __builtin_trap();
}

void check_images(const std::map<std::string, StoredImage, std::less<>>& images) {
  for (const auto& [id, image] : images) {
    check_name(id, "id");
    must_hold(plain_relative(image.location) == image.location);
    must_hold(image.ext.find('/') == std::string::npos);
    for (const auto& [tag, label] : image.labels) check_name(tag, "tag");
  }
}

void try_index(std::string_view text) {
  IndexDocument document;
  try {
    document = read_index(text);
  } catch (const Error&) {
    return;
  }
  check_images(document.images);
  must_hold(plain_relative(document.labels_dir) == document.labels_dir);
  Json again = document_head(document);
  for (const auto& [id, image] : document.images) {
    append_key(again["objects"], id, state_object(image));
  }
  const auto second = read_index(to_line(again));
  must_hold(second.images == document.images);
}

/// The checksum would keep a fuzzer out, so each line gets the one it should have.
void try_lines(std::string_view text) {
  std::map<std::string, StoredImage, std::less<>> images;
  const auto apply = [&](const Change& change) {
    apply_change(images, change);
    std::size_t seen = 0;
    static_cast<void>(read_journal(journal_line(change), [&](const Change&) { ++seen; }));
    must_hold(seen == 1);
  };
  static_cast<void>(read_journal(text, apply));
  while (!text.empty()) {
    const auto end = text.find('\n');
    const auto line = text.substr(0, end);
    static_cast<void>(read_journal(with_checksum(line), apply));
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try_index(text);
  try_lines(text);
  return 0;
}
