// Store: xenstore's tree as domains see it: permissions, quotas, transactions and watches, without the wire.
#pragma once

#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "paravirt/xenstore/node_tree.h"

namespace ringshift::xen {

// Told of changes: a back end, or a domain's connection.
class StoreWatcher {
 public:
  // watched: the path given to watch(); changed: that, or a node below it.
  virtual void on_store_change(const std::string& watched, const std::string& token,
                               const std::string& changed) = 0;

 protected:
  ~StoreWatcher() = default;
};

// What was done to a tree and must be told to watchers when it counts.
struct StoreChange {
  std::string path;
  Permissions permissions;  // whoever could not read the node isn't told
  bool below_too;           // false: only those who watch this very node (it vanished with one above it)
};

// A tree in the making: the store's own while one request runs, or a transaction's.
struct StoreView {
  NodeTree tree;
  std::vector<StoreChange> changes;
};

// All calls answer 0 or an error number of errno.h (its names go over the wire). path: any string.
class Store {
 public:
  // What one domain may use up.
  static constexpr unsigned kMaxNodes = 1000;
  static constexpr std::size_t kMaxValue = 2048;
  static constexpr unsigned kMaxTransactions = 10;
  static constexpr std::size_t kMaxChanges = 1024;  // in one transaction

  // transaction: a number of start(), or 0.
  int read(u16 domain, u32 transaction, std::string_view path, std::string& value);
  int directory(u16 domain, u32 transaction, std::string_view path, std::vector<std::string>& names);
  int write(u16 domain, u32 transaction, std::string_view path, std::string value);
  int make_directory(u16 domain, u32 transaction, std::string_view path);
  int remove(u16 domain, u32 transaction, std::string_view path);
  int get_permissions(u16 domain, u32 transaction, std::string_view path, Permissions& permissions);
  int set_permissions(u16 domain, u32 transaction, std::string_view path, Permissions permissions);

  int start(u16 domain, u32& transaction);
  // EAGAIN: something else has changed since start(), and nothing is done.
  int end(u16 domain, u32 transaction, bool commit);
  void end_all(u16 domain);

  // path: one by is_store_path(). EEXIST and ENOENT by watcher, path and token.
  int watch(u16 domain, std::string path, std::string token, StoreWatcher& watcher);
  int unwatch(StoreWatcher& watcher, std::string_view path, std::string_view token);
  void unwatch_all(StoreWatcher& watcher);
  unsigned watches_of(const StoreWatcher& watcher) const;

  // Grows with every change outside of transactions.
  u64 generation() const { return generation_; }

  // For the builder and back ends, as domain 0.
  void set(std::string_view path, std::string value) { write(kPrivilegedDomain, 0, path, std::move(value)); }
  // "" if there is none.
  std::string get(std::string_view path);

 private:
  struct Transaction {
    u16 domain;
    u64 base;  // generation_ when it began
    StoreView view;
  };
  struct Watch {
    u16 domain;
    std::string path;
    std::string token;
    StoreWatcher* watcher;
  };

  StoreView* view(u16 domain, u32 transaction);
  // The node, if the domain has `access`; else ENOENT, or EACCES if it may not even know that there is none.
  static int find(const StoreView& view, u16 domain, std::string_view path, u8 access,
                  const StoreNode*& node);
  static int create(StoreView& view, u16 domain, std::string_view path);
  // After a change outside of transactions: tells watchers.
  int done(StoreView& view);
  void fire();

  StoreView view_;
  u64 generation_ = 0;
  std::map<u32, Transaction> transactions_;
  u32 last_transaction_ = 0;
  std::vector<Watch> watches_;
  std::deque<StoreChange> to_tell_;
  bool firing_ = false;
};

}  // namespace ringshift::xen
