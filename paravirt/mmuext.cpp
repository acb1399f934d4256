// HYPERVISOR_mmuext_op: pins, the base of the page tables, flushes, the LDT.
#include "paravirt/domain.h"

namespace ringshift::xen {

namespace {

using Operation = xen32::mmuext_op_32;

constexpr u32 kPreempted = 1u << 31;

// A frame of the domain's that may be written to now.
int with_writable(Domain& domain, u32 mfn, const u8* contents) {
  if (!domain.tables.get(mfn, FrameType::writable)) return -XEN_EINVAL;
  if (contents == nullptr)
    domain.memory.clear(mfn);
  else
    domain.memory.write(mfn, 0, contents, kPageSize);
  domain.tables.put(mfn);
  return 0;
}

int copy_page(Domain& domain, const Operation& op) {
  if (!domain.frames.is_domains(op.arg2.src_mfn)) return -XEN_EINVAL;
  if (op.arg2.src_mfn == op.arg1.mfn) return domain.frames.is_domains(op.arg1.mfn) ? 0 : -XEN_EINVAL;
  return with_writable(domain, op.arg1.mfn, domain.memory.frame(op.arg2.src_mfn));
}

int one_operation(Domain& domain, const Operation& op) {
  switch (op.cmd) {
    case MMUEXT_PIN_L1_TABLE:
      return domain.tables.pin(op.arg1.mfn, FrameType::l1);
    case MMUEXT_PIN_L2_TABLE:
      return domain.tables.pin(op.arg1.mfn, FrameType::l2);
    case MMUEXT_PIN_L3_TABLE:
      return domain.tables.pin(op.arg1.mfn, FrameType::l3);
    case MMUEXT_UNPIN_TABLE:
      return domain.tables.unpin(op.arg1.mfn);
    case MMUEXT_NEW_BASEPTR:
      return domain.address_space.switch_to(op.arg1.mfn);
    case MMUEXT_TLB_FLUSH_LOCAL:
    case MMUEXT_TLB_FLUSH_MULTI:
    case MMUEXT_TLB_FLUSH_ALL:
      domain.address_space.flush();
      return 0;
    case MMUEXT_INVLPG_LOCAL:
    case MMUEXT_INVLPG_MULTI:
    case MMUEXT_INVLPG_ALL:
      domain.cpu.flush_page(op.arg1.linear_addr);
      return 0;
    case MMUEXT_SET_LDT:
      return domain.descriptors.set_ldt(op.arg1.linear_addr, op.arg2.nr_ents);
    case MMUEXT_CLEAR_PAGE:
      return with_writable(domain, op.arg1.mfn, nullptr);
    case MMUEXT_COPY_PAGE:
      return copy_page(domain, op);
    case MMUEXT_PIN_L4_TABLE:
    case MMUEXT_FLUSH_CACHE:  // of domains with devices alone
    case MMUEXT_FLUSH_CACHE_GLOBAL:
      return -XEN_EINVAL;
    default:
      return -XEN_ENOSYS;
  }
}

// (list, count, done, foreign domain)
i32 mmuext_op(Domain& domain, const HypercallArguments& arguments) {
  const Gva list = arguments[0];
  u32 count = arguments[1];
  const Gva done_at = arguments[2];
  if (const int error = check_foreign_domain(arguments[3])) return error;
  u32 done = 0;
  if ((count & kPreempted) != 0) {
    count &= ~kPreempted;
    if (done_at != 0) domain.copy_from_guest(done, done_at);
  }
  i32 result = 0;
  u32 i = 0;
  for (; i < count; ++i) {
    if (i != 0 && domain.should_pause()) {
      domain.continuation = {list + i * static_cast<u32>(sizeof(Operation)), (count - i) | kPreempted,
                             done_at};
      break;
    }
    Operation op{};
    const u64 at = list + u64{i} * sizeof op;
    if (at >= kHypervisorStart || !domain.copy_from_guest(op, static_cast<Gva>(at)))
      result = -XEN_EFAULT;
    else
      result = one_operation(domain, op);
    if (result != 0) break;
  }
  done += i;
  if (done_at != 0 && !domain.copy_to_guest(done_at, done)) result = result != 0 ? result : -XEN_EFAULT;
  return result;
}

}  // namespace

void register_mmuext(Domain& domain) { domain.add_hypercall(__HYPERVISOR_mmuext_op, "mmuext_op", mmuext_op); }

}  // namespace ringshift::xen
