// A guest's block front end for tests, and a disk in a temporary file.
#pragma once

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <memory>

#include "paravirt/block/block_backend.h"
#include "paravirt/test_domain.h"

namespace ringshift::xen::test {

struct DiskFile {
  static constexpr u64 kSectors = 64;
  // Each sector begins with its number, and is filled with it.
  explicit DiskFile(u64 count = kSectors) {
    char name[] = "/tmp/ringshift-disk-XXXXXX";
    UniqueFd fd(::mkstemp(name));
    path = name;
    for (u64 i = 0; i < count; ++i) {
      const std::vector<u8> sector(512, static_cast<u8>(i));
      EXPECT_EQ(::pwrite(fd.get(), sector.data(), 512, static_cast<off_t>(i * 512)), 512);
    }
  }
  ~DiskFile() { ::unlink(path.c_str()); }
  DiskImage open(bool read_only = false) const {
    auto image = DiskImage::open(path, read_only);
    EXPECT_TRUE(image) << image.error().message;
    return std::move(*image);
  }
  std::vector<u8> sector(u64 number) const {
    std::vector<u8> bytes(512);
    UniqueFd fd(::open(path.c_str(), O_RDONLY));
    EXPECT_EQ(::pread(fd.get(), bytes.data(), 512, static_cast<off_t>(number * 512)), 512);
    return bytes;
  }
  std::string path;
};

// Frame 0 is shared_info, 1 the grant table, 2 the ring, 4 and on are data; reference 8 + n grants frame n.
struct BlockRig {
  static constexpr Mfn kTable = FakeDomain::kFirst + 1;
  static constexpr Mfn kRing = FakeDomain::kFirst + 2;
  static constexpr Mfn kData = FakeDomain::kFirst + 4;
  static constexpr u32 kRingReference = 8 + 2;
  static constexpr u32 kDataReference = 8 + 4;

  explicit BlockRig(bool read_only = false)
      : backend(events.domain, events.channels, grants, store, FakeDomain::kDomain, 0, file.open(read_only)) {
    for (u32 i = 2; i < FakeDomain::kFrames; ++i)
      entry(8 + i) = {GTF_permit_access, 0, FakeDomain::kFirst + i};
    clear_ring();
  }

  EventRig events;
  GrantTable grants{events.domain, {kTable}, FakeDomain::kDomain};
  Store store;
  DiskFile file;
  BlockBackend backend;
  const std::string front = "/local/domain/1/device/vbd/51712";
  const std::string back = "/local/domain/0/backend/vbd/1/51712";
  xen32::blkif_sring& ring = events.domain.as<xen32::blkif_sring>(kRing);
  u32 port = 0;
  u32 answers_taken = 0;
  u64 last_id = 100;

  xen32::grant_entry_v1& entry(u32 reference) {
    return (&events.domain.as<xen32::grant_entry_v1>(kTable))[reference];
  }
  void clear_ring() {
    std::memset(&ring, 0, kPageSize);
    ring.req_event = ring.rsp_event = 1;
    answers_taken = 0;
  }
  // As the guest writes.
  void put(const std::string& key, const std::string& value) {
    EXPECT_EQ(store.write(FakeDomain::kDomain, 0, front + "/" + key, value), 0) << key;
  }
  std::string get(const std::string& key) {
    std::string value;
    EXPECT_EQ(store.read(FakeDomain::kDomain, 0, back + "/" + key, value), 0) << key;
    return value;
  }
  std::string state() { return get("state"); }
  void connect() {
    port = events.alloc_unbound(0);
    put("ring-ref", std::to_string(kRingReference));
    put("event-channel", std::to_string(port));
    put("protocol", XEN_IO_PROTO_ABI_X86_32);
    put("state", "3");
  }

  static xen32::blkif_request_segment segment(u32 reference, u8 first, u8 last) {
    return {reference, first, last};
  }
  void push(const xen32::blkif_request& request) {
    const u32 at = ring.req_prod % BlockRing::kEntries;
    std::memcpy(events.domain.page(kRing) + 64 + at * 108, &request, sizeof request);
    ++ring.req_prod;
  }
  // One request and its answer's status.
  i16 ask(u8 operation, u64 sector, std::vector<xen32::blkif_request_segment> segments) {
    xen32::blkif_request request{};
    request.operation = operation;
    request.nr_segments = static_cast<u8>(segments.size());
    request.id = ++last_id;
    request.sector_number = sector;
    std::copy(segments.begin(), segments.end(), request.seg);
    return ask(request);
  }
  i16 ask(const xen32::blkif_request& request) {
    push(request);
    ring.rsp_event = answers_taken + 1;
    EXPECT_EQ(events.send(port), 0);
    EXPECT_EQ(ring.rsp_prod, answers_taken + 1);
    EXPECT_TRUE(events.take(port));
    xen32::blkif_response response{};
    std::memcpy(&response, events.domain.page(kRing) + 64 + answers_taken++ % BlockRing::kEntries * 108,
                sizeof response);
    EXPECT_EQ(u64{response.id}, u64{request.id});  // packed fields don't bind
    EXPECT_EQ(response.operation, request.operation);
    return response.status;
  }
  u8* data(u32 page = 0) { return events.domain.page(kData + page); }
};

}  // namespace ringshift::xen::test
