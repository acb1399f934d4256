// Plain system calls, begun again where they were interrupted or did a part only.
#include "devices/backend/disk_image.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "base/check.h"
#include "base/messages.h"

namespace ringshift {

Result<DiskImage> DiskImage::open(const std::string& path, bool read_only) {
  // Not blocking, or a named pipe would be waited for.
  UniqueFd fd(::open(path.c_str(), (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NONBLOCK));
  if (!fd) return fail(ErrorKind::input_file, "cannot open disk {}: {}", path, std::strerror(errno));
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0 || !(S_ISREG(status.st_mode) || S_ISBLK(status.st_mode)))
    return fail(ErrorKind::input_file, "disk {} is neither a file nor a block device", path);
  const off_t size = ::lseek(fd.get(), 0, SEEK_END);
  if (size < static_cast<off_t>(kSector))
    return fail(ErrorKind::input_file, "disk {} has less than a sector of {} bytes", path, kSector);
  if (::flock(fd.get(), (read_only ? LOCK_SH : LOCK_EX) | LOCK_NB) != 0)
    return fail(ErrorKind::input_file, "disk {} is in use by another program ({})", path,
                std::strerror(errno));
  return DiskImage(std::move(fd), path, static_cast<u64>(size) / kSector, read_only);
}

bool DiskImage::complain(const char* doing) {
  if (!complained_) tell("{} disk {}: {}", doing, path_, std::strerror(errno));
  complained_ = true;
  return false;
}

bool DiskImage::read(u64 sector, std::span<u8> bytes) {
  RS_CHECK(bytes.size() % kSector == 0 && contains(sector, bytes.size() / kSector));
  auto at = static_cast<off_t>(sector * kSector);
  while (!bytes.empty()) {
    const ssize_t count = ::pread(fd_.get(), bytes.data(), bytes.size(), at);
    if (count < 0 && errno == EINTR) continue;
    if (count == 0) errno = EIO;  // the file has become shorter
    if (count <= 0) return complain("reading");
    bytes = bytes.subspan(static_cast<std::size_t>(count));
    at += count;
  }
  return true;
}

bool DiskImage::write(u64 sector, std::span<const u8> bytes) {
  RS_CHECK(!read_only_ && bytes.size() % kSector == 0 && contains(sector, bytes.size() / kSector));
  auto at = static_cast<off_t>(sector * kSector);
  while (!bytes.empty()) {
    const ssize_t count = ::pwrite(fd_.get(), bytes.data(), bytes.size(), at);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return complain("writing");
    bytes = bytes.subspan(static_cast<std::size_t>(count));
    at += count;
  }
  return true;
}

bool DiskImage::flush() {
  if (read_only_) return true;
  return ::fdatasync(fd_.get()) == 0 || complain("flushing");
}

bool DiskImage::discard(u64 sector, u64 count) {
  RS_CHECK(!read_only_ && contains(sector, count));
  if (count == 0) return true;
  return ::fallocate(fd_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                     static_cast<off_t>(sector * kSector), static_cast<off_t>(count * kSector)) == 0;
}

}  // namespace ringshift
