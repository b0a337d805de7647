#include "voxloom/serve/http/url.h"

#include "voxloom/core/format.h"

namespace voxloom::serve::http {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool is_unreserved(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         c == '.' || c == '-' || c == '~';
}

std::string decode_field(std::string_view text) {
  auto decoded = percent_decode(text, Plus::kSpace);
  if (!decoded) throw HttpError(400, "a field may not hold a NUL character");
  return std::move(*decoded);
}

}  // namespace

std::optional<std::string> percent_decode(std::string_view text, Plus plus) {
  std::string decoded;
  decoded.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '+' && plus == Plus::kSpace) {
      c = ' ';
    } else if (c == '%' && i + 2 < text.size()) {
      const int high = hex_digit(text[i + 1]);
      const int low = hex_digit(text[i + 2]);
      if (high >= 0 && low >= 0) {
        c = static_cast<char>(high * 16 + low);
        i += 2;
      }
    }
    if (c == '\0') return std::nullopt;
    decoded += c;
  }
  return decoded;
}

std::string percent_encode(std::string_view text, std::string_view keep) {
  constexpr char kHex[] = "0123456789ABCDEF";
  std::string encoded;
  encoded.reserve(text.size());
  for (const char c : text) {
    if (is_unreserved(c) || keep.find(c) != std::string_view::npos) {
      encoded += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      encoded += '%';
      encoded += kHex[byte >> 4];
      encoded += kHex[byte & 15];
    }
  }
  return encoded;
}

Target split_target(std::string_view target) {
  // The absolute form, which a client sends to what it takes for a proxy.
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!target.starts_with(scheme)) continue;
    const size_t end = target.find_first_of("/?", scheme.size());
    target = end == std::string_view::npos ? "/" : target.substr(end);
    break;
  }
  target = target.substr(0, target.find('#'));
  const size_t question = target.find('?');
  const std::string_view path = target.substr(0, question);
  Target split;
  if (question != std::string_view::npos) split.query = target.substr(question + 1);
  if (path.empty()) {
    if (question != 0) throw HttpError(400, "the request target must begin with '/'");
    split.path = "/";
    return split;
  }
  auto decoded = percent_decode(path, Plus::kLiteral);
  if (!decoded) throw HttpError(400, "the path may not hold a NUL character");
  if (decoded->front() != '/') throw HttpError(400, "the request target must begin with '/'");
  split.path = std::move(*decoded);
  return split;
}

Fields parse_urlencoded(std::string_view text, const FieldLimits& limits) {
  Fields fields;
  while (!text.empty()) {
    const size_t end = text.find('&');
    const std::string_view pair = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    if (pair.empty()) continue;
    if (fields.size() >= limits.max_fields) throw too_many_fields(limits.max_fields);
    const size_t equals = pair.find('=');
    std::string name = decode_field(pair.substr(0, equals));
    std::string value;
    if (equals != std::string_view::npos) value = decode_field(pair.substr(equals + 1));
    if (name.size() > limits.max_field_bytes || value.size() > limits.max_field_bytes) {
      throw HttpError(
          400,
          voxloom::format("Field exceeded maximum size of {}KB.", limits.max_field_bytes / 1024));
    }
    fields.emplace_back(std::move(name), std::move(value));
  }
  return fields;
}

HttpError too_many_fields(size_t limit) {
  return HttpError(400, voxloom::format("Too many fields. Maximum number of fields is {}.", limit));
}

}  // namespace voxloom::serve::http
