// Paths of the store: "/local/domain/1/device"; which strings are one, and which lie below which.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

namespace ringshift::xen {

inline constexpr std::size_t kMaxStorePath = 1024;

// An absolute path: components of letters, digits, '-', '_' and '@', none of them empty.
inline bool is_store_path(std::string_view path) {
  if (path.empty() || path[0] != '/' || path.size() > kMaxStorePath) return false;
  if (path == "/") return true;
  if (path.back() == '/' || path.find("//") != std::string_view::npos) return false;
  return std::all_of(path.begin(), path.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '@' || c == '/';
  });
}

// The node itself, or below it.
inline bool is_within(std::string_view path, std::string_view node) {
  if (node == "/") return true;
  return path.starts_with(node) && (path.size() == node.size() || path[node.size()] == '/');
}

// "/" for what stands right below the root. path: not the root.
inline std::string_view parent_path(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == 0 ? path.substr(0, 1) : path.substr(0, slash);
}

// Takes the first component off a path: "/a/b" gives "a" and leaves "/b"; "/" and "" give "".
inline std::string_view take_component(std::string_view& path) {
  path.remove_prefix(std::min<std::size_t>(path.size(), 1));
  const std::string_view first = path.substr(0, path.find('/'));
  path.remove_prefix(first.size());
  return first;
}

}  // namespace ringshift::xen
