// Every number in a request is checked before the first sector moves.
#include "paravirt/block/block_requests.h"

#include <array>
#include <cstring>

namespace ringshift::xen {

namespace {
constexpr u32 kSectorsPerPage = kPageSize / DiskImage::kSector;

u32 sectors_of(const xen32::blkif_request_segment& segment) {
  return u32{segment.last_sect} - segment.first_sect + 1;
}
}  // namespace

i16 BlockRequests::execute(const xen32::blkif_request& request) {
  switch (request.operation) {
    case BLKIF_OP_READ:
    case BLKIF_OP_WRITE:
      return transfer(request);
    case BLKIF_OP_FLUSH_DISKCACHE:
      return disk_.flush() ? BLKIF_RSP_OKAY : BLKIF_RSP_ERROR;
    case BLKIF_OP_DISCARD:
      return discard(request);
    default:  // barriers and indirect segments aren't offered
      return BLKIF_RSP_EOPNOTSUPP;
  }
}

i16 BlockRequests::transfer(const xen32::blkif_request& request) {
  const bool is_write = request.operation == BLKIF_OP_WRITE;
  if (is_write && disk_.read_only()) return BLKIF_RSP_ERROR;
  if (request.nr_segments == 0 || request.nr_segments > BLKIF_MAX_SEGMENTS_PER_REQUEST)
    return BLKIF_RSP_ERROR;
  const std::span segments(request.seg, request.nr_segments);
  u64 total = 0;
  for (const auto& segment : segments) {
    if (segment.first_sect > segment.last_sect || segment.last_sect >= kSectorsPerPage)
      return BLKIF_RSP_ERROR;
    total += sectors_of(segment);
  }
  u64 sector = request.sector_number;
  if (!disk_.contains(sector, total)) return BLKIF_RSP_ERROR;
  std::array<u8, kPageSize> page;
  for (const auto& segment : segments) {
    const std::span bytes(page.data(), sectors_of(segment) * DiskImage::kSector);
    const u32 offset = segment.first_sect * DiskImage::kSector;
    const auto length = static_cast<u32>(bytes.size());
    const bool good =
        is_write ? grants_.read(segment.gref, offset, bytes.data(), length) && disk_.write(sector, bytes)
                 : disk_.read(sector, bytes) && grants_.write(segment.gref, offset, bytes.data(), length);
    if (!good) return BLKIF_RSP_ERROR;
    sector += sectors_of(segment);
  }
  return BLKIF_RSP_OKAY;
}

i16 BlockRequests::discard(const xen32::blkif_request& request) {
  xen32::blkif_request_discard range;
  static_assert(sizeof range <= sizeof request);
  std::memcpy(&range, &request, sizeof range);
  if (disk_.read_only() || !disk_.contains(range.sector_number, range.nr_sectors)) return BLKIF_RSP_ERROR;
  if ((range.flag & BLKIF_DISCARD_SECURE) != 0) return BLKIF_RSP_EOPNOTSUPP;
  return disk_.discard(range.sector_number, range.nr_sectors) ? BLKIF_RSP_OKAY : BLKIF_RSP_EOPNOTSUPP;
}

}  // namespace ringshift::xen
