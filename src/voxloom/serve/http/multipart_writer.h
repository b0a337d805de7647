#pragma once

#include <string>
#include <string_view>

#include "voxloom/serve/http/message.h"

namespace voxloom::serve::http {

/// `digits` lower-case hex digits from the system's random source.
[[nodiscard]] std::string random_hex(size_t digits);

/// The answer of /infer, in the layout that MITK looks for by literal text: part "params" first,
/// as Python's json.dumps writes it, then part "image" with the file's bytes. The file name is
/// cut to its last part; characters that would end the quotes become '_'.
[[nodiscard]] Response multipart_params_and_file(const Json& params,
                                                 std::string_view file_name,
                                                 std::string_view bytes);
/// The same from a file, which is read while the answer is sent; 404 where it is gone by then.
[[nodiscard]] Response multipart_params_and_file(const Json& params,
                                                 std::string_view file_name,
                                                 const std::filesystem::path& file);
/// The params part alone, for an inference without a mask.
[[nodiscard]] Response multipart_params(const Json& params);

}  // namespace voxloom::serve::http
