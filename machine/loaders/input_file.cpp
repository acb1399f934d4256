// Reading of kernels and initrds.
#include "machine/loaders/input_file.h"

#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace ringshift {

Result<InputFile> InputFile::open(const std::string& path, std::string_view what) {
  // O_NONBLOCK: a FIFO given by mistake must not hang the program before the type check.
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd) return fail(ErrorKind::input_file, "cannot open {} {}: {}", what, path, std::strerror(errno));
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0)
    return fail(ErrorKind::input_file, "cannot read {} {}: {}", what, path, std::strerror(errno));
  if (!S_ISREG(info.st_mode)) return fail(ErrorKind::input_file, "{} {} is not a regular file", what, path);
  if (info.st_size == 0) return fail(ErrorKind::input_file, "{} {} is empty", what, path);
  return InputFile(std::move(fd), path, what, static_cast<u64>(info.st_size));
}

Result<void> InputFile::read(u64 offset, std::span<u8> out) const {
  u64 done = 0;
  while (done < out.size()) {
    const ssize_t got =
        ::pread(fd_.get(), out.data() + done, out.size() - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0)
      return fail(ErrorKind::input_file, "cannot read {} {}: {}", what_, path_, std::strerror(errno));
    if (got == 0) return ended_early(out.size() - done);
    done += static_cast<u64>(got);
  }
  return {};
}

Result<void> InputFile::copy_to(int target, u64 at, u64 offset, u64 length) const {
  off_t from = static_cast<off_t>(offset);
  const off_t end = from + static_cast<off_t>(length);
  if (::lseek(target, static_cast<off_t>(at), SEEK_SET) < 0)
    return fail(ErrorKind::internal, "cannot write guest RAM: {}", std::strerror(errno));
  while (from < end) {
    const ssize_t got = ::sendfile(target, fd_.get(), &from, static_cast<std::size_t>(end - from));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0)
      return fail(ErrorKind::input_file, "cannot read {} {}: {}", what_, path_, std::strerror(errno));
    if (got == 0) return ended_early(static_cast<u64>(end - from));
  }
  return {};
}

Result<void> InputFile::ended_early(u64 missing) const {
  return fail(ErrorKind::input_file, "{} {} is truncated: it ends at {} bytes, and {} more are needed", what_,
              path_, size_, missing);
}

}  // namespace ringshift
