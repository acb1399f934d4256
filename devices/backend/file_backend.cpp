// FileBackend: a serial port's output to a file.
#include "devices/backend/file_backend.h"

#include <fcntl.h>
#include <fmt/core.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "base/messages.h"

namespace ringshift {

Result<FileBackend> FileBackend::create(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
  if (!fd) return fail(ErrorKind::usage, "cannot write to '{}': {}", path, std::strerror(errno));
  return FileBackend(std::move(fd), path);
}

void FileBackend::write(std::span<const u8> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd_.get(), bytes.data(), bytes.size());
    if (written > 0) {
      bytes = bytes.subspan(static_cast<std::size_t>(written));
      continue;
    }
    if (written < 0 && errno == EINTR) continue;
    if (!complained_) {
      complained_ = true;
      tell("cannot write to '{}': {}; output is lost", path_, std::strerror(written == 0 ? ENOSPC : errno));
    }
    return;
  }
}

}  // namespace ringshift
