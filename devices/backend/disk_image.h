// DiskImage: a disk's sectors in a file of the host's (raw), or a block device of it.
#pragma once

#include <span>
#include <string>

#include "base/result.h"
#include "base/types.h"
#include "base/unique_fd.h"

namespace ringshift {

class DiskImage {
 public:
  static constexpr u32 kSector = 512;

  // The file must be there, with a sector at least, and nobody else may have it open for writing (nor for
  // reading, if it is to be written). A rest that is less than a sector isn't seen.
  static Result<DiskImage> open(const std::string& path, bool read_only);

  const std::string& path() const { return path_; }
  bool read_only() const { return read_only_; }
  u64 sectors() const { return sectors_; }
  // Whole sectors within the disk, which the caller sees to, as to read_only(). They return when it is done,
  // in the calling thread. False: the host could not, which is said once on stderr.
  bool read(u64 sector, std::span<u8> bytes);
  bool write(u64 sector, std::span<const u8> bytes);
  bool flush();
  // Reads as zeros from now on. False also where the file system can't give the room back.
  bool discard(u64 sector, u64 count);
  bool contains(u64 sector, u64 count) const { return sector <= sectors_ && count <= sectors_ - sector; }

 private:
  DiskImage(UniqueFd fd, std::string path, u64 sectors, bool read_only)
      : fd_(std::move(fd)), path_(std::move(path)), sectors_(sectors), read_only_(read_only) {}
  bool complain(const char* doing);

  UniqueFd fd_;
  std::string path_;
  u64 sectors_;
  bool read_only_;
  bool complained_ = false;
};

}  // namespace ringshift
