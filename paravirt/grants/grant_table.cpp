// Entries: who may use which frame, and the flags of pages that stay mapped.
#include "paravirt/grants/grant_table.h"

#include <algorithm>
#include <cstddef>

#include "base/check.h"

namespace ringshift::xen {

using xen32::grant_entry_v1;

GrantTable::GrantTable(DomainMemory& memory, std::vector<Mfn> frames, u16 domain)
    : memory_(memory), frames_(std::move(frames)), domain_(domain) {
  RS_CHECK(!frames_.empty() && domain != kBackendDomain);
}

void GrantTable::permit(u32 reference, Mfn frame) {
  RS_CHECK(reference < kEntriesPerFrame);
  const grant_entry_v1 entry{GTF_permit_access, kBackendDomain, frame};
  memory_.write_frame(frames_[0], reference * u32{sizeof entry}, &entry, sizeof entry);
}

bool GrantTable::read_entry(u32 reference, grant_entry_v1& entry) const {
  const u32 frame = reference / kEntriesPerFrame;
  return frame < active_frames_ &&
         memory_.read_frame(frames_[frame], reference % kEntriesPerFrame * u32{sizeof entry}, &entry,
                            sizeof entry);
}

void GrantTable::change_flags(u32 reference, u16 clear, u16 set) {
  grant_entry_v1 entry;
  if (!read_entry(reference, entry)) return;
  const auto flags = static_cast<u16>((entry.flags & ~clear) | set);
  const u32 at = reference % kEntriesPerFrame * u32{sizeof entry} + u32{offsetof(grant_entry_v1, flags)};
  memory_.write_frame(frames_[reference / kEntriesPerFrame], at, &flags, sizeof flags);
}

std::optional<Mfn> GrantTable::permitted(u32 reference, u16 grantee, bool writable) const {
  grant_entry_v1 entry;
  if (!read_entry(reference, entry)) return {};
  // No transfers, and neither transitive grants nor parts of pages, which version 1 doesn't have.
  if ((entry.flags & (GTF_type_mask | GTF_sub_page)) != GTF_permit_access) return {};
  if (entry.domid != grantee && !(is_self(grantee) && is_self(entry.domid))) return {};
  if (writable && (entry.flags & GTF_readonly) != 0) return {};
  return entry.frame;
}

bool GrantTable::read(u32 reference, u32 offset, void* data, u32 length) {
  const std::optional<Mfn> frame = permitted(reference, kBackendDomain, false);
  return frame && memory_.read_frame(*frame, offset, data, length);
}

bool GrantTable::write(u32 reference, u32 offset, const void* data, u32 length) {
  const std::optional<Mfn> frame = permitted(reference, kBackendDomain, true);
  return frame && memory_.write_frame(*frame, offset, data, length);
}

std::optional<MappedGrant> GrantTable::map(u32 reference) {
  if (const auto found = mappings_.find(reference); found != mappings_.end()) {
    ++found->second.count;
    return MappedGrant(*this, reference, found->second.frame);
  }
  const std::optional<Mfn> frame = permitted(reference, kBackendDomain, true);
  // Must be a page that can be written now. It is looked at again at each access.
  u8 byte = 0;
  if (!frame || !memory_.read_frame(*frame, 0, &byte, 1) || !memory_.write_frame(*frame, 0, &byte, 1))
    return {};
  change_flags(reference, 0, GTF_reading | GTF_writing);
  mappings_.emplace(reference, Mapping{*frame, 1});
  return MappedGrant(*this, reference, *frame);
}

void GrantTable::unmap(u32 reference) {
  const auto found = mappings_.find(reference);
  RS_CHECK(found != mappings_.end());
  if (--found->second.count != 0) return;
  mappings_.erase(found);
  change_flags(reference, GTF_reading | GTF_writing, 0);
}

}  // namespace ringshift::xen
