// A block front end for test guests (io/blkif.h): one ring page, requests one at a time.
#pragma once

#include "xen-conformance/store_client.h"

#include <xen/io/blkif.h>
#include <xen/io/xenbus.h>

class DiskClient {
 public:
  // device: "51712", xvda. The grant table must be mapped at `table`; entries from `first` on are used.
  DiskClient(const char* device, grant_entry_v1_t* table, u32 first);

  // Offers a ring and an event channel, and waits for the back end's 4, or 5.
  u32 connect();
  // Says that the front end is in this state, and waits for the back end to be in it, or in `answer`.
  u32 enter(u32 state, u32 answer);
  u32 back_state();
  // A node of the back end's, or of the front end's to write.
  const char* read_back(const char* key);
  bool write_front(const char* key, u32 value);

  // BLKIF_RSP_*, or 1 if no answer came. A request's segment i is the page of grant `first` + 1 + i.
  int ask(u32 operation, u64 sector, u32 segments = 1, u32 first_sector = 0, u32 last_sector = 7);
  int ask(const blkif_request_t& request);
  void grant(u32 segment, u32 mfn, u32 flags = GTF_permit_access);
  u32 reference(u32 segment) const { return first_ + 1 + segment; }
  blkif_sring_t& ring() { return *ring_; }
  void wake();

 private:
  const char* path(const char* base, const char* key);

  grant_entry_v1_t* table_;
  u32 first_;
  blkif_sring_t* ring_;
  u32 port_ = 0;
  u32 answered_ = 0;
  u64 id_ = 0;
  char front_[64], back_[128], path_[192];
  StoreReply reply_;
};
