// BlockRequests: carries out a guest's block requests on a disk image, page by granted page.
#pragma once

#include "devices/backend/disk_image.h"
#include "paravirt/grants/grant_table.h"

namespace ringshift::xen {

class BlockRequests {
 public:
  BlockRequests(DiskImage disk, GrantTable& grants) : disk_(std::move(disk)), grants_(grants) {}

  // BLKIF_RSP_*. The calling thread, the virtual CPU's, waits for the host's disk meanwhile.
  i16 execute(const xen32::blkif_request& request);
  const DiskImage& disk() const { return disk_; }

 private:
  i16 transfer(const xen32::blkif_request& request);
  i16 discard(const xen32::blkif_request& request);

  DiskImage disk_;
  GrantTable& grants_;
};

}  // namespace ringshift::xen
