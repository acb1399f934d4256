// Requests on the tree: what each may do, and what is told of it.
#include "paravirt/xenstore/store.h"

#include <algorithm>
#include <cerrno>

#include "paravirt/xenstore/store_path.h"

namespace ringshift::xen {

StoreView* Store::view(u16 domain, u32 transaction) {
  if (transaction == 0) return &view_;
  const auto found = transactions_.find(transaction);
  return found == transactions_.end() || found->second.domain != domain ? nullptr : &found->second.view;
}

int Store::find(const StoreView& view, u16 domain, std::string_view path, u8 access, const StoreNode*& node) {
  if (!is_store_path(path)) return EINVAL;
  node = view.tree.find(path);
  const StoreNode& asked = node != nullptr ? *node : view.tree.closest(path);
  if ((asked.permissions.access_of(domain) & access) != access) return EACCES;
  return node != nullptr ? 0 : ENOENT;
}

int Store::create(StoreView& view, u16 domain, std::string_view path) {
  if (domain != kPrivilegedDomain && view.tree.foreign_nodes() + view.tree.missing(path) > kMaxNodes)
    return ENOSPC;
  view.tree.create(path, domain, [&](const std::string& created) {
    view.changes.push_back({created, view.tree.find(created)->permissions, true});
  });
  return 0;
}

int Store::read(u16 domain, u32 transaction, std::string_view path, std::string& value) {
  StoreView* const at = view(domain, transaction);
  if (at == nullptr) return ENOENT;
  const StoreNode* node = nullptr;
  if (const int error = find(*at, domain, path, kStoreRead, node); error != 0) return error;
  value = node->value;
  return 0;
}

int Store::directory(u16 domain, u32 transaction, std::string_view path, std::vector<std::string>& names) {
  StoreView* const at = view(domain, transaction);
  if (at == nullptr) return ENOENT;
  const StoreNode* node = nullptr;
  if (const int error = find(*at, domain, path, kStoreRead, node); error != 0) return error;
  for (const auto& child : node->children) names.push_back(child.first);
  return 0;
}

int Store::write(u16 domain, u32 transaction, std::string_view path, std::string value) {
  StoreView* const at = view(domain, transaction);
  if (at == nullptr) return ENOENT;
  if (domain != kPrivilegedDomain && (value.size() > kMaxValue || at->changes.size() >= kMaxChanges))
    return ENOSPC;
  const StoreNode* node = nullptr;
  int error = find(*at, domain, path, kStoreWrite, node);
  if (error == ENOENT)
    error = create(*at, domain, path);
  else if (error == 0)
    at->changes.push_back({std::string(path), node->permissions, true});
  if (error != 0) return error;
  at->tree.set_value(path, std::move(value));
  return done(*at);
}

int Store::make_directory(u16 domain, u32 transaction, std::string_view path) {
  StoreView* const at = view(domain, transaction);
  if (at == nullptr) return ENOENT;
  if (domain != kPrivilegedDomain && at->changes.size() >= kMaxChanges) return ENOSPC;
  const StoreNode* node = nullptr;
  int error = find(*at, domain, path, kStoreWrite, node);
  if (error == 0) return 0;  // there already
  if (error == ENOENT) error = create(*at, domain, path);
  return error != 0 ? error : done(*at);
}

int Store::remove(u16 domain, u32 transaction, std::string_view path) {
  StoreView* const at = view(domain, transaction);
  if (at == nullptr) return ENOENT;
  if (path == "/") return EINVAL;
  if (domain != kPrivilegedDomain && at->changes.size() >= kMaxChanges) return ENOSPC;
  const StoreNode* node = nullptr;
  const int error = find(*at, domain, path, kStoreWrite, node);
  // Removing what isn't there is fine if it could have been.
  if (error == ENOENT) return at->tree.find(parent_path(path)) != nullptr ? 0 : ENOENT;
  if (error != 0) return error;
  at->tree.remove(path, [&](const std::string& removed, const StoreNode& was) {
    at->changes.push_back({removed, was.permissions, removed == path});
  });
  return done(*at);
}

int Store::get_permissions(u16 domain, u32 transaction, std::string_view path, Permissions& permissions) {
  StoreView* const at = view(domain, transaction);
  if (at == nullptr) return ENOENT;
  const StoreNode* node = nullptr;
  if (const int error = find(*at, domain, path, kStoreRead, node); error != 0) return error;
  permissions = node->permissions;
  return 0;
}

int Store::set_permissions(u16 domain, u32 transaction, std::string_view path, Permissions permissions) {
  StoreView* const at = view(domain, transaction);
  if (at == nullptr) return ENOENT;
  const bool privileged = domain == kPrivilegedDomain;
  if (!privileged && (permissions.entries().size() > Permissions::kMax || at->changes.size() >= kMaxChanges))
    return ENOSPC;
  const StoreNode* node = nullptr;
  if (const int error = find(*at, domain, path, kStoreWrite, node); error != 0) return error;
  if (!privileged && node->permissions.owner() != domain) return EACCES;
  if (!privileged && permissions.owner() != domain) return EPERM;
  at->changes.push_back({std::string(path), permissions, true});
  at->tree.set_permissions(path, std::move(permissions));
  return done(*at);
}

std::string Store::get(std::string_view path) {
  std::string value;
  read(kPrivilegedDomain, 0, path, value);
  return value;
}

int Store::start(u16 domain, u32& transaction) {
  const auto theirs = std::count_if(transactions_.begin(), transactions_.end(),
                                    [&](const auto& entry) { return entry.second.domain == domain; });
  if (theirs >= kMaxTransactions) return ENOSPC;
  do {
    ++last_transaction_;
  } while (last_transaction_ == 0 || transactions_.contains(last_transaction_));
  transactions_.emplace(last_transaction_, Transaction{domain, generation_, {view_.tree, {}}});
  transaction = last_transaction_;
  return 0;
}

int Store::end(u16 domain, u32 transaction, bool commit) {
  const auto found = transactions_.find(transaction);
  if (found == transactions_.end() || found->second.domain != domain) return ENOENT;
  Transaction ended = std::move(found->second);
  transactions_.erase(found);
  if (!commit) return 0;
  if (ended.base != generation_) return EAGAIN;
  if (ended.view.changes.empty()) return 0;
  view_ = std::move(ended.view);
  return done(view_);
}

void Store::end_all(u16 domain) {
  std::erase_if(transactions_, [&](const auto& entry) { return entry.second.domain == domain; });
}

}  // namespace ringshift::xen
