// The certificate that a server makes for itself.
#include <cerrno>
#include <cstdio>
#include <memory>
#include <system_error>

#include <fcntl.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>
#include <unistd.h>

#include "voxloom/core/error.h"
#include "voxloom/serve/http/server.h"

namespace voxloom::serve::http {
namespace {

constexpr long kSecondsValid = 10L * 365 * 24 * 3600;

template <auto Free>
struct Deleter {
  template <class T>
  void operator()(T* object) const {
    Free(object);
  }
};
using Key = std::unique_ptr<EVP_PKEY, Deleter<&EVP_PKEY_free>>;
using Cert = std::unique_ptr<X509, Deleter<&X509_free>>;
using Bio = std::unique_ptr<BIO, Deleter<&BIO_free_all>>;
using Extension = std::unique_ptr<X509_EXTENSION, Deleter<&X509_EXTENSION_free>>;
using Number = std::unique_ptr<BIGNUM, Deleter<&BN_free>>;

void check(bool good, std::string_view what) {
  if (good) return;
  const unsigned long code = ERR_get_error();
  char words[256] = "no reason given";
  if (code != 0) ERR_error_string_n(code, words, sizeof(words));
  throw Error(ErrorCode::kUnavailable,
              voxloom::format("tls: {} must succeed, got '{}'", what, words));
}

/// Whether both files are there, belong together and have not expired.
bool still_good(const Certificate& files) {
  const Bio cert_file(BIO_new_file(files.certificate.c_str(), "r"));
  const Bio key_file(BIO_new_file(files.private_key.c_str(), "r"));
  if (!cert_file || !key_file) {
    ERR_clear_error();
    return false;
  }
  const Cert cert(PEM_read_bio_X509(cert_file.get(), nullptr, nullptr, nullptr));
  const Key key(PEM_read_bio_PrivateKey(key_file.get(), nullptr, nullptr, nullptr));
  const bool good = cert && key && X509_check_private_key(cert.get(), key.get()) == 1 &&
                    X509_cmp_current_time(X509_get0_notAfter(cert.get())) > 0;
  ERR_clear_error();
  return good;
}

bool is_address(const std::string& name) {
  ASN1_OCTET_STRING* parsed = a2i_IPADDRESS(name.c_str());
  ASN1_OCTET_STRING_free(parsed);
  ERR_clear_error();
  return parsed != nullptr;
}

void add_extension(X509* cert, int id, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, cert, cert, nullptr, nullptr, 0);
  const Extension extension(X509V3_EXT_conf_nid(nullptr, &context, id, value.c_str()));
  check(extension != nullptr && X509_add_ext(cert, extension.get(), -1) == 1, "an extension");
}

std::string alternative_names(const std::vector<std::string>& host_names) {
  std::string names = "DNS:localhost,IP:127.0.0.1,IP:::1";
  for (const std::string& name : host_names) {
    const bool plain = name.find_first_not_of(
                           "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-:_*") ==
                       std::string::npos;
    VOXLOOM_CHECK(plain && !name.empty(),
                  ErrorCode::kInvalidArgument,
                  "tls: a host name must be letters, digits and dots, got '{}'",
                  name);
    if (name == "localhost" || name == "127.0.0.1" || name == "::1") continue;
    names += (is_address(name) ? ",IP:" : ",DNS:") + name;
  }
  return names;
}

Cert make_certificate(EVP_PKEY* key, const std::vector<std::string>& host_names) {
  Cert cert(X509_new());
  check(cert != nullptr && X509_set_version(cert.get(), 2) == 1, "a new certificate");
  const Number serial(BN_new());
  check(serial != nullptr && BN_rand(serial.get(), 127, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY) == 1 &&
            BN_to_ASN1_INTEGER(serial.get(), X509_get_serialNumber(cert.get())) != nullptr,
        "a serial number");
  // An hour back: clocks of clients differ.
  check(X509_gmtime_adj(X509_getm_notBefore(cert.get()), -3600) != nullptr &&
            X509_gmtime_adj(X509_getm_notAfter(cert.get()), kSecondsValid) != nullptr,
        "the dates");
  X509_NAME* name = X509_get_subject_name(cert.get());
  const std::string common = "Voxloom annotation server";
  check(X509_NAME_add_entry_by_txt(name,
                                   "CN",
                                   MBSTRING_ASC,
                                   reinterpret_cast<const unsigned char*>(common.c_str()),
                                   -1,
                                   -1,
                                   0) == 1 &&
            X509_set_issuer_name(cert.get(), name) == 1 && X509_set_pubkey(cert.get(), key) == 1,
        "the name");
  add_extension(cert.get(), NID_basic_constraints, "critical,CA:FALSE");
  add_extension(cert.get(), NID_key_usage, "critical,digitalSignature");
  add_extension(cert.get(), NID_ext_key_usage, "serverAuth");
  add_extension(cert.get(), NID_subject_key_identifier, "hash");
  add_extension(cert.get(), NID_subject_alt_name, alternative_names(host_names));
  check(X509_sign(cert.get(), key, EVP_sha256()) != 0, "signing");
  return cert;
}

/// Writes text that others may not read, under a temporary name first.
void write_private(const std::filesystem::path& path, std::string_view text) {
  const std::filesystem::path temporary = path.string() + ".new";
  ::unlink(temporary.c_str());
  const int fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  const bool written = fd >= 0 &&
                       ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
                       ::fsync(fd) == 0;
  const int reason = errno;
  if (fd >= 0) ::close(fd);
  VOXLOOM_CHECK(written && ::rename(temporary.c_str(), path.c_str()) == 0,
                ErrorCode::kUnavailable,
                "tls: '{}' must be writeable, got '{}'",
                path.string(),
                std::error_code(reason, std::generic_category()).message());
}

std::string text_of(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return std::string(data, static_cast<size_t>(size));
}

}  // namespace

Certificate self_signed_certificate(const std::filesystem::path& folder,
                                    const std::vector<std::string>& host_names) {
  Certificate files{folder / "server-cert.pem", folder / "server-key.pem"};
  if (still_good(files)) return files;
  std::error_code ec;
  std::filesystem::create_directories(folder, ec);
  const Key key(EVP_EC_gen("P-256"));
  check(key != nullptr, "a new key");
  const Cert cert = make_certificate(key.get(), host_names);
  const Bio key_text(BIO_new(BIO_s_mem())), cert_text(BIO_new(BIO_s_mem()));
  check(PEM_write_bio_PKCS8PrivateKey(
            key_text.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) == 1 &&
            PEM_write_bio_X509(cert_text.get(), cert.get()) == 1,
        "writing PEM");
  write_private(files.private_key, text_of(key_text.get()));
  write_private(files.certificate, text_of(cert_text.get()));
  return files;
}

}  // namespace voxloom::serve::http
