// Permissions: who may read and write a node of the store. The first entry names the owner and everybody's
// access.
#pragma once

#include <charconv>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/types.h"

namespace ringshift::xen {

inline constexpr u16 kPrivilegedDomain = 0;  // may do everything

inline constexpr u8 kStoreRead = 1;
inline constexpr u8 kStoreWrite = 2;

struct Permission {
  u16 domain = kPrivilegedDomain;
  u8 access = 0;

  bool operator==(const Permission&) const = default;
  // As they are written: a letter (none, read, write, both) and the domain's number.
  std::string text() const { return "nrwb"[access & 3] + std::to_string(domain); }
  static std::optional<Permission> parse(std::string_view text) {
    if (text.size() < 2) return {};
    const std::size_t letter = std::string_view("nrwb").find(text[0]);
    Permission result;
    const char* end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data() + 1, end, result.domain);
    if (letter == std::string_view::npos || error != std::errc() || rest != end) return {};
    result.access = static_cast<u8>(letter);
    return result;
  }
};

class Permissions {
 public:
  static constexpr std::size_t kMax = 5;  // entries that a guest may give a node

  Permissions() : entries_{Permission{}} {}
  // entries: at least one.
  explicit Permissions(std::vector<Permission> entries) : entries_(std::move(entries)) {}

  const std::vector<Permission>& entries() const { return entries_; }
  u16 owner() const { return entries_[0].domain; }
  void set_owner(u16 domain) { entries_[0].domain = domain; }
  u8 access_of(u16 domain) const {
    if (domain == kPrivilegedDomain || domain == owner()) return kStoreRead | kStoreWrite;
    for (std::size_t i = 1; i < entries_.size(); ++i)
      if (entries_[i].domain == domain) return entries_[i].access;
    return entries_[0].access;
  }

 private:
  std::vector<Permission> entries_;
};

}  // namespace ringshift::xen
