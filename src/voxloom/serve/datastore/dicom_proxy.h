#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <vector>

#include "voxloom/io/dicomweb_client.h"
#include "voxloom/serve/http/router.h"

namespace voxloom::serve {

struct DicomProxyOptions {
  std::filesystem::path spool;                     ///< For large answers; exists.
  uint64_t spool_above_bytes = uint64_t{1} << 20;  ///< Smaller ones stay in memory.
  uint64_t max_bytes = uint64_t{8} << 30;          ///< Of one answer.
};

/// The routes "GET|POST /proxy/dicom/{path*}": what OHIF reads a DICOMweb server through.
///
/// "wado/...", "qido/..." and "stow/..." go below that service's prefix ("qido/.../metadata" below
/// WADO's), everything else below the base address; nowhere else. The query goes along. Status and
/// headers of the answer are passed on, but for those of the connection, of cookies and log-ins,
/// and of CORS, which is this server's own; the credentials are this server's, the client's stay
/// here. An answer of any size takes little memory: a large one is a temporary file.
[[nodiscard]] std::vector<http::Route> dicom_proxy_routes(
    std::shared_ptr<const io::DicomwebClient> client, DicomProxyOptions options);

}  // namespace voxloom::serve
