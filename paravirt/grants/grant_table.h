// GrantTable: the grant table (version 1) of one Xen domain, and what its back ends reach through it.
//
// The table's frames are shared with the guest, which writes an entry for each page that another domain may
// use. An entry is read anew at each use; a page that stays mapped (MappedGrant) keeps the frame that was
// found first.
#pragma once

#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "paravirt/abi/xen_public.h"
#include "paravirt/domain_memory.h"

namespace ringshift::xen {

class MappedGrant;

class GrantTable {
 public:
  static constexpr u32 kEntriesPerFrame = kPageSize / sizeof(xen32::grant_entry_v1);
  static constexpr u32 kMaxOperations = 1024;  // in one hypercall; Xen would take more, in pieces
  static constexpr u16 kBackendDomain = 0;

  // frames: zeroed frames of the domain for the table; the guest has one at first, and all if it asks.
  GrantTable(DomainMemory& memory, std::vector<Mfn> frames, u16 domain);
  GrantTable(const GrantTable&) = delete;

  // HYPERVISOR_grant_table_op: 0 or a negative error number of Xen's.
  int op(u32 command, Gva arguments, u32 count);

  // For the domain builder: lets domain 0 use a frame, as tools do for the console and xenstore.
  void permit(u32 reference, Mfn frame);

  // For back ends: copies from or to a granted page, at offset; offset + length <= kPageSize. False, and
  // nothing done, if the entry doesn't permit it or the frame isn't the domain's.
  bool read(u32 reference, u32 offset, void* data, u32 length);
  bool write(u32 reference, u32 offset, const void* data, u32 length);
  // Maps a page for reading and writing until the result is destroyed, which must be before this table.
  std::optional<MappedGrant> map(u32 reference);

 private:
  friend class MappedGrant;
  struct Mapping {
    Mfn frame;
    u32 count;
  };

  int set_version(Gva argument);
  int get_version(Gva argument);
  int setup_table(Gva argument, u32 count);
  int query_size(Gva argument, u32 count);
  // Commands with an array of arguments, each of which gets a status of its own.
  template <class Operation>
  int each(Gva arguments, u32 count, i16 (GrantTable::*handler)(const Operation&));
  i16 refuse_map(const xen32::gnttab_map_grant_ref& map);
  i16 refuse_unmap(const xen32::gnttab_unmap_grant_ref& unmap);
  i16 copy(const xen32::gnttab_copy& copy);
  // The frame that one side of a copy names, or a status.
  i16 frame_of_copy(const xen32::gnttab_copy::gnttab_copy_ptr& side, bool granted, bool writable, Mfn& frame);

  bool is_self(u16 domain) const { return domain == DOMID_SELF || domain == domain_; }
  i16 status_of_domain(u16 domain) const;
  bool read_entry(u32 reference, xen32::grant_entry_v1& entry) const;
  void change_flags(u32 reference, u16 clear, u16 set);
  // The frame, if `reference` lets `grantee` use it so.
  std::optional<Mfn> permitted(u32 reference, u16 grantee, bool writable) const;
  void unmap(u32 reference);

  DomainMemory& memory_;
  std::vector<Mfn> frames_;
  u32 active_frames_ = 1;
  u16 domain_;
  std::map<u32, Mapping> mappings_;  // by reference; as many as back ends hold
};

// A granted page that a back end keeps mapped. The guest sees GTF_reading and GTF_writing meanwhile.
class MappedGrant {
 public:
  MappedGrant(MappedGrant&& other) noexcept
      : table_(std::exchange(other.table_, nullptr)), reference_(other.reference_), frame_(other.frame_) {}
  MappedGrant& operator=(MappedGrant&&) = delete;
  ~MappedGrant() {
    if (table_ != nullptr) table_->unmap(reference_);
  }
  Mfn frame() const { return frame_; }

 private:
  friend class GrantTable;
  MappedGrant(GrantTable& table, u32 reference, Mfn frame)
      : table_(&table), reference_(reference), frame_(frame) {}
  GrantTable* table_;
  u32 reference_;
  Mfn frame_;
};

}  // namespace ringshift::xen
