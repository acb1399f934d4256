// Boot of a Xen domain.
#include "machine/xen_guest.h"

#include "machine/loaders/input_file.h"

namespace ringshift {

namespace {

Result<std::vector<u8>> read_all(const std::string& path, std::string_view what) {
  const InputFile file = RS_TRY(InputFile::open(path, what));
  constexpr u64 kLargest = u64{1} << 30;
  if (file.size() > kLargest)
    return fail(ErrorKind::input_file, "{} {} is larger than any machine's memory", what, path);
  std::vector<u8> bytes(file.size());
  RS_TRY(file.read(0, bytes));
  return bytes;
}

}  // namespace

XenGuest::XenGuest(const xen::DomainSurroundings& around, std::function<void(u32)> on_service)
    : around_(around), io_(around.clock, std::move(on_service)) {
  // All of it is plain memory: there is no PC's hole for a display.
  around.map.set_kind(0, around.map.memory().size() >> kPageShift, PageKind::ram);
}

Result<void> XenGuest::boot(const MachineConfig& config, i64 utc) {
  const std::vector<u8> kernel = RS_TRY(read_all(config.boot.kernel, "kernel"));
  std::vector<u8> module;
  if (!config.boot.initrd.empty()) module = RS_TRY(read_all(config.boot.initrd, "initrd"));
  devices_.reset();
  domain_.reset();
  constexpr u64 kLeast = u64{4} << 20;
  if (around_.map.memory().size() < kLeast)
    return fail(ErrorKind::usage, "-m: a Xen domain needs at least 4M");
  domain_ = std::make_unique<xen::Domain>(around_);
  const xen::BuiltDomain built = RS_TRY(xen::build_domain(*domain_, {.kernel = kernel,
                                                                     .kernel_name = config.boot.kernel,
                                                                     .module = module,
                                                                     .command_line = config.boot.append,
                                                                     .utc = utc}));
  std::vector<DiskImage> disks;
  for (const XenDisk& disk : config.xen_disks)
    disks.push_back(RS_TRY(DiskImage::open(disk.file, disk.read_only)));
  devices_ = std::make_unique<xen::DomainDevices>(*domain_, built, around_.console, std::move(disks));
  return {};
}

}  // namespace ringshift
