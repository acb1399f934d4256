// InputFile: a kernel or initrd on the host, read in parts, with errors that name the file.
#pragma once

#include <span>
#include <string>

#include "base/result.h"
#include "base/types.h"
#include "base/unique_fd.h"

namespace ringshift {

class InputFile {
 public:
  // what: "kernel" or "initrd", for messages. A missing, unreadable or empty file, or a directory, is an
  // input error.
  static Result<InputFile> open(const std::string& path, std::string_view what);

  u64 size() const { return size_; }
  const std::string& path() const { return path_; }
  std::string_view what() const { return what_; }

  // Fills `out` from `offset`; an error if the file ends before.
  Result<void> read(u64 offset, std::span<u8> out) const;
  // Copies [offset, offset + length) to `target` (a memfd) at `at`, inside the kernel: half the time of
  // reading into a fresh mapping of it, which faults at every page.
  Result<void> copy_to(int target, u64 at, u64 offset, u64 length) const;
  // A little-endian value at `offset`.
  template <class T>
  Result<T> value(u64 offset) const {
    T result;
    RS_TRY(read(offset, {reinterpret_cast<u8*>(&result), sizeof result}));
    return result;
  }

 private:
  InputFile(UniqueFd fd, std::string path, std::string_view what, u64 size)
      : fd_(std::move(fd)), path_(std::move(path)), what_(what), size_(size) {}
  Result<void> ended_early(u64 missing) const;
  UniqueFd fd_;
  std::string path_;
  std::string what_;
  u64 size_;
};

}  // namespace ringshift
