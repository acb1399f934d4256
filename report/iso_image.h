// IsoImage: an ISO that boots the guest by multiboot, and the files that Bochs wants beside it.
#pragma once

#include <string>

#include "base/result.h"
#include "base/types.h"
#include "report/mode.h"

namespace ringshift {

// A folder of this process's own, removed with all in it.
class TemporaryFolder {
 public:
  static Result<TemporaryFolder> create();
  TemporaryFolder(TemporaryFolder&& other) noexcept : path_(std::move(other.path_)) { other.path_.clear(); }
  TemporaryFolder& operator=(TemporaryFolder&&) = delete;
  ~TemporaryFolder();
  const std::string& path() const { return path_; }

 private:
  explicit TemporaryFolder(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

// Makes FOLDER/guest.iso by grub-mkrescue.
Result<void> make_iso(const std::string& folder, const Workload& workload);
// Writes FOLDER/bochsrc and what it names; Bochs's arguments. The serial port is descriptor 3.
Result<std::vector<std::string>> write_bochs_files(const std::string& folder, const Workload& workload);
// Instructions that Bochs had executed when the guest halted, from FOLDER/bochs.log; 0: not told.
u64 bochs_ticks(const std::string& folder);

}  // namespace ringshift
