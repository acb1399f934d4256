// EventChannels: the event channels of one Xen domain with one virtual CPU, by the 2-level ABI.
//
// A port is free, unbound (waits for another domain), connected (to another port of the domain, or to a back
// end of the monitor's, which stands for domain 0), or bound to a virtual interrupt. The bits that say what
// is pending stand in shared_info, where the guest reads and writes them as it likes: nothing here relies on
// them.
#pragma once

#include <array>
#include <optional>
#include <vector>

#include "paravirt/abi/xen_public.h"
#include "paravirt/domain_memory.h"

namespace ringshift::xen {

// What wakes the guest's virtual CPU.
class EventSink {
 public:
  // vcpu_info's evtchn_upcall_pending has become 1: the upcall is due as soon as evtchn_upcall_mask allows.
  virtual void upcall_pending() = 0;
  // A port has become pending, masked or not: SCHEDOP_poll may be waiting for it.
  virtual void port_pending(u32 /*port*/) {}

 protected:
  ~EventSink() = default;
};

// A back end's end of a channel.
class EventListener {
 public:
  // The guest sent an event. Within the guest's hypercall; may call EventChannels.
  virtual void on_event() = 0;

 protected:
  ~EventListener() = default;
};

class EventChannels {
 public:
  static constexpr u32 kPorts = 1024;  // 32 words of 32 bits
  static constexpr u16 kBackendDomain = 0;

  // domain: its number, not 0.
  EventChannels(DomainMemory& memory, Mfn shared_info, u16 domain, EventSink& sink);
  EventChannels(const EventChannels&) = delete;

  // HYPERVISOR_event_channel_op: 0 or a negative error number of Xen's.
  int op(u32 command, Gva argument);
  // HYPERVISOR_event_channel_op_compat: the same with the command in memory.
  int op_compat(Gva argument);

  // For back ends. offer(): a new port of the guest's that waits for a back end, as the domain builder makes
  // for the console and xenstore. connect(): binds one that waits, and gives the back end's own port; none if
  // the guest's doesn't wait for domain 0.
  std::optional<u32> offer();
  std::optional<u32> connect(u32 guest_port, EventListener& listener);
  void disconnect(u32 backend_port);
  // Sets the guest's end pending; nothing if the guest has closed it.
  void notify(u32 backend_port);

  // A virtual interrupt (VIRQ_*) of the only virtual CPU; nothing if it isn't bound.
  void raise_virq(u32 virq);

  // For SCHEDOP_poll: any port that isn't valid isn't pending.
  bool is_pending(u32 port) const;
  static bool is_valid(u32 port) { return port != 0 && port < kPorts; }

 private:
  enum class Kind : u8 { closed, unbound, interdomain, virq, ipi };
  struct Port {
    Kind kind = Kind::closed;
    u16 remote_domain = 0;  // unbound, interdomain
    u32 remote = 0;         // interdomain: the other port; virq: which
  };
  struct BackendPort {
    EventListener* listener = nullptr;  // null: free
    u32 guest_port = 0;                 // 0: the guest has closed it
  };

  template <class Argument>
  int take(Gva at, int (EventChannels::*handler)(const Argument&));
  template <class Argument>
  int answer(Gva at, int (EventChannels::*handler)(Argument&));
  int bind_interdomain(xen32::evtchn_bind_interdomain& bind);
  int bind_virq(xen32::evtchn_bind_virq& bind);
  int bind_ipi(xen32::evtchn_bind_ipi& bind);
  int bind_vcpu(const xen32::evtchn_bind_vcpu& bind);
  int alloc_unbound(xen32::evtchn_alloc_unbound& alloc);
  int close(const xen32::evtchn_close& close);
  int send(const xen32::evtchn_send& send);
  int status(xen32::evtchn_status& status);
  int unmask(const xen32::evtchn_unmask& unmask);
  int reset(const xen32::evtchn_reset& reset);

  bool is_self(u16 domain) const { return domain == DOMID_SELF || domain == domain_; }
  // -EPERM for another domain that there is, -ESRCH for one that there isn't.
  static int error_of_domain(u16 domain);
  std::optional<u32> find_free() const;
  int connect_to_backend(u32 port, u32 backend_port);
  void free_port(u32 port);
  void set_pending(u32 port);
  void select(u32 port);

  // The bit of `port` in one of shared_info's bitmaps; what it was before.
  bool change_bit(std::size_t bitmap, u32 port, bool value);
  bool test_bit(std::size_t bitmap, u32 port) const;

  SharedPage<xen32::shared_info_x86_32> shared_;
  DomainMemory& memory_;
  EventSink& sink_;
  u16 domain_;
  std::array<Port, kPorts> ports_;
  std::array<u32, NR_VIRQS> virqs_{};     // the port of each; 0: none
  std::vector<BackendPort> backends_{1};  // number 0 is not used
};

}  // namespace ringshift::xen
