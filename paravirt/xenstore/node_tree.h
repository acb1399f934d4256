// NodeTree: the store's nodes, as a value. Copies share all nodes, and a change copies what lies on its path.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "paravirt/xenstore/permissions.h"

namespace ringshift::xen {

struct StoreNode {
  std::string value;
  Permissions permissions;
  std::map<std::string, std::shared_ptr<StoreNode>, std::less<>> children;
};

class NodeTree {
 public:
  NodeTree() : root_(std::make_shared<StoreNode>()) {}

  // path: one by is_store_path(), here and below.
  const StoreNode* find(std::string_view path) const;
  // The node, or else its closest ancestor that there is.
  const StoreNode& closest(std::string_view path) const;

  // Creates the node and what is missing above it, each with the permissions of the one above; an owner other
  // than domain 0 owns all of them. What was created is told from the top down.
  void create(std::string_view path, u16 owner, const std::function<void(const std::string&)>& created);
  // Of a node that there is.
  void set_value(std::string_view path, std::string value);
  void set_permissions(std::string_view path, Permissions permissions);
  // Removes a node, not the root, and all below it; each is told, with its permissions.
  void remove(std::string_view path,
              const std::function<void(const std::string&, const StoreNode&)>& removed);

  // How many nodes belong to other domains than 0.
  unsigned foreign_nodes() const { return foreign_nodes_; }
  // How many of a path's nodes are missing.
  unsigned missing(std::string_view path) const;

 private:
  const StoreNode& descend(std::string_view& path) const;
  // The node for changing, with all above it made this tree's own.
  StoreNode& own(std::string_view path);
  void tell_removed(const std::string& path, const StoreNode& node,
                    const std::function<void(const std::string&, const StoreNode&)>& removed);

  std::shared_ptr<StoreNode> root_;
  unsigned foreign_nodes_ = 0;
};

}  // namespace ringshift::xen
