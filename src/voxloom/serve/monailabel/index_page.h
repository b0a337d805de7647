#pragma once

namespace voxloom::serve {

/// The page at `/`: what this server serves and how to connect to it. Self-contained: it asks
/// /info/ and /openapi.json of its own server and nothing else.
extern const char* const kIndexPage;

}  // namespace voxloom::serve
