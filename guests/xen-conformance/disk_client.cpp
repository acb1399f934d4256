// What a front end writes where, by the notes in io/blkif.h.
#include "xen-conformance/disk_client.h"

#include "xen-conformance/forge.h"

namespace {
constexpr u32 kPatience = 100000;  // looks at what should change; each yields

u32 join(char* to, const char* a, const char* b) {
  const u32 length = length_of(a);
  memory_copy(to, a, length);
  memory_copy(to + length, b, length_of(b) + 1);
  return length + length_of(b);
}
}  // namespace

DiskClient::DiskClient(const char* device, grant_entry_v1_t* table, u32 first)
    : table_(table), first_(first), ring_(reinterpret_cast<blkif_sring_t*>(xen::take_page())) {
  join(front_, "device/vbd/", device);
  join(back_, store_read(path(front_, "backend"), reply_), "");
}

const char* DiskClient::path(const char* base, const char* key) {
  const u32 length = join(path_, base, "/");
  memory_copy(path_ + length, key, length_of(key) + 1);
  return path_;
}

const char* DiskClient::read_back(const char* key) { return store_read(path(back_, key), reply_); }
bool DiskClient::write_front(const char* key, u32 value) {
  return store_write_number(path(front_, key), value);
}
u32 DiskClient::back_state() { return number_in(read_back("state")); }

void DiskClient::grant(u32 segment, u32 mfn, u32 flags) {
  table_[reference(segment)] = {static_cast<uint16_t>(flags), 0, mfn};
}

u32 DiskClient::enter(u32 state, u32 answer) {
  write_front("state", state);
  u32 now = 0;
  for (u32 i = 0; i < kPatience && (now = back_state()) != state && now != answer; ++i)
    xen::sched_op(SCHEDOP_yield, nullptr);
  return now;
}

u32 DiskClient::connect() {
  memory_set(ring_, 0, xen::kPage);
  ring_->req_event = ring_->rsp_event = 1;
  answered_ = 0;
  table_[first_] = {GTF_permit_access, 0, xen::mfn_of(ring_)};
  evtchn_alloc_unbound_t allocation{DOMID_SELF, 0, 0};
  if (xen::event_channel_op(EVTCHNOP_alloc_unbound, &allocation) != 0) xen::fail("no port");
  port_ = allocation.port;
  write_front("ring-ref", first_);
  write_front("event-channel", port_);
  store_write(path(front_, "protocol"), "x86_32-abi");
  write_front("state", XenbusStateInitialised);
  u32 now = 0;
  for (u32 i = 0; i < kPatience; ++i) {
    now = back_state();
    if (now == XenbusStateConnected || now == XenbusStateClosing) break;
    xen::sched_op(SCHEDOP_yield, nullptr);
  }
  return now;
}

void DiskClient::wake() {
  evtchn_send_t send{port_};
  xen::event_channel_op(EVTCHNOP_send, &send);
}

int DiskClient::ask(u32 operation, u64 sector, u32 segments, u32 first_sector, u32 last_sector) {
  blkif_request_t request{};
  request.operation = static_cast<u8>(operation);
  request.nr_segments = static_cast<u8>(segments);
  request.sector_number = sector;
  for (u32 i = 0; i < BLKIF_MAX_SEGMENTS_PER_REQUEST; ++i)
    request.seg[i] = {reference(i), static_cast<u8>(first_sector), static_cast<u8>(last_sector)};
  return ask(request);
}

int DiskClient::ask(const blkif_request_t& request) {
  constexpr u32 kEntries = 32;
  blkif_request_t& slot = ring_->ring[ring_->req_prod % kEntries].req;
  slot = request;
  slot.id = ++id_;
  asm volatile("" ::: "memory");
  ++ring_->req_prod;
  ring_->rsp_event = answered_ + 1;
  wake();
  for (u32 i = 0; i < kPatience; ++i) {
    asm volatile("" ::: "memory");
    if (ring_->rsp_prod != answered_) {
      const blkif_response_t& response = ring_->ring[answered_++ % kEntries].rsp;
      return response.id == id_ && response.operation == request.operation ? response.status : 2;
    }
    xen::sched_op(SCHEDOP_yield, nullptr);
  }
  return 1;
}
