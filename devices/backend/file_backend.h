// FileBackend: a serial port's output to a file (file:PATH). Nothing comes in.
#pragma once

#include <string>

#include "base/result.h"
#include "base/unique_fd.h"
#include "devices/backend/char_backend.h"

namespace ringshift {

class FileBackend final : public CharBackend {
 public:
  // Creates or truncates the file; cannot: ErrorKind::usage.
  static Result<FileBackend> create(const std::string& path);

  // A full disk or the like is said once on stderr; later bytes are tried again, so that nothing is lost
  // that there is room for.
  void write(std::span<const u8> bytes) override;

 private:
  FileBackend(UniqueFd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}
  UniqueFd fd_;
  std::string path_;
  bool complained_ = false;
};

}  // namespace ringshift
