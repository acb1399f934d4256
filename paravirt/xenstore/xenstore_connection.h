// XenstoreConnection: a domain's requests to the store, over its ring page, and the events of its watches.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "paravirt/events/event_channels.h"
#include "paravirt/xenstore/store.h"
#include "paravirt/xenstore/xenstore_ring.h"

namespace ringshift::xen {

class XenstoreConnection final : public EventListener, public StoreWatcher {
 public:
  static constexpr unsigned kMaxWatches = 128;
  static constexpr std::size_t kMaxToken = 1024;
  // A guest that doesn't read its replies isn't served further, and loses events in the end.
  static constexpr std::size_t kQueueToServe = 16 * 1024;
  static constexpr std::size_t kQueueLimit = 1024 * 1024;

  // page: the ring's frame; guest_port: one that waits for a back end.
  XenstoreConnection(DomainMemory& memory, Mfn page, EventChannels& channels, u32 guest_port, Store& store,
                     u16 domain);
  XenstoreConnection(const XenstoreConnection&) = delete;
  ~XenstoreConnection();

  // The guest has written requests or taken replies.
  void on_event() override;
  void on_store_change(const std::string& watched, const std::string& token,
                       const std::string& changed) override;
  // Bytes that wait for room in the ring.
  std::size_t queued() const { return output_.size() - sent_; }

 private:
  struct Reply {
    int error = 0;        // of errno.h
    std::string payload;  // if there is none
  };
  using Strings = std::vector<std::string_view>;

  // Moves bytes; true if any moved. After a mistake that can't be answered the connection is dead.
  bool flush();
  bool take_input();
  void fail(u32 error);

  void handle();
  Reply answer(const xen32::xsd_sockmsg& header, std::string_view payload);
  Reply directory(u32 transaction, const Strings& strings);
  Reply directory_part(u32 transaction, const Strings& strings);
  Reply read(u32 transaction, const Strings& strings);
  Reply write(u32 transaction, std::string_view payload);
  Reply make_directory(u32 transaction, const Strings& strings);
  Reply remove(u32 transaction, const Strings& strings);
  Reply get_permissions(u32 transaction, const Strings& strings);
  Reply set_permissions(u32 transaction, const Strings& strings);
  Reply watch(const Strings& strings);
  Reply unwatch(const Strings& strings);
  Reply reset_watches();
  Reply transaction_start(u32 transaction);
  Reply transaction_end(u32 transaction, const Strings& strings);
  Reply domain_path(const Strings& strings);
  Reply is_introduced(const Strings& strings);

  // A path of the guest's, made absolute; may still be none at all.
  std::string absolute(std::string_view path) const;
  void send(u32 type, u32 request, u32 transaction, std::string_view payload);
  void send_event(std::string_view path, std::string_view token);

  XenstoreRing ring_;
  EventChannels& channels_;
  Store& store_;
  const u16 domain_;
  const std::string home_;  // "/local/domain/1", which relative paths begin at
  u32 port_ = 0;
  bool dead_ = false;
  bool serving_ = false;  // events wait for the reply, which goes out first
  std::vector<u8> input_;
  std::string output_;
  std::size_t sent_ = 0;                                    // of output_
  std::string events_;                                      // to go behind the reply that is being made
  std::set<std::pair<std::string, std::string>> relative_;  // watches given by relative paths
};

}  // namespace ringshift::xen
