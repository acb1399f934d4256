// Watches: who is told of which change. Watchers change the store themselves, so changes wait their turn.
#include <algorithm>
#include <cerrno>

#include "paravirt/xenstore/store.h"
#include "paravirt/xenstore/store_path.h"

namespace ringshift::xen {

int Store::watch(u16 domain, std::string path, std::string token, StoreWatcher& watcher) {
  const bool known = std::any_of(watches_.begin(), watches_.end(), [&](const Watch& watch) {
    return watch.watcher == &watcher && watch.path == path && watch.token == token;
  });
  if (known) return EEXIST;
  watches_.push_back({domain, std::move(path), std::move(token), &watcher});
  return 0;
}

int Store::unwatch(StoreWatcher& watcher, std::string_view path, std::string_view token) {
  const auto count = std::erase_if(watches_, [&](const Watch& watch) {
    return watch.watcher == &watcher && watch.path == path && watch.token == token;
  });
  return count != 0 ? 0 : ENOENT;
}

void Store::unwatch_all(StoreWatcher& watcher) {
  std::erase_if(watches_, [&](const Watch& watch) { return watch.watcher == &watcher; });
}

unsigned Store::watches_of(const StoreWatcher& watcher) const {
  return static_cast<unsigned>(std::count_if(watches_.begin(), watches_.end(),
                                             [&](const Watch& watch) { return watch.watcher == &watcher; }));
}

int Store::done(StoreView& view) {
  if (&view != &view_) return 0;  // a transaction's, told when it is committed
  ++generation_;
  std::move(view_.changes.begin(), view_.changes.end(), std::back_inserter(to_tell_));
  view_.changes.clear();
  fire();
  return 0;
}

void Store::fire() {
  if (firing_) return;
  firing_ = true;
  while (!to_tell_.empty()) {
    const StoreChange change = std::move(to_tell_.front());
    to_tell_.pop_front();
    // Watchers may add and remove watches meanwhile, so it is a copy that is gone through.
    const std::vector<Watch> watches = watches_;
    for (const Watch& watch : watches) {
      const bool concerned =
          change.below_too ? is_within(change.path, watch.path) : change.path == watch.path;
      if (!concerned || (change.permissions.access_of(watch.domain) & kStoreRead) == 0) continue;
      watch.watcher->on_store_change(watch.path, watch.token, change.path);
    }
  }
  firing_ = false;
}

}  // namespace ringshift::xen
