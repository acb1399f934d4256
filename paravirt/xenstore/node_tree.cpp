// Walks and changes of the tree. Paths are short (kMaxStorePath), so recursion is.
#include "paravirt/xenstore/node_tree.h"

#include <algorithm>

#include "base/check.h"
#include "paravirt/xenstore/store_path.h"

namespace ringshift::xen {

namespace {
StoreNode* own_copy(std::shared_ptr<StoreNode>& node) {
  if (node.use_count() != 1) node = std::make_shared<StoreNode>(*node);
  return node.get();
}
}  // namespace

// As far down as there are nodes; `path` keeps what is missing.
const StoreNode& NodeTree::descend(std::string_view& path) const {
  const StoreNode* node = root_.get();
  std::string_view rest = path;
  for (std::string_view name = take_component(rest); !name.empty(); name = take_component(rest)) {
    const auto child = node->children.find(name);
    if (child == node->children.end()) break;
    node = child->second.get();
    path = rest;
  }
  if (path == "/") path = {};
  return *node;
}

const StoreNode* NodeTree::find(std::string_view path) const {
  const StoreNode& node = descend(path);
  return path.empty() ? &node : nullptr;
}

const StoreNode& NodeTree::closest(std::string_view path) const { return descend(path); }

unsigned NodeTree::missing(std::string_view path) const {
  descend(path);
  return static_cast<unsigned>(std::count(path.begin(), path.end(), '/'));
}

StoreNode& NodeTree::own(std::string_view path) {
  StoreNode* node = own_copy(root_);
  for (std::string_view name = take_component(path); !name.empty(); name = take_component(path)) {
    const auto child = node->children.find(name);
    RS_CHECK(child != node->children.end());
    node = own_copy(child->second);
  }
  return *node;
}

void NodeTree::create(std::string_view path, u16 owner,
                      const std::function<void(const std::string&)>& created) {
  std::string_view rest = path;
  StoreNode* node = own_copy(root_);
  for (std::string_view name = take_component(rest); !name.empty(); name = take_component(rest)) {
    auto child = node->children.find(name);
    if (child == node->children.end()) {
      auto fresh = std::make_shared<StoreNode>();
      fresh->permissions = node->permissions;
      if (owner != kPrivilegedDomain) fresh->permissions.set_owner(owner);
      foreign_nodes_ += fresh->permissions.owner() != kPrivilegedDomain ? 1 : 0;
      child = node->children.emplace(name, std::move(fresh)).first;
      created(std::string(path.substr(0, path.size() - rest.size())));
    }
    node = own_copy(child->second);
  }
}

void NodeTree::set_value(std::string_view path, std::string value) { own(path).value = std::move(value); }

void NodeTree::set_permissions(std::string_view path, Permissions permissions) {
  StoreNode& node = own(path);
  foreign_nodes_ -= node.permissions.owner() != kPrivilegedDomain ? 1 : 0;
  foreign_nodes_ += permissions.owner() != kPrivilegedDomain ? 1 : 0;
  node.permissions = std::move(permissions);
}

void NodeTree::tell_removed(const std::string& path, const StoreNode& node,
                            const std::function<void(const std::string&, const StoreNode&)>& removed) {
  foreign_nodes_ -= node.permissions.owner() != kPrivilegedDomain ? 1 : 0;
  removed(path, node);
  for (const auto& [name, child] : node.children) tell_removed(path + "/" + name, *child, removed);
}

void NodeTree::remove(std::string_view path,
                      const std::function<void(const std::string&, const StoreNode&)>& removed) {
  StoreNode& parent = own(parent_path(path));
  const auto child = parent.children.find(path.substr(path.rfind('/') + 1));
  RS_CHECK(child != parent.children.end());
  const std::shared_ptr<StoreNode> node = std::move(child->second);
  parent.children.erase(child);
  tell_removed(std::string(path), *node, removed);
}

}  // namespace ringshift::xen
