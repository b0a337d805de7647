#pragma once

#include <string>

namespace voxloom::jobs {

/// A random UUID (version 4), lower case: "3f2b8c1e-...", 122 bits from the system's generator.
[[nodiscard]] std::string make_uuid();

/// 32 lower-case hexadecimal digits, 128 random bits: a name that nobody else has.
[[nodiscard]] std::string make_token();

}  // namespace voxloom::jobs
