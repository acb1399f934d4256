// The indices that count are the back end's own; the guest's are compared with them and never believed.
#include "paravirt/block/block_ring.h"

#include <cstddef>
#include <cstring>

namespace ringshift::xen {

namespace {
std::size_t entry(u32 index) {
  return offsetof(BlockRing::Page, ring) + index % BlockRing::kEntries * sizeof(xen32::blkif_sring_entry);
}
}  // namespace

bool BlockRing::attach() {
  u32 produced = 0;
  u32 requested = 0;
  if (!page_.read(offsetof(Page, rsp_prod), produced) || !page_.read(offsetof(Page, req_prod), requested))
    return false;
  taken_ = answered_ = published_ = produced;
  return requested - produced <= kEntries;
}

BlockRing::Next BlockRing::next(xen32::blkif_request& request) {
  u32 produced = 0;
  if (!page_.read(offsetof(Page, req_prod), produced)) return Next::broken;
  // Each request takes an entry until it is answered.
  if (produced - answered_ > kEntries || produced - taken_ > kEntries) return Next::broken;
  if (produced == taken_) return Next::none;
  if (!page_.read(entry(taken_), request)) return Next::broken;
  ++taken_;
  return Next::request;
}

bool BlockRing::respond(const xen32::blkif_request& request, i16 status) {
  xen32::blkif_response response;
  std::memset(&response, 0, sizeof response);  // its padding too: the guest reads all of it
  response.id = request.id;
  response.operation = request.operation;
  response.status = status;
  return page_.write(entry(answered_++), response);
}

bool BlockRing::publish(bool& notify) {
  notify = false;
  if (answered_ == published_) return true;
  u32 wanted = 0;
  if (!page_.write(offsetof(Page, rsp_prod), answered_) || !page_.read(offsetof(Page, rsp_event), wanted))
    return false;
  notify = answered_ - wanted < answered_ - published_;
  published_ = answered_;
  return true;
}

bool BlockRing::ask_for_event() { return page_.write(offsetof(Page, req_event), taken_ + 1); }

}  // namespace ringshift::xen
